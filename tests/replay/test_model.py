"""The predictor against references that are not ours, so that agreement with it means something."""

import random
import struct
import unittest

import cloud_traffic
import flow
import fragment
import icmp
import packets
import parse
import wire
from bucket import Bucket


class Model(unittest.TestCase):
    def test_checksum_example(self):
        # RFC 1071 section 3.
        self.assertEqual(wire.ones_sum(bytes([0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7])), 0xDDF2)

    def test_crc32c_examples(self):
        # RFC 3720 appendix B.4.
        for octets, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E),
                            (bytes(range(31, -1, -1)), 0x113FDB5C)):
            self.assertEqual(flow.crc32c(octets), crc)

    def test_flows(self):
        def octets(raw):
            return flow.flow(wire.parse_ipv4(raw) if raw[0] >> 4 == 4 else wire.parse_ipv6(raw))

        four, six = (b"\x0a\0\0\1", b"\x0a\0\0\2"), (wire.packed("fd00::1"), wire.packed("fd00::2"))
        ports = struct.pack("!HH", 40000, 40001)
        self.assertEqual(octets(wire.ipv4(*four, wire.UDP, packets.udp(*four, b"x"), options=bytes(4))),
                         b"".join(four) + b"\x11" + ports)
        self.assertEqual(octets(wire.ipv6(*six, wire.UDP, packets.udp(*six, b"x"))), b"".join(six) + b"\x11" + ports)
        for raw in (wire.ipv4(*four, wire.TCP, ports * 5, mf=True, df=False), wire.ipv4(*four, wire.TCP, ports[:3]),
                    wire.ipv4(*four, wire.TCP, ports * 5, offset=1, df=False)):
            self.assertEqual(octets(raw), b"".join(four) + b"\x06")
        self.assertEqual(octets(wire.ipv4(*four, 132, ports)), b"".join(four) + b"\x84")
        self.assertEqual(octets(wire.ipv6(*six, wire.V6_DEST, b"\x11\0" + bytes(6) + ports)), b"".join(six) + b"\x3c")

    def test_headers_as_scapy_builds_them(self):
        from scapy.layers.inet import ICMP, IP, UDP
        from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
        from scapy.packet import Raw

        four, six = (b"\x0a\0\0\1", b"\x0a\0\0\2"), (wire.packed("fd00::1"), wire.packed("fd00::2"))
        ours = wire.ipv4(*four, wire.UDP, packets.udp(*four, b"abcde"), tos=0xB8, ident=7)
        theirs = IP(src="10.0.0.1", dst="10.0.0.2", tos=0xB8, id=7, flags="DF") / UDP(sport=40000,
                                                                                      dport=40001) / Raw(b"abcde")
        self.assertEqual(ours, bytes(theirs))
        protocol, body = packets.echo_request(*six, 77, b"xyz")
        theirs = IPv6(src="fd00::1", dst="fd00::2", tc=3, fl=5, hlim=64) / ICMPv6EchoRequest(id=77, seq=7, data=b"xyz")
        self.assertEqual(wire.ipv6(*six, protocol, body, tos=3, flow=5), bytes(theirs))
        protocol, body = packets.echo_request(*four, 77, b"xyz")
        theirs = IP(src="10.0.0.2", dst="10.0.0.1", id=0, flags="DF", tos=4) / ICMP(type=0, id=77, seq=7) / Raw(b"xyz")
        request = wire.parse_ipv4(wire.ipv4(*four, protocol, body, tos=4, ident=9, options=b"\x94\x04\0\0"))
        self.assertEqual(icmp.echo_reply(request, 0), bytes(theirs))

    def test_fragments_as_scapy_cuts_them(self):
        from scapy.layers.inet import IP, fragment as cut
        from scapy.packet import Raw

        rng = random.Random(1)
        for _ in range(200):
            body, size = rng.randbytes(rng.randrange(1500, 5000)), rng.randrange(100, 1400) // 8 * 8
            raw = wire.ipv4(b"\x0a\0\0\1", b"\x0a\0\0\2", wire.UDP, body, df=False, ident=3)
            theirs = [bytes(piece) for piece in cut(IP(raw[:20]) / Raw(body), size)]
            self.assertEqual(fragment.fragments(raw, 20 + size), theirs)

    def test_fragments_join_again(self):
        rng = random.Random(2)
        for _ in range(300):
            options = rng.choice([b"", b"\x94\x04\0\0\x01\x01\x01\x00", b"\x44\x08\x05\0\0\0\0\0\x94\x04\0\0"])
            body = rng.randbytes(rng.randrange(100, 4000) // 8 * 8)
            offset, more = rng.choice([(0, False), (5, True), (9, False)])
            raw = wire.ipv4(b"\x0a\0\0\1", b"\x0a\0\0\2", 200, body, df=False, mf=more, offset=offset, options=options)
            mtu = rng.randrange(68, 1500)
            pieces = [wire.parse_ipv4(piece) for piece in fragment.fragments(raw, mtu)]
            self.assertEqual(b"".join(piece.payload for piece in pieces), body)
            at = offset
            for piece in pieces:
                self.assertLessEqual(len(piece.raw), mtu)
                self.assertEqual(piece.offset, at)
                self.assertEqual(piece.mf, more or piece is not pieces[-1])
                at += len(piece.payload) // 8
            self.assertEqual(pieces[0].raw[20 : pieces[0].header], options)
            for piece in pieces[1:]:
                self.assertEqual(piece.raw[20 : piece.header], b"\x94\x04\0\0" if b"\x94" in options else b"")

    def test_clamped_segments_keep_a_right_checksum(self):
        rng = random.Random(3)
        for _ in range(500):
            four = rng.random() < 0.5
            src, dst = (b"\x0a\0\0\1", b"\x0a\0\0\2") if four else (wire.packed("fd00::1"), wire.packed("fd00::2"))
            options = b"\x01" * rng.randrange(4) + b"\x02\x04" + rng.randrange(1400, 65536).to_bytes(2, "big")
            raw = packets.ip(src, dst, wire.TCP, packets.tcp(src, dst, rng.randbytes(rng.randrange(9)), 2, options))
            clamped = fragment.clamp_mss(raw, 1300)
            segment = (wire.parse_ipv4(clamped) if four else wire.parse_ipv6(clamped)).payload
            self.assertEqual(wire.ones_sum(segment, wire.pseudo_sum(src, dst, wire.TCP, len(segment))), 0xFFFF)
            at = fragment.mss_option(segment)
            self.assertEqual(int.from_bytes(segment[at : at + 2], "big"), 1260 if four else 1240)

    def test_gre_as_scapy_builds_it(self):
        from scapy.layers.inet import IP
        from scapy.layers.l2 import GRE

        inner = wire.ipv4(b"\x0a\0\0\1", b"\x0a\0\0\2", wire.UDP, b"odd")
        for fields in ({}, {"sequence": 9}, {"checksummed": True}, {"checksummed": True, "sequence": 3}):
            theirs = GRE(key_present=1, key=0x2A01, proto=0x800, chksum_present=int("checksummed" in fields),
                         seqnum_present=int("sequence" in fields), sequence_number=fields.get("sequence"))
            data = packets.gre(0x2A01, inner, **fields)
            self.assertEqual(data, bytes(theirs / IP(inner)))
            self.assertEqual(parse.parse_gre(data), (0x2A01, 0x800, inner))
        self.assertEqual(parse.parse_gre(packets.gre(None, inner))[0], None)
        self.assertEqual(parse.parse_gre(packets.gre(0, inner))[0], 0)

    def test_bucket(self):
        bucket = Bucket(1000, 3000)
        self.assertTrue(bucket.take(0, 3000))
        self.assertFalse(bucket.take(999_999, 1))
        self.assertTrue(bucket.take(1_000_000, 1))
        self.assertFalse(bucket.take(0, 1))
        self.assertTrue(bucket.take(3_600_000_000_000, 3000))
        self.assertFalse(bucket.take(3_600_000_000_000, 1))

    def test_marks_are_found(self):
        self.assertEqual(packets.MARK.findall(packets.filler(42, 20)), [b"00042", b"00042"])
        self.assertEqual(cloud_traffic.STRANGER, 99999)


if __name__ == "__main__":
    unittest.main()
