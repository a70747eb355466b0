"""What the tests of protected tunnels share: the 20 customers, and reading what left by the core port."""

import struct

import compare
import esp
import esp_scenario
import wire
from edge_config import Edge

PORTS = ["access0", "core0"]
START = 1_700_000_000 * 10**9
CLOUD = {4: wire.packed("10.100.1.2"), 6: wire.packed("fd00:100::1:2")}
CUSTOMER = {4: wire.packed("10.0.3.4"), 6: wire.packed("fd00:10::3:4")}


def parse(raw):
    return wire.parse_ipv4(raw) if raw[0] >> 4 == 4 else wire.parse_ipv6(raw)


class EspCase(compare.ReplayCase):
    def load(self, document=None):
        """Writes a configuration, the 20 customers if none is given, and reads it as the predictor does."""
        esp_scenario.write(document or esp_scenario.every_kind(), self.config)
        self.edge = Edge(self.config)
        self.by_spi = {lane.sa.spi: (tunnel, lane) for tunnel in self.edge.tunnels.values() if tunnel.ipsec
                       for lane in tunnel.ipsec.outbound}
        return self.edge

    def sealed(self, outputs):
        """(tunnel, lane, outer packet, ESP packet) of every frame of core0; besides, only answers of the edge."""
        for _, frame in outputs["core0"]:
            outer = parse(frame[14:])
            self.assertNotEqual(outer.protocol, wire.GRE, frame.hex())
            found = esp.carried(outer)
            if found is None:
                self.assertIn(outer.protocol, (wire.ICMP, wire.ICMPV6), frame.hex())
                continue
            tunnel, lane = self.by_spi[struct.unpack_from("!I", found[0])[0]]
            self.assertEqual(found[1], tunnel.ipsec.encapsulated)
            yield tunnel, lane, outer, found[0]

    def access_frame(self, tunnel, raw):
        """The customer's frame around `raw`."""
        link = tunnel.peering.first_link()
        tags = [(0x8100, tunnel.peering.circuit.service_vlan), (0x8100, tunnel.peering.vlan)]
        return wire.ethernet(link.port.mac, link.customer_mac, tags, wire.ETH_IPV4 if raw[0] >> 4 == 4 else
                             wire.ETH_IPV6, raw)

    def core_frame(self, raw):
        core = self.edge.ports["core0"]
        return wire.ethernet(core.mac, core.gateway_mac, [], wire.ETH_IPV4 if raw[0] >> 4 == 4 else wire.ETH_IPV6, raw)

    def replay(self, frames):
        return compare.replay(self.config, compare.in_order(frames, PORTS), PORTS, self.directory)
