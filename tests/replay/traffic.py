"""Random traffic over a configuration, in both directions: what conforms, what is hostile, and what is broken."""

import ipaddress
import random

import packets
import wire
from edge_config import Tunnel

ROUTER_MAC = wire.mac("02:99:99:99:99:99")
NOT_OURS = wire.mac("02:66:66:66:66:66")
STRANGER = 99999  # the mark of packets that must never come out


class Traffic:
    """Draws frames; `frame(direction)` is (port name, bytes)."""

    def __init__(self, edge, owners, seed, malformed=True):
        """`owners` maps customer names to numbers; without `malformed` every IP packet is whole."""
        self.edge, self.owners, self.malformed = edge, owners, malformed
        self.rng = random.Random(seed)
        self.links = list(edge.attachments.values())
        self.tunnels = list(edge.tunnels.values())
        cores = [port for port in edge.ports.values() if port.role == "core"]
        self.core = cores[0]
        self.core_of = {address: port for port in cores for address in (port.address, port.address6)}

    def owner(self, peering):
        return self.owners[peering.circuit.customer]

    # -- addresses -------------------------------------------------------------------------------------------

    def inside(self, net):
        """A random address of a prefix, any in the lower half of a large one."""
        host = self.rng.randrange(net.num_addresses if net.num_addresses < 2**20 else 2**20)
        return net[host].packed

    def prefix(self, nets, version):
        nets = [net for net in nets if net.version == version]
        return self.rng.choice(nets) if nets else None

    def customer_address(self, link, version):
        net = self.prefix(link.peering.prefixes, version)
        if version in link.subnets and (net is None or self.rng.random() < 0.2):
            return link.subnets[version].customer
        if net is None:
            return self.anywhere(version)
        if net.prefixlen == 0:
            net = ipaddress.ip_network("10.3.0.0/16" if version == 4 else "fd00:33::/64")
        return self.inside(net)

    def cloud_address(self, peering, version, tunnel=None):
        nets = [net for net, target in peering.routes
                if isinstance(target, Tunnel) and (tunnel is None or target is tunnel)]
        net = self.prefix(nets, version)
        if net is None:
            return bytes([203, 0, 113, 5]) if version == 4 else wire.packed("2001:db8:5::5")
        if net.prefixlen == 0:
            net = ipaddress.ip_network("198.18.0.0/16" if version == 4 else "2001:db8:77::/64")
        return self.inside(net)

    def anywhere(self, version):
        if version == 4:
            return bytes([self.rng.choice([11, 99, 150, 203])]) + self.rng.randbytes(3)
        return b"\x2a\x0e" + self.rng.randbytes(14)

    # -- IP packets ------------------------------------------------------------------------------------------

    def options(self):
        """IPv4 options: router alert and timestamp-like ones, some with the copied flag."""
        pool = [b"\x94\x04\0\0", b"\x01", b"\x44\x08\x05\0\0\0\0\0", b"\x9e\x0b" + b"s" * 9, b"\x07\x07\x04\0\0\0\0"]
        text = b"".join(self.rng.sample(pool, self.rng.randrange(1, 4)))
        return text + b"\0" * (-len(text) % 4)

    def size(self, mtu):
        """A payload size: small, ordinary, or around `mtu`."""
        pick = self.rng.random()
        if pick < 0.45:
            return self.rng.randrange(0, 200)
        if pick < 0.8:
            return self.rng.randrange(200, 1300)
        return max(0, mtu - self.rng.randrange(-30, 120))

    def packet(self, owner, src, dst, mtu, **fields):
        """An ordinary packet with every header field drawn at random."""
        rng = self.rng
        version = 4 if len(src) == 4 else 6
        fields.setdefault("tos", rng.choice([0, 0, rng.randrange(256)]))
        fields.setdefault("ttl", rng.choice([64, 255, 2, rng.randrange(2, 256)]))
        fields.setdefault("ident", rng.randrange(65536))
        fields.setdefault("df", rng.random() < 0.6)
        fields.setdefault("flow", rng.randrange(2**20))
        if version == 4 and rng.random() < 0.12:
            fields.setdefault("options", self.options())
        payload = packets.filler(owner, self.size(mtu - 40))
        kind = rng.random()
        if kind < 0.15:
            clamp = rng.choice([b"", b"\x02\x04" + rng.choice([536, 1300, 1360, 1460, 8960, 65535]).to_bytes(2, "big")])
            options = b"\x01" * rng.randrange(0, 4) + rng.choice([b"", b"\x04\x02"]) + clamp + b"\x03\x03\x07"
            body = packets.tcp(src, dst, packets.filler(owner, 40), rng.choice([0x02, 0x12, 0x02, 0x10, 0xC2]), options)
            protocol = wire.TCP
        elif kind < 0.25:
            near, far = b"\x0a\0\0\1", b"\x0a\0\0\2"
            # Dissectors judge nested lengths even in a cut ICMP quote, so whole packets stay small.
            inner = wire.ipv4(near, far, wire.UDP, packets.udp(near, far, payload if self.malformed else payload[:200]))
            protocol, body = wire.GRE, packets.gre(rng.randrange(2**32), inner)
            for _ in range(rng.randrange(0, 5)):
                body = packets.gre(1, wire.ipv4(near, far, wire.GRE, body))
        elif kind < 0.35:
            protocol, body = packets.echo_request(src, dst, rng.randrange(1, 65536), payload)
        elif kind < 0.40 and version == 6:
            protocol = rng.choice([wire.V6_HOP, wire.V6_DEST])
            body = bytes([wire.UDP, 0, 1, 4, 0, 0, 0, 0]) + packets.udp(src, dst, payload)
        elif kind < 0.45 and version == 6:
            word = rng.choice([0, 1, 8 * 20, 8 * 20 + 1])
            protocol, body = wire.V6_FRAGMENT, bytes([wire.UDP, 0]) + word.to_bytes(2, "big") + b"\0\0\0\1"
            body += packets.udp(src, dst, payload) if word < 8 else payload
        elif kind < 0.5 and version == 4:
            fields.update(offset=rng.choice([0, 3, 185]), mf=rng.random() < 0.7)
            protocol, body = wire.UDP, payload[: len(payload) // 8 * 8]
            if not fields["offset"]:
                body = packets.udp(src, dst, payload + b"x" * (-len(payload) % 8))
        else:
            protocol, body = wire.UDP, packets.udp(src, dst, payload)
        return packets.ip(src, dst, protocol, body, **fields)

    def malform(self, raw):
        """The packet with one thing wrong, or cut somewhere."""
        if not self.malformed:
            return raw
        rng, raw = self.rng, bytearray(raw)
        kind = rng.randrange(6)
        if kind == 0:
            return bytes(raw[: rng.randrange(len(raw))])
        if raw[0] >> 4 == 6:
            if kind < 4:
                length = (len(raw) - 40 + rng.choice([-len(raw), 1, 8, 2000])) % 65536
                raw[4:6] = length.to_bytes(2, "big")
            else:
                raw[0] ^= 1 << rng.randrange(4, 8)
            return bytes(raw)
        if kind == 1:
            raw[10] ^= 1 << rng.randrange(8)
            return bytes(raw)
        if kind == 2:
            raw[0] = rng.choice([0x44, 0x40, 0x4F, 0x55, 0x05, 0x65])
            if (raw[0] & 15) >= 5 and len(raw) >= 60:
                return wire.with_ipv4_checksum(raw)
            return bytes(raw)
        total = {3: rng.randrange(0, 20), 4: len(raw) + rng.randrange(1, 900), 5: rng.randrange(20, len(raw) + 1)}[kind]
        raw[2:4] = total.to_bytes(2, "big")
        return wire.with_ipv4_checksum(raw)

    # -- frames from customers -------------------------------------------------------------------------------

    def access_frame(self, link, raw, ethertype=None, dst=None, vids=None, tpids=None, padding=True):
        rng, circuit = self.rng, link.peering.circuit
        if vids is None:
            vids = [link.peering.vlan] if circuit.service_vlan is None else [circuit.service_vlan, link.peering.vlan]
        if tpids is None:
            tpids = [rng.choice(wire.TPIDS)] + [0x8100] * (len(vids) - 1)
        tags = [(tpid, rng.randrange(8) << 13 | (rng.random() < 0.05) << 12 | vid) for tpid, vid in zip(tpids, vids)]
        frame = wire.ethernet(dst or link.port.mac, ROUTER_MAC, tags,
                              packets.ethertype_of(raw) if ethertype is None else ethertype, raw)
        if padding and (len(frame) < 60 or rng.random() < 0.03):
            frame += b"\xEE" * max(60 - len(frame), rng.randrange(0, 9))
        return link.port.name, frame

    def to_cloud(self):
        rng = self.rng
        link = rng.choice(self.links)
        peering, version = link.peering, rng.choice([4, 4, 6])
        owner = self.owner(peering)
        src, dst = self.customer_address(link, version), self.cloud_address(peering, version)
        subnet = link.subnets.get(version)
        mtu, fields = min(self.core.mtu - 28, link.port.mtu), {}
        pick = rng.random()
        if pick < 0.45:
            pass
        elif pick < 0.50:
            fields["ttl"] = rng.choice([0, 1])
        elif pick < 0.54:
            dst = self.anywhere(version)
        elif pick < 0.57:
            src = self.anywhere(version)
            if not any(ipaddress.ip_address(src) in net for net in peering.prefixes):
                owner = STRANGER
        elif pick < 0.60 and subnet:
            other = rng.choice(list(peering.links.values()))
            src = rng.choice([subnet.edge, other.subnets[version].customer, other.subnets[version].edge])
        elif pick < 0.64:
            target = rng.choice(list(peering.links.values()))
            dst, mtu = self.customer_address(target, version), target.port.mtu
        elif pick < 0.68 and subnet:
            dst = rng.choice(list(peering.links.values())).subnets[version].edge
            protocol, body = packets.echo_request(src, dst, rng.randrange(1, 65536),
                                                  packets.filler(owner, self.size(1500)))
            return self.access_frame(link, packets.ip(src, dst, protocol, body, tos=rng.randrange(256)))
        elif pick < 0.70 and subnet:
            dst = subnet.edge
        elif pick < 0.72 and version == 4 and subnet:
            dst = rng.choice([subnet.net[0].packed, subnet.net[-1].packed, b"\xff" * 4, b"\xe0\0\0\5", b"\x7f\0\0\1",
                              b"\0\0\0\1"])
        elif pick < 0.72:
            dst = rng.choice([b"\xff\2" + b"\0" * 13 + b"\1", b"\0" * 15 + b"\1", b"\0" * 16,
                              b"\xfe\x80" + b"\0" * 13 + b"\1"])
        elif pick < 0.75:
            return self.access_frame(link, self.malform(self.packet(owner, src, dst, mtu)), packets.ETHERTYPES[version])
        elif pick < 0.78:
            protocol, body = packets.icmp_error(src, dst, rng.choice([1, 3, 11, 12, 5, 4, 2]),
                                                packets.filler(owner, 60))
            fields["ttl"] = rng.choice([1, 64])
            return self.access_frame(link, packets.ip(src, dst, protocol, body, **fields))
        elif pick < 0.80:
            # Larger than the port's MTU.
            body = packets.udp(src, dst, packets.filler(owner, link.port.mtu - 20))
            return self.access_frame(link, packets.ip(src, dst, wire.UDP, body))
        elif pick < 0.94:
            return self.odd_access_frame(link, self.packet(owner, src, dst, mtu), src, version)
        elif pick < 0.96:
            dst = self.cloud_address(peering, version)
            return self.access_frame(link, self.packet(owner, src, dst, mtu, df=False, offset=rng.choice([0, 10])))
        return self.access_frame(link, self.packet(owner, src, dst, mtu, **fields))

    def unknown(self, link, candidates):
        """One of the tag lists that is no attachment of this port: who sends another's tags is the other."""
        def is_free(vids):
            named = [vid for vid in vids if vid]  # VID 0 names nobody
            attachment = self.edge.attachments.get((link.port.name, *([None, None] + named)[-2:]))
            return len(named) > 2 or attachment in (None, link)

        return self.rng.choice([vids for vids in candidates if is_free(vids)])

    def odd_access_frame(self, link, raw, src, version):
        """Good IP in a frame that is not quite right, or no IP at all."""
        rng, circuit = self.rng, link.peering.circuit
        vids = [link.peering.vlan] if circuit.service_vlan is None else [circuit.service_vlan, link.peering.vlan]
        kind = rng.randrange(12)
        if kind == 0:
            port, frame = self.access_frame(link, raw, padding=False)
            return port, frame[: rng.randrange(1, min(len(frame), 80))]
        if kind == 1:
            return self.access_frame(link, raw, vids=self.unknown(link, [[0] + vids[1:], [4095] + vids[1:]]))
        if kind == 2:
            return self.access_frame(link, raw, vids=self.unknown(link, [vids[:-1] + [0], vids[:-1] + [4095]]))
        if kind == 3:
            return self.access_frame(link, raw, vids=self.unknown(link, [vids + [10], vids + [0], [0] + vids, [5] + vids]))
        if kind == 4:
            wrong = [vids[:-1] + [3999], [3999] + vids[1:], vids[:1], vids[-1:]]
            return self.access_frame(link, raw, vids=self.unknown(link, wrong))
        if kind == 5:
            return self.access_frame(link, raw, vids=[])
        if kind == 6:
            tpids = [0x8100] + [rng.choice([0x88A8, 0x9100, 0x9200])] * (len(vids) - 1)
            return self.access_frame(link, raw, tpids=tpids)
        if kind == 7:
            return self.access_frame(link, raw, ethertype=rng.choice([0x88CC, 0x8847, 0x0842, 0x05DC, 0x86DD, 0x0800]))
        if kind == 8:
            return self.access_frame(link, raw, dst=rng.choice([b"\xff" * 6, b"\1\0\x5e\0\0\5", NOT_OURS]))
        if kind == 9:
            arp = packets.arp_request(ROUTER_MAC, b"\x0a\0\0\1", b"\x0a\0\0\2")
            return self.access_frame(link, arp, wire.ETH_ARP, dst=rng.choice([b"\xff" * 6, link.port.mac]))
        if kind == 10:
            group = wire.packed("ff02::1:ff00:2")
            source = rng.choice([wire.packed("fe80::99"), self.customer_address(link, 6), b"\0" * 16])
            raw = packets.neighbour_solicitation(ROUTER_MAC, source, wire.packed("fd00:172:16::2"), group)
            return self.access_frame(link, raw, dst=b"\x33\x33\xff\0\0\2")
        return self.access_frame(link, raw + b"\0" * rng.randrange(1, 50))
