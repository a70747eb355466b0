"""ESP in UDP (RFC 3948) beyond the ordinary: odd datagrams from the cloud, and the checksum that comes out as 0."""

import struct
import unittest

import compare
import esp_scenario
import packets
import wire
from esp_case import CLOUD, CUSTOMER, START, EspCase
from esp_forge import Forge


class Udp(EspCase):
    def datagram(self, forge, body, length=None, checksum=lambda value: value, source=4500):
        """The IP packet with one UDP datagram around `body`, its length and checksum changed as asked."""
        src, dst = forge.made.remote, forge.made.local
        length = 8 + len(body) if length is None else length
        head = struct.pack("!HHHH", source, 4500, length, 0)
        value = wire.checksum(head + body, wire.pseudo_sum(src, dst, wire.UDP, length)) or 0xFFFF
        return packets.ip(src, dst, wire.UDP, head[:6] + struct.pack("!H", checksum(value)) + body)

    def cases(self, forge):
        """(IP packet, drop or None for one that passes)."""
        six = len(forge.made.local) == 16
        sealed, size = forge.sealed, len(forge.sealed())
        yield self.datagram(forge, sealed()), None
        yield self.datagram(forge, sealed(), source=1234), None
        # No checksum: may be over IPv4 (RFC 3948 section 2.1), may not over IPv6 (RFC 8200 section 8.1).
        yield self.datagram(forge, sealed(), checksum=lambda value: 0), "outer_bad_checksum" if six else None
        for bit in range(16):
            yield self.datagram(forge, sealed(), checksum=lambda value, bit=bit: value ^ 1 << bit), "outer_bad_checksum"
        yield self.datagram(forge, sealed(), 8 + size + 1), "outer_truncated"
        yield self.datagram(forge, sealed(), 7), "outer_truncated"
        for body in (b"", b"\1", b"\xff\xff", b"\0\0\0", forge.sa.spi.to_bytes(4, "big") + b"\0\0\0"):
            yield self.datagram(forge, body), "esp_truncated"
        yield self.datagram(forge, b"\xff"), "nat_keepalive"
        # Octets behind the datagram belong to nobody.
        good = self.datagram(forge, sealed())
        yield packets.ip(forge.made.remote, forge.made.local, wire.UDP, good[40 if six else 20 :] + b"\xEE" * 7), None

    def test_odd_datagrams(self):
        self.load()
        frames, passed, want = [], 0, {}
        for tunnel in self.edge.tunnels.values():
            if not tunnel.ipsec.encapsulated:
                continue
            for raw, reason in self.cases(Forge(tunnel)):
                frames.append((START + 1000 * len(frames), "core0", self.core_frame(raw)))
                if reason:
                    want[reason] = want.get(reason, 0) + 1
                else:
                    passed += 1
        outputs, document = self.replay(frames)
        self.assertEqual(document["drops"], want)
        self.assertEqual((len(outputs["access0"]), len(outputs["core0"])), (passed, 0))

    def test_checksum_zero_is_sent_as_ones(self):
        """Over IPv6, 0 would say that there is none (RFC 768)."""
        ipsec = esp_scenario.association(0, "aes-gcm-128", udp_encapsulation=True)
        self.load(esp_scenario.document([esp_scenario.customer(0, ipsec, family=6)]))
        (tunnel,) = self.edge.tunnels.values()
        number = next(number for number in range(2**20) if self.complement(tunnel, number) == 0)
        outputs, _ = self.replay([(START, "access0", self.access_frame(tunnel, self.customer(number, 64)))])
        ((_, frame),) = outputs["core0"]
        self.assertEqual(frame[54:62], struct.pack("!HHHH", 4500, 4500, len(frame) - 54, 0xFFFF))

    @staticmethod
    def customer(number, ttl):
        return packets.ip(CUSTOMER[4], CLOUD[4], 253, struct.pack("!I", number), ttl=ttl)

    def complement(self, tunnel, number):
        """The checksum that the first packet around the customer's packet `number` works out to."""
        made = tunnel.ipsec
        delivery = packets.ip(tunnel.local, tunnel.remote, wire.GRE, packets.gre(tunnel.key, self.customer(number, 63)))
        packet = made.outbound[0].sa.seal(1, 41, delivery)
        datagram = struct.pack("!HHHH", 4500, 4500, 8 + len(packet), 0) + packet
        return wire.checksum(datagram, wire.pseudo_sum(made.local, made.remote, wire.UDP, len(datagram)))


if __name__ == "__main__":
    compare.main()
