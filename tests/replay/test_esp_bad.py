"""Every wrong ESP packet ends in the drop that is named after what is wrong with it, and nothing comes out."""

import unittest
from collections import Counter

import compare
import esp
import esp_forge
import esp_scenario
import packets
import wire
from esp_case import PORTS, START, EspCase
from esp_forge import Forge
from esp_model import Window

OF_THE_PORT = {"esp_unknown_spi", "esp_encapsulation", "nat_keepalive"}


class Bad(EspCase):
    def setUp(self):
        super().setUp()
        self.load()
        self.forges = [Forge(tunnel) for tunnel in self.edge.tunnels.values()]

    def frames(self, raws):
        return [(START + 1000 * number, "core0", self.core_frame(raw)) for number, raw in enumerate(raws)]

    def refused(self, cases):
        """`cases` are (forge, IP packet, drop). Nothing else may be counted and nothing be sent."""
        outputs, document = self.replay(self.frames(raw for _, raw, _ in cases))
        found = Counter(reason for _, _, reason in cases)
        self.assertEqual(document["drops"], dict(found))
        self.assertEqual({port: len(frames) for port, frames in outputs.items()}, {"access0": 0, "core0": 0})
        counts = document["ports"]["core0"]
        self.assertEqual([counts[key] for key in ("received", "dropped", "sent", "originated", "punted", "held")],
                         [len(cases), len(cases), 0, 0, 0, 0])
        charged = Counter((forge.tunnel.peering.circuit.name, reason) for forge, _, reason in cases
                          if forge and reason not in OF_THE_PORT)
        rows = Counter()
        for row in document["circuits"]:
            self.assertEqual((row["packets"], row["bytes"]), (0, 0))
            for reason, count in row.get("drops", {}).items():
                self.assertEqual(row["direction"], "to_customer")
                rows[row["circuit"], reason] += count
        self.assertEqual(rows, charged)

    def test_lengths(self):
        """Too short for a whole ESP header, a packet names no association, and so no circuit."""
        self.refused([(forge if size >= 8 else None, *case) for forge in self.forges
                      for size, case in enumerate(esp_forge.lengths(forge))])

    def test_outside(self):
        cases = []
        for number, forge in enumerate(self.forges):
            other = self.forges[(number + 7) % 20]
            for raw, reason in esp_forge.outside(forge, other):
                # The SPI names the association, and that the circuit.
                stranger = reason == "esp_wrong_tunnel" and other.sa.spi.to_bytes(4, "big") in raw
                cases.append((other if stranger else forge, raw, reason))
        self.refused(cases)

    def test_trailers(self):
        self.refused([(forge, forge.carry(packet), reason) for forge in self.forges
                      for packet, reason in esp_forge.trailers(forge)])

    def test_insides(self):
        self.refused([(forge, forge.carry(packet), reason) for number, forge in enumerate(self.forges)
                      for packet, reason in esp_forge.insides(forge, self.forges[(number + 7) % 20])])

    def test_epoch(self):
        """With ESN, a packet of the next epoch that looks like one of this."""
        self.refused([(forge, forge.carry(forge.sealed(high=high)), "esp_bad_icv") for forge in self.forges
                      if forge.sa.esn for high in (1, 2, 0xFFFFFFFF)])

    def test_late_before_the_first(self):
        cases = []
        for forge in self.forges:
            forge.sequence = -1
            cases.append((forge, forge.carry(forge.sealed()), "esp_late"))
        self.refused(cases)

    def test_mapped_addresses(self):
        """An IPv6 packet with IPv4-mapped addresses is none of an IPv4 gateway."""
        raws = [esp.carry(bytes(10) + b"\xff\xff" + forge.made.remote, bytes(10) + b"\xff\xff" + forge.made.local,
                          forge.sealed(), forge.made.encapsulated)
                for forge in self.forges if len(forge.made.local) == 4]
        outputs, document = self.replay(self.frames(raws))
        self.assertEqual(document["ports"]["core0"]["dropped"], len(raws))
        self.assertEqual(outputs, {"access0": [], "core0": []})

    def test_marker_is_punted(self):
        """It is for IKE, which nobody speaks in a replay: the sender is told so."""
        raws = []
        for forge in self.forges:
            ends = forge.made.remote, forge.made.local
            for ike in (bytes(4), bytes(4) + b"ike" * 20):
                raws.append(packets.ip(*ends, wire.UDP, packets.udp(*ends, ike, 4500, 4500)))
        outputs, document = self.replay(self.frames(raws))
        self.assertEqual(document["ports"]["core0"]["punted"], len(raws))
        self.assertEqual(document["drops"], {})
        self.assertEqual(outputs["access0"], [])
        self.assertEqual(len(outputs["core0"]), len(raws))
        for _, frame in outputs["core0"]:
            version = frame[14] >> 4  # port unreachable: 3/3 of RFC 792, 1/4 of RFC 4443
            self.assertEqual(frame[34:36] if version == 4 else frame[54:56], b"\3\3" if version == 4 else b"\1\4")

    def test_copies(self):
        """Copies in one burst and later: one passes."""
        raws, times = [], []
        for forge in self.forges:
            for _ in range(3):
                raw = forge.carry(forge.sealed())
                for now in (0, 0, 0, 1, 2):
                    raws.append(raw)
                    times.append(START + now)
        frames = [(now, "core0", self.core_frame(raw)) for now, raw in zip(times, raws)]
        outputs, document = self.replay(frames)
        self.assertEqual(document["drops"], {"esp_replayed": 20 * 3 * 4})
        self.assertEqual([now for now, _ in outputs["access0"]], [START] * 60)

    def test_unusual_but_right(self):
        """What RFC 4303 and 3948 allow and few send."""
        raws = []
        for forge in self.forges:
            block, (usual, plain) = forge.made.suite.block, forge.plain()
            least = -(len(plain) + 2) % block
            for pad in range(least, 256, block):
                raws.append(forge.carry(forge.sealed(text=plain + bytes(range(1, pad + 1)) + bytes([pad, usual]))))
            for extra in (1, 17, 300):
                # Traffic flow confidentiality (RFC 4303 section 2.7); behind GRE it is behind the inner IP packet.
                raws.append(forge.carry(forge.sealed(plain + b"\xEE" * extra)))
            raws.append(forge.carry(forge.sealed(), ttl=0))
            if len(forge.made.local) == 4:
                raws.append(forge.carry(forge.sealed(), options=b"\x94\x04\0\0", df=False, ident=5))
            forge.sequence += 5000
            raws.append(forge.carry(forge.sealed()))
        predicted, outputs, document = self.check(self.frames(raws), PORTS)
        self.assertEqual(document["drops"], {})
        self.assertEqual(len(outputs["access0"]), len(raws))
        self.assertEqual(len(predicted.fates), len(raws))


class Neighbours(EspCase):
    def test_a_clear_tunnel_beside_a_protected_one(self):
        """One customer, two networks: neither tunnel's packets come in the other's way, in the clear or sealed."""
        customer = esp_scenario.customer(0, esp_scenario.association(0, "aes-gcm-128"))
        customer["circuits"][0]["peerings"][0]["virtual_networks"].append({
            "name": "clear", "prefixes": ["10.101.0.0/16"],
            "tunnel": {"local": esp_scenario.LOCAL[4], "remote": esp_scenario.REMOTE[4] % 1, "key": 9}})
        customer["circuits"][0]["peerings"][0]["virtual_networks"].append({
            "name": "keyless", "prefixes": ["10.102.0.0/16"],
            "tunnel": {"local": esp_scenario.LOCAL[4], "remote": esp_scenario.REMOTE[4] % 1},
            "ipsec": esp_scenario.association(1, "aes-gcm-128")})
        self.load(esp_scenario.document([customer]))
        protected, clear, keyless = self.edge.tunnels.values()
        forge, other = Forge(protected), Forge(keyless)
        good = packets.gre(9, forge.inner())
        raws = [forge.delivery(), other.delivery(),  # clear_refused
                forge.sealed(forge.delivery(good)), forge.sealed(other.delivery()), other.sealed(forge.delivery()),
                other.sealed(forge.delivery(good))]  # esp_wrong_tunnel
        raws = raws[:2] + [esp.carry(clear.remote, clear.local, raw) for raw in raws[2:]]
        raws += [forge.delivery(good), forge.carry(forge.sealed()), other.carry(other.sealed())]
        outputs, document = self.replay([(START + number, "core0", self.core_frame(raw))
                                         for number, raw in enumerate(raws)])
        self.assertEqual(document["drops"], {"clear_refused": 2, "esp_wrong_tunnel": 4})
        self.assertEqual([now - START for now, _ in outputs["access0"]], [6, 7, 8])


class Flips(EspCase):
    def test_every_bit(self):
        """Each bit from the SPI to the ICV of one packet of every suite; none passes, and the packet itself does."""
        made = esp_scenario.every_kind()
        # No two of these SPIs differ in one bit.
        made["customers"] = [customer for number, customer in enumerate(made["customers"])
                             if bin(number).count("1") % 2 == 0]
        self.load(made)
        frames, want, passed, suites = [], Counter(), 0, set()
        for tunnel in self.edge.tunnels.values():
            forge, window = Forge(tunnel), Window(tunnel.ipsec.window, tunnel.ipsec.esn)
            suites.add(forge.made.suite.name)
            for sequence in (1, 0x5A00, 0x5A5B):
                forge.sequence = sequence - 1
                window.commit(sequence)
                frames.append(forge.carry(forge.sealed()))
            forge.sequence = 0x5A5A - 1
            packet = forge.sealed()
            for bit in range(8 * len(packet)):
                wrong = bytearray(packet)
                wrong[bit // 8] ^= 0x80 >> bit % 8
                reason = window.judge(window.extended(int.from_bytes(wrong[4:8], "big"))) or "esp_bad_icv"
                want["esp_unknown_spi" if bit < 32 else reason] += 1
                frames.append(forge.carry(bytes(wrong)))
            frames.append(forge.carry(packet))
            passed += 4
        self.assertEqual(len(suites), 5)
        self.assertGreater(want["esp_late"], 10)
        self.assertGreater(want["esp_replayed"], 5)
        outputs, document = self.replay([(START + 1000 * number, "core0", self.core_frame(raw))
                                         for number, raw in enumerate(frames)])
        self.assertEqual(document["drops"], dict(want))
        self.assertEqual((len(outputs["access0"]), len(outputs["core0"])), (passed, 0))


if __name__ == "__main__":
    compare.main()
