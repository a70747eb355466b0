"""Sealed packets as the network sees them: IVs, the largest packet that fits, congestion marks, other's dissectors."""

import itertools
import os
import subprocess
import unittest
from collections import Counter

import compare
import esp
import esp_scenario
import packets
import wire
from esp_case import CLOUD, CUSTOMER, PORTS, START, EspCase, parse
from esp_traffic import EspTraffic
from test_predict import owner_numbers

COMPLAINT = " || ".join(["_ws.malformed", "_ws.expert.severity >= 8388608", "ip.checksum.status == 0",
                         "udp.checksum.status == 0"])


class Wire(EspCase):
    def test_ivs_of_cbc(self):
        """RFC 3602 section 3: unpredictable. What can be told from outside: no pattern, and none twice."""
        edge = self.load()
        frames = []
        for number in range(100):
            for tunnel in edge.tunnels.values():
                raw = packets.ip(CUSTOMER[4], CLOUD[4], wire.UDP, b"the same all the time")
                frames.append((START + number, "access0", self.access_frame(tunnel, raw)))
        outputs, _ = self.replay(frames)
        ivs, ciphertexts = [], set()
        for _, lane, _, packet in self.sealed(outputs):
            if not lane.sa.suite.aead:
                ivs.append(int.from_bytes(packet[8:24], "big"))
                ciphertexts.update(packet[at : at + 16] for at in range(24, len(packet) - 16, 16))
        self.assertEqual(len(ivs), 800)
        self.assertEqual(len(set(ivs)), len(ivs))
        for operation in (lambda a, b: a ^ b, lambda a, b: (a - b) % 2**128):
            self.assertEqual(len({operation(a, b) for a, b in zip(ivs, ivs[1:])}), len(ivs) - 1)
        self.assertFalse(ciphertexts & {iv.to_bytes(16, "big") for iv in ivs})
        for bit in range(128):
            # 800 fair coins: less than 300 heads once in 10^12.
            self.assertTrue(300 <= sum(iv >> bit & 1 for iv in ivs) <= 500, "bit %d" % bit)

    def test_largest_packet_that_fits(self):
        """All sizes around the edge of the MTU: what passes is what fits, what does not fit learns the size."""
        for mtu in list(range(1500, 1516)) + [9000]:
            edge = self.load(esp_scenario.every_kind(9000, mtu))
            frames, fitting, below = [], 0, 18 if mtu in (1500, 9000) else 1
            for tunnel in edge.tunnels.values():
                for size, version in itertools.product(range(tunnel.mtu - below, tunnel.mtu + 3), (4, 6)):
                    body = packets.filler(1, size - (28 if version == 4 else 48))
                    raw = packets.ip(CUSTOMER[version], CLOUD[version], wire.UDP,
                                     packets.udp(CUSTOMER[version], CLOUD[version], body))
                    frames.append((START + 1000 * len(frames), "access0", self.access_frame(tunnel, raw)))
                    fitting += self.carried_length(tunnel, size) <= mtu
            _, outputs, document = self.check(frames, PORTS, (), "MTU %d" % mtu)
            self.assertEqual(len(outputs["core0"]), fitting)
            self.assertEqual(document["drops"], {"too_big": len(frames) - fitting})
            longest = {}
            for tunnel, _, outer, _ in self.sealed(outputs):
                longest[tunnel] = max(longest.get(tunnel, 0), len(outer.raw))
            for tunnel, length in longest.items():
                self.assertTrue(mtu - tunnel.ipsec.suite.block < length <= mtu, (mtu, length))

    @staticmethod
    def carried_length(tunnel, size):
        """Octets of the real packet around an inner packet of `size` octets."""
        made = tunnel.ipsec
        delivery = parse(packets.ip(tunnel.local, tunnel.remote, wire.GRE,
                                    bytes((4 if tunnel.key is None else 8) + size)))
        next_header, payload = made.next_header(delivery)
        sealed = made.outbound[0].sa.seal(1, next_header, payload, bytes(made.suite.iv))
        return len(esp.carry(made.local, made.remote, sealed, made.encapsulated))

    def test_too_large_is_cut_where_that_is_allowed(self):
        edge = self.load(esp_scenario.every_kind(9000, 1500))
        frames = []
        for tunnel in edge.tunnels.values():
            for size in [tunnel.mtu, tunnel.mtu + 1, 2 * tunnel.mtu, 8000]:
                raw = packets.ip(CUSTOMER[4], CLOUD[4], wire.UDP, packets.filler(1, size - 20), df=False, ident=7)
                frames.append((START + len(frames), "access0", self.access_frame(tunnel, raw)))
        predicted, outputs, _ = self.check(frames, PORTS)
        self.assertGreaterEqual(len(outputs["core0"]), 20 * (1 + 2 + 3 + 6))
        self.assertTrue(all(len(frame) <= 1514 for _, frame in outputs["core0"]))
        self.assertEqual({fate for fate, _ in predicted.fates}, {"sent"})

    def test_congestion_marks_come_through(self):
        """RFC 6040 through both headers: a mark set on the ESP packet reaches the customer's packet, or drops it."""
        edge = self.load()
        frames, marked = [], 0
        for tunnel in edge.tunnels.values():
            made = tunnel.ipsec
            (sa,) = made.inbound.values()
            kinds = itertools.product(range(4), range(4), range(4), (4, 6))
            for sequence, (outer, delivered, own, version) in enumerate(kinds, 1):
                inner = packets.ip(CLOUD[version], CUSTOMER[version], wire.UDP, b"x" * 20, tos=0xA0 | own)
                delivery = parse(packets.ip(tunnel.remote, tunnel.local, wire.GRE, packets.gre(tunnel.key, inner),
                                            tos=0x14 | delivered))
                next_header, payload = made.next_header(delivery)
                sealed = sa.seal(sequence, next_header, payload, bytes(made.suite.iv))
                raw = esp.carry(made.remote, made.local, sealed, made.encapsulated, 0x28 | outer)
                frames.append((START + len(frames), "core0", self.core_frame(raw)))
                marked += own == 3 or (own != 0 and (outer == 3 and (made.transport or delivered != 0) or
                                                     delivered == 3 and not made.transport))
        predicted, outputs, document = self.check(frames, PORTS)
        out = [parse(frame[22:]) for _, frame in outputs["access0"]]
        self.assertTrue(all(packet.tos >> 2 == 0xA0 >> 2 for packet in out))
        ce = sum(packet.tos & 3 == 3 for packet in out)
        dropped = document["drops"].pop("ecn_mismatch")
        self.assertEqual(document["drops"], {})
        self.assertEqual(len(out) + dropped, 20 * 128)
        # A delivery header that does not know ECN under a marked ESP header takes packets that were marked already.
        lost = sum(2 * 1 for tunnel in edge.tunnels.values() if not tunnel.ipsec.transport)
        self.assertEqual(ce, marked - lost)
        self.assertEqual(len(predicted.fates), 20 * 128)

    def test_tshark_has_no_complaint(self):
        edge = self.load()
        traffic = EspTraffic(edge, owner_numbers(edge), 5, malformed=False)
        outputs, _ = self.replay([(START + number, *traffic.to_cloud()) for number in range(1500)])
        command = ["tshark", "-n", "-r", os.path.join(self.directory, "out", "core0.pcap"), "-o",
                   "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields", "-e", "frame.number"]
        for condition, count in ((COMPLAINT, 0), ("esp", len(outputs["core0"])),
                                 ("udp.port == 4500 && ipv6 && udp.checksum.status == 1",
                                  sum(outer.version == 6 and outer.protocol == wire.UDP
                                      for _, _, outer, _ in self.sealed(outputs)))):
            done = subprocess.run(command + ["-Y", condition], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            self.assertEqual(len(done.stdout.splitlines()), count, condition)

    def test_tshark_opens_what_it_can(self):
        """A third ESP, on another crypto library; tshark 4.0 knows neither ChaCha20-Poly1305 nor ESN."""
        edge = self.load()
        traffic = EspTraffic(edge, owner_numbers(edge), 6, malformed=False)
        outputs, _ = self.replay([(START + number, *traffic.to_cloud()) for number in range(1500)])
        known = {lane.sa.spi: lane.sa for _, lane in self.by_spi.values()
                 if not lane.sa.esn and lane.sa.suite.name != "chacha20-poly1305"}
        self.assertEqual(len(known), 8)
        command = ["tshark", "-n", "-r", os.path.join(self.directory, "out", "core0.pcap"), "-o",
                   "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
        for spi, sa in known.items():
            entry = ("AES-GCM with 16 octet ICV [RFC4106]", sa.material, "NULL", b"")
            if not sa.suite.aead:
                entry = ("AES-CBC [RFC3602]", sa.cipher_key, "HMAC-SHA-256-128 [RFC4868]", sa.material[sa.suite.key :])
            family = "IPv4" if len(self.by_spi[spi][0].ipsec.local) == 4 else "IPv6"
            command += ["-o", 'uat:esp_sa:"%s","*","*","0x%08x","%s","0x%s","%s","%s"' % (
                family, spi, entry[0], entry[1].hex(), entry[2], "0x" + entry[3].hex() if entry[3] else "")]
        command += ["-Y", "esp.icv_good == 1 && gre", "-T", "fields", "-e", "esp.spi"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        want = Counter("0x%08x" % lane.sa.spi for _, lane, _, _ in self.sealed(outputs) if lane.sa.spi in known)
        self.assertEqual(Counter(done.stdout.decode().splitlines()), want)
        self.assertGreater(sum(want.values()), 300)


if __name__ == "__main__":
    compare.main()
