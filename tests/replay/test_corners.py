"""Single packets whose fate is written down here by hand, so that predictor and product answer to a third party."""

import os
import shutil
import unittest

import compare
import packets
import wire
from cloud_traffic import CloudTraffic
from edge_config import Edge

PORTS = ["access0", "core0", "access1"]
START = 10**18
OVERHEAD = {"v4key": 28, "v4none": 24, "v6key": 48, "v6none": 44}
NOT_ECT, ECT1, ECT0, CE = 0, 1, 2, 3
# RFC 6040 figure 4, a row per inner field, columns Not-ECT, ECT(0), ECT(1), CE; None is a drop.
FIGURE_4 = {NOT_ECT: (NOT_ECT, NOT_ECT, NOT_ECT, None), ECT0: (ECT0, ECT0, ECT1, CE),
            ECT1: (ECT1, ECT1, ECT1, CE), CE: (CE, CE, CE, CE)}


class Corners(compare.ReplayCase):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "corners.yaml"), self.config)
        self.edge = Edge(self.config)
        self.traffic = CloudTraffic(self.edge, {"contoso": 0, "fabrikam": 1}, 5)
        self.primary = self.edge.attachments[("access0", 100, 10)]
        self.secondary = self.edge.attachments[("access1", 100, 10)]
        self.single = self.edge.attachments[("access0", None, 100)]
        self.tunnels = {t.network: t for t in self.edge.tunnels.values()}
        self.frames = []

    def add(self, named):
        """Appends one (port, frame), a millisecond after the last."""
        self.frames.append((START + len(self.frames) * 10**6, *named))

    def run_all(self):
        return self.check(self.frames, PORTS)

    def plain(self, src, dst, size, **fields):
        """A packet of exactly `size` bytes."""
        src, dst = wire.packed(src), wire.packed(dst)
        options = len(fields.get("options", b""))
        head = 20 + options if len(src) == 4 else 40
        return packets.ip(src, dst, wire.UDP, packets.udp(src, dst, packets.filler(0, size - head - 8)), **fields)

    def test_mtu_of_every_tunnel(self):
        expected = []
        for number, (name, overhead) in enumerate(OVERHEAD.items()):
            mtu = 1500 - overhead
            for size in (mtu, mtu + 1):
                self.add(self.traffic.access_frame(self.primary,
                                                   self.plain("10.0.0.9", "10.%d.0.1" % (100 + number), size)))
                fits = size == mtu
                expected.append("sent" if fits or name == "v4none" else mtu)
                self.add(self.traffic.access_frame(self.primary,
                                                   self.plain("fd00:10::9", "fd00:%d::1" % (100 + number), size)))
                expected.append("sent" if fits else mtu)
        predicted, outputs, _ = self.run_all()
        self.assertEqual([fate for fate, _ in predicted.fates],
                         ["dropped" if isinstance(want, int) else want for want in expected])
        told = []
        for _, frame in outputs["access0"]:
            raw = frame[22:]
            told.append(int.from_bytes(raw[26:28] if raw[0] >> 4 == 4 else raw[44:48], "big"))
        self.assertEqual(told, [want for want in expected if isinstance(want, int)])

    def test_ecn_of_decapsulation(self):
        expected = []
        for address in ("10.0.0.9", "fd00:10::9"):
            for name in ("v4key", "v6key"):
                for inner, row in FIGURE_4.items():
                    for outer, want in zip((NOT_ECT, ECT0, ECT1, CE), row):
                        tunnel = self.tunnels[name]
                        network = 100 if name == "v4key" else 102
                        source = ("10.%d.0.1" if "." in address else "fd00:%d::1") % network
                        raw = self.plain(source, address, 100, tos=0xB8 | inner)
                        self.add(self.traffic.core_frame(self.traffic.outer(
                            tunnel, packets.gre(tunnel.key, raw), tos=outer, options=b"")))
                        if want is not None:
                            expected.append(0xB8 | want)
        _, outputs, _ = self.run_all()
        got = []
        for _, frame in outputs["access0"]:
            parse = wire.parse_ipv4 if frame[22] >> 4 == 4 else wire.parse_ipv6
            got.append(parse(frame[22:]).tos)
        self.assertEqual(got, expected)

    def test_tos_of_encapsulation(self):
        for tos in range(256):
            for number in range(4):
                self.add(self.traffic.access_frame(self.primary,
                                                   self.plain("10.0.0.9", "10.%d.0.1" % (100 + number), 60, tos=tos)))
        _, outputs, _ = self.run_all()
        got = []
        for _, frame in outputs["core0"]:
            parse = wire.parse_ipv4 if frame[14] >> 4 == 4 else wire.parse_ipv6
            got.append(parse(frame[14:]).tos)
        want = []
        for tos in range(256):
            want += [tos, 46 << 2 | tos & 3, tos, tos]
        self.assertEqual(got, want)

    def test_keys_are_exact(self):
        """No key, key 0 and each customer's key: only the four configured pairs of address and key open."""
        wanted = []
        for local, remote in (("192.0.2.1", "198.51.100.7"), ("2001:db8:ffff::1", "2001:db8:cafe::7")):
            for key in (None, 0, 1, 0x2A01, 0x2A00, 0x012A, 0x2A010000, 2**32 - 1):
                names = {("192.0.2.1", None): 10, ("192.0.2.1", 0): 100, ("192.0.2.1", 0x2A01): 10,
                         ("2001:db8:ffff::1", None): 10, ("2001:db8:ffff::1", 0): 10}
                raw = self.plain("10.100.0.1", "10.0.0.9", 100)
                build = packets.ip(wire.packed(remote), wire.packed(local), wire.GRE, packets.gre(key, raw))
                self.add(self.traffic.core_frame(build))
                if (local, key) in names:
                    wanted.append(names[local, key])
        _, outputs, _ = self.run_all()
        got = []
        for _, frame in outputs["access0"]:
            second = int.from_bytes(frame[16:18], "big") == 0x8100
            got.append(int.from_bytes((frame[18:20] if second else frame[14:16]), "big") & 0xFFF)
        self.assertEqual([10 if vid == 10 else 100 for vid in got], wanted)

    def test_fates_by_hand(self):
        """What becomes of one packet of each kind: (frame, fate, packets out of access0, core0, access1)."""
        frame, primary, secondary = self.traffic.access_frame, self.primary, self.secondary
        good = self.plain("10.0.0.9", "10.100.0.1", 100)
        six = self.plain("fd00:10::9", "fd00:100::1", 100)
        near4, near6 = wire.packed("172.16.0.1"), wire.packed("fd00:172::1")
        edge4, edge6 = wire.packed("172.16.0.2"), wire.packed("fd00:172::2")
        ping = packets.ip(near4, edge4, *packets.echo_request(near4, edge4, 5, b"abc"), tos=0x1F, ident=77)
        ping6 = packets.ip(near6, edge6, *packets.echo_request(near6, edge6, 5, b"abc"), tos=0x1F, flow=5)
        cases = [
            (frame(primary, good), "sent", (0, 1, 0)),
            (frame(secondary, good), "sent", (0, 1, 0)),
            (frame(primary, six), "sent", (0, 1, 0)),
            (frame(primary, good + b"\0" * 40), "sent", (0, 1, 0)),
            (frame(primary, good, tpids=[0x9100, 0x8100]), "sent", (0, 1, 0)),
            (frame(primary, good, tpids=[0x8100, 0x88A8]), "dropped", (0, 0, 0)),
            (frame(primary, good, vids=[100, 0]), "sent", (0, 1, 0)),
            (frame(primary, good, vids=[100, 4095]), "dropped", (0, 0, 0)),
            (frame(primary, good, vids=[100, 10, 10]), "dropped", (0, 0, 0)),
            (frame(primary, good, vids=[101, 10]), "dropped", (0, 0, 0)),
            (frame(primary, good, vids=[]), "dropped", (0, 0, 0)),
            (frame(primary, good, dst=b"\xff" * 6), "dropped", (0, 0, 0)),
            (frame(primary, good, dst=b"\2\7\7\7\7\7"), "sent", (0, 1, 0)),
            (frame(primary, ping), "punted", (1, 0, 0)),
            (frame(primary, ping6), "punted", (1, 0, 0)),
            (frame(primary, self.plain("172.16.0.1", "172.16.0.6", 60)), "punted", (1, 0, 0)),
            (frame(primary, self.plain("172.16.0.2", "10.100.0.1", 60)), "dropped", (0, 0, 0)),
            (frame(primary, self.plain("172.16.0.5", "10.100.0.1", 60)), "dropped", (0, 0, 0)),
            (frame(secondary, self.plain("172.16.0.5", "10.100.0.1", 60)), "sent", (0, 1, 0)),
            (frame(primary, self.plain("10.1.0.9", "10.100.0.1", 60)), "dropped", (0, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "172.16.0.3", 60)), "dropped", (0, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "172.16.0.5", 60)), "sent", (0, 0, 1)),
            (frame(secondary, self.plain("10.0.0.9", "10.0.0.10", 60)), "sent", (1, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "9.9.9.9", 60)), "dropped", (1, 0, 0)),
            (frame(secondary, self.plain("172.16.0.5", "9.9.9.9", 60)), "dropped", (0, 0, 1)),
            (frame(primary, self.plain("10.0.0.9", "9.9.9.9", 60, df=False, offset=3)), "dropped", (0, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "10.100.0.1", 60, ttl=1)), "dropped", (1, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "10.100.0.1", 60, ttl=0)), "dropped", (1, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "224.0.0.9", 60)), "dropped", (0, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "10.100.0.1", 1600, df=False)), "sent", (0, 2, 0)),
            (frame(primary, self.plain("10.0.0.9", "10.101.0.1", 1600, df=True)), "sent", (0, 2, 0)),
            (frame(primary, self.plain("10.0.0.9", "172.16.0.5", 1600, df=True)), "dropped", (1, 0, 0)),
            (frame(primary, self.plain("10.0.0.9", "10.100.0.1", 1601, df=False)), "dropped", (0, 0, 0)),
            (frame(secondary, self.plain("10.0.0.9", "10.100.0.1", 1301, df=False)), "dropped", (0, 0, 0)),
            (frame(primary, packets.arp_request(b"\2" * 6, near4, edge4), wire.ETH_ARP, dst=b"\xff" * 6), "punted",
             (0, 0, 0)),
            (frame(primary, good, ethertype=0x88CC), "dropped", (0, 0, 0)),
            # fabrikam: 2000 bytes of burst at 2 Mb/s. Its own reply costs it nothing.
            (frame(self.single, self.plain("10.0.0.9", "10.100.0.1", 1400)), "sent", (0, 1, 0)),
            (frame(self.single, self.plain("10.0.0.9", "10.100.0.1", 1400)), "dropped", (0, 0, 0)),
        ]
        for named, _, _ in cases:
            self.add(named)
        predicted, outputs, _ = self.run_all()
        for number, (named, fate, out) in enumerate(cases):
            when = START + number * 10**6
            got = tuple(sum(now == when for now, _ in outputs[port]) for port in ("access0", "core0", "access1"))
            self.assertEqual((predicted.fates[number][0], got), (fate, out), "case %d: %s" % (number, named[1].hex()))

    def test_tpids(self):
        """What is accepted, sent, sent back and counted with every setting of them."""
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        more = ", service_tpid: auto, single_tpid: 0x88a8, accept_tpids: [0x9200], accept_inner_tpids: [0x88a8] }"
        text = text.replace("mtu: 1600 }", "mtu: 1600" + more)
        text = text.replace("service_tpid: 0x9100 }", "service_tpid: 0x9300, inner_tpid: 0x9100 }")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        up, turned = self.plain("10.0.0.9", "10.100.0.1", 100), self.plain("10.0.0.9", "10.0.0.10", 60)
        for link in (self.primary, self.secondary, self.single):
            for outer in (0x8100, 0x88A8, 0x9100, 0x9200, 0x9300):
                for inner in (0x8100, 0x88A8, 0x9100) if link is not self.single else (None,):
                    tpids = [outer] + [inner] * (inner is not None)
                    self.add(self.traffic.access_frame(link, up, tpids=tpids))
                    self.add(self.traffic.access_frame(link, turned, tpids=tpids))
        self.run_all()

    def test_replies_copy_priority(self):
        edge4, near4 = wire.packed("172.16.0.2"), wire.packed("172.16.0.1")
        ping = packets.ip(near4, edge4, *packets.echo_request(near4, edge4, 5, b"abc"))
        frame = wire.ethernet(self.primary.port.mac, b"\2" * 6, [(0x88A8, 5 << 13 | 100), (0x8100, 5 << 13 | 10)],
                              0x0800, ping)
        self.add(("access0", frame))
        _, outputs, _ = self.run_all()
        self.assertEqual(outputs["access0"][0][1][12:22].hex(), "8100a0648100a00a0800")

    @staticmethod
    def sums_to(raw, at, want):
        """`raw` with the 16-bit word at `at` such that the IPv4 header's checksum becomes `want`."""
        raw = bytearray(raw)
        raw[at : at + 2] = raw[10:12] = b"\0\0"
        raw[at : at + 2] = (0xFFFF - wire.ones_sum(raw[:20], want)).to_bytes(2, "big")
        return wire.with_ipv4_checksum(raw)

    def test_checksums_around_zero(self):
        """What RFC 1624 section 3 is about: an updated checksum is 0x0000 where RFC 1141 makes it 0xffff."""
        for destination in ("10.100.0.1", "10.103.0.1", "172.16.0.5"):
            for want in (0xFEFE, 0xFEFF, 0xFF00, 0xFFFE, 0x0000, 0x0001):
                for address in ("10.0.0.9", "10.0.200.77"):
                    raw = self.sums_to(self.plain(address, destination, 60, ttl=9), 4, want)
                    self.assertEqual(int.from_bytes(raw[10:12], "big"), want)
                    self.add(self.traffic.access_frame(self.primary, raw))
        for want in (0xFEFE, 0xFEFF, 0xFF00, 0xFFFE, 0x0000, 0x0001):
            for outer in (NOT_ECT, ECT1, ECT0, CE):
                for inner in (ECT0, ECT1, CE):
                    for close in range(-3, 4):
                        raw = self.plain("10.100.0.1", "10.0.0.9", 60, tos=inner)
                        raw = self.sums_to(raw, 4, (want + close) % 0xFFFF)
                        tunnel = self.tunnels["v4key"]
                        self.add(self.traffic.core_frame(packets.ip(
                            tunnel.remote, tunnel.local, wire.GRE, packets.gre(tunnel.key, raw), tos=outer)))
        self.run_all()

    def test_echo_of_nothing_but_zeros(self):
        """The reply's sum is then zero and its checksum 0xffff: 0x0000 would not verify."""
        near, edge = wire.packed("172.16.0.1"), wire.packed("172.16.0.2")
        for payload in (b"", b"\0", b"\0" * 56):
            self.add(self.traffic.access_frame(
                self.primary, packets.ip(near, edge, *self.echo(b"\0\0\0\0" + payload))))
        _, outputs, _ = self.run_all()
        self.assertEqual([frame[22 + 20 : 22 + 24].hex() for _, frame in outputs["access0"]], ["0000ffff"] * 3)

    @staticmethod
    def echo(rest):
        return wire.ICMP, packets.icmp.icmpv4(b"\x08\0\0\0" + rest)

    def test_segments_whose_clamped_checksum_is_zero(self):
        for family, source, target in ((4, "10.0.0.9", "10.100.0.1"), (6, "fd00:10::9", "fd00:100::1")):
            src, dst = wire.packed(source), wire.packed(target)
            for pad in range(4):
                for want in range(-2, 3):
                    options = b"\x01" * pad + b"\x02\x04" + (1460).to_bytes(2, "big")
                    segment = bytearray(packets.tcp(src, dst, b"", 2, options))
                    limit = 1500 - OVERHEAD["v4key"] - (40 if family == 4 else 60)
                    clamped = bytearray(segment)
                    clamped[22 + pad : 24 + pad] = limit.to_bytes(2, "big")
                    clamped[16:18] = clamped[4:6] = b"\0\0"
                    rest = wire.ones_sum(clamped, wire.pseudo_sum(src, dst, wire.TCP, len(clamped)))
                    segment[4:6] = ((0xFFFF - rest + want) % 0xFFFF).to_bytes(2, "big")
                    segment[16:18] = b"\0\0"
                    value = wire.checksum(segment, wire.pseudo_sum(src, dst, wire.TCP, len(segment)))
                    segment[16:18] = value.to_bytes(2, "big")
                    self.add(self.traffic.access_frame(self.primary, packets.ip(src, dst, wire.TCP, bytes(segment))))
        self.run_all()

    def test_several_files_of_one_time(self):
        """All at one instant: the inputs are taken in the order named, whole files in turn."""
        for link in (self.secondary, self.primary, self.single):
            for ident in range(70):
                raw = self.plain("10.0.0.9", "10.100.0.1", 60, ident=ident)
                port, frame = self.traffic.access_frame(link, raw)
                self.frames.append((START, port, frame))
        for ports in (["access1", "access0"], ["access0", "access1"]):
            self.check(self.frames, ports, ["access1"])


if __name__ == "__main__":
    compare.main()
