"""The end of a key: hard limits to the packet, the octet and the nanosecond, and the next key at the soft ones."""

import struct
import unittest

import compare
import esp
import esp_scenario
import packets
import wire
from esp_case import CLOUD, CUSTOMER, START, EspCase
from esp_forge import Forge

SECOND = 10**9
SUITES = esp_scenario.SUITES


class KeyLife(EspCase):
    def start(self, suite="aes-gcm-128", transport=False, esn=False, second=False, **lifetime):
        """One customer whose keys have `lifetime`; with `second`, a next pair of associations."""
        ipsec = esp_scenario.association(0, suite, esn=esn, lifetime=lifetime)
        if transport:
            ipsec["mode"] = "transport"
        if second:
            for way, base in (("outbound", 0x1000), ("inbound", 0x2000)):
                ipsec[way] = [ipsec[way], {"spi": base + 99, "key": esp_scenario.material(suite, way + " next")}]
        self.load(esp_scenario.document([esp_scenario.customer(0, ipsec)]))
        (self.tunnel,) = self.edge.tunnels.values()
        self.forge = Forge(self.tunnel)

    def customer_packet(self, size=40):
        return self.access_frame(self.tunnel, packets.ip(CUSTOMER[4], CLOUD[4], wire.UDP, packets.udp(
            CUSTOMER[4], CLOUD[4], packets.filler(0, size))))


    def out(self, times):
        """Sends a packet to the cloud at each time; returns ([(time, SPI, sequence)], document)."""
        outputs, document = self.replay([(now, "access0", self.customer_packet()) for now in times])
        found = []
        for now, frame in outputs["core0"]:
            packet = esp.carried(wire.parse_ipv4(frame[14:]))[0]
            spi, sequence = struct.unpack_from("!II", packet)
            self.by_spi[spi][1].sa.open(packet)
            found.append((now, spi, sequence))
        self.assertEqual(len(times), len(found) + sum(document["drops"].values()))
        return found, document

    def back(self, times, sa=None):
        """Sends a packet from the cloud at each time; returns (times of what came out, document)."""
        raws = [(now, "core0", self.core_frame(self.forge.carry(self.forge.sealed(sa=sa)))) for now in times]
        outputs, document = self.replay(raws)
        self.assertEqual(len(times), len(outputs["access0"]) + sum(document["drops"].values()))
        return [now for now, _ in outputs["access0"]], document

    def row(self, document, spi):
        return next(row for row in document["sas"] if row["spi"] == spi)

    @staticmethod
    def patterns(count, mixed_only=False):
        """Some packets to a burst; all in as few as can be, and each in its own."""
        yield [START + number // 7 for number in range(count)]
        if not mixed_only:
            yield [START] * count
            yield [START + number for number in range(count)]

    def test_hard_limit_in_packets(self):
        for suite in SUITES:
            for limit in (1, 100):
                self.start(suite, hard={"packets": limit})
                for times in self.patterns(130, suite != SUITES[2]):
                    found, document = self.out(times)
                    self.assertEqual([sequence for _, _, sequence in found], list(range(1, limit + 1)))
                    self.assertEqual(document["drops"], {"sa_expired": 130 - limit})
                    row = self.row(document, 0x1000)
                    self.assertEqual((row["packets"], row["state"], row["expired"]), (limit, "expired", 130 - limit))
                    self.forge.sequence = 0
                    found, document = self.back(times)
                    self.assertEqual(found, times[:limit])
                    self.assertEqual(document["drops"], {"sa_expired": 130 - limit})
                    self.assertEqual(self.row(document, 0x2000)["packets"], limit)

    def test_hard_limit_in_bytes(self):
        """Of ESP payload: GRE and what is in it, in tunnel mode also its IP header."""
        for transport, size in ((False, 20 + 8 + 28 + 40), (True, 8 + 28 + 40)):
            self.start(transport=transport, hard={"bytes": "%d B" % (30 * size)})
            for times in self.patterns(50):
                found, document = self.out(times)
                self.assertEqual(len(found), 30)
                self.assertEqual(document["drops"], {"sa_expired": 20})
                self.assertEqual(self.row(document, 0x1000)["bytes"], 30 * size)
            for rest, count in ((-1, 29), (1, 30), (size - 1, 30)):
                self.start(transport=transport, hard={"bytes": "%d B" % (30 * size + rest)})
                self.assertEqual(len(self.out([START] * 40)[0]), count)

    def test_what_an_ended_key_drops_costs_nothing(self):
        """The bucket of the circuit is there for its other tunnels, and no counter says that something was sent."""
        ipsec = esp_scenario.association(0, "aes-gcm-128", lifetime={"hard": {"packets": 5}})
        customer = esp_scenario.customer(0, ipsec)
        (circuit,) = customer["circuits"]
        circuit.update(bandwidth="8 kbps", burst="3000 B")
        circuit["peerings"][0]["virtual_networks"].append({
            "name": "clear", "prefixes": ["10.101.0.0/16"],
            "tunnel": {"local": "192.0.2.1", "remote": "198.51.100.99", "key": 9}})
        self.load(esp_scenario.document([customer]))
        self.tunnel = next(tunnel for tunnel in self.edge.tunnels.values() if tunnel.ipsec)
        frames = []
        for now, target, count in ((START, CLOUD[4], 30), (START + 10, wire.packed("10.101.0.5"), 26)):
            body = packets.udp(CUSTOMER[4], target, bytes(72))
            frame = self.access_frame(self.tunnel, packets.ip(CUSTOMER[4], target, wire.UDP, body))
            frames += [(now, "access0", frame)] * count
        outputs, document = self.replay(frames)
        self.assertEqual(document["drops"], {"sa_expired": 25, "policed": 1})
        self.assertEqual(len(outputs["core0"]), 30)
        row = next(row for row in document["circuits"] if row["direction"] == "to_cloud")
        self.assertEqual((row["packets"], row["bytes"], row["policed_packets"]), (30, 3000, 1))
        tunnels = {row["virtual_network"]: row["packets"] for row in document["tunnels"]
                   if row["direction"] == "to_cloud"}
        self.assertEqual(tunnels, {"prod": 5, "clear": 25})

    def test_hard_limit_in_bytes_inbound(self):
        for transport in (False, True):
            self.start(transport=transport)
            size = len(self.forge.plain()[1])
            self.start(transport=transport, hard={"bytes": "%d B" % (30 * size)})
            for times in self.patterns(50):
                self.forge.sequence = 0
                found, document = self.back(times)
                self.assertEqual(found, times[:30])
                self.assertEqual(document["drops"], {"sa_expired": 20})
                self.assertEqual(self.row(document, 0x2000)["bytes"], 30 * size)

    def test_hard_limit_in_time(self):
        times = [START, START + 5 * SECOND, START + 10 * SECOND - 1, START + 10 * SECOND, START + 11 * SECOND]
        for esn in (False, True):
            self.start(esn=esn, hard={"time": "10 s"})
            found, document = self.out(times)
            self.assertEqual([now for now, _, _ in found], times[:3])
            self.assertEqual(document["drops"], {"sa_expired": 2})
            found, document = self.back(times)
            self.assertEqual(found, times[:3])
            self.assertEqual(document["drops"], {"sa_expired": 2})

    def test_forged_packets_do_not_wear_a_key(self):
        self.start(hard={"packets": 10})
        frames = []
        for number in range(100):
            raw = self.forge.sealed()
            frames.append((START + 2 * number, "core0", self.core_frame(self.forge.carry(raw[:-1] + b"!"))))
        self.forge.sequence = 0
        frames += [(START + 1000 + number, "core0", self.core_frame(self.forge.carry(self.forge.sealed())))
                   for number in range(10)]
        outputs, document = self.replay(frames)
        self.assertEqual(document["drops"], {"esp_bad_icv": 100})
        self.assertEqual(len(outputs["access0"]), 10)

    def test_a_limit_within_a_cut_packet(self):
        """Every piece is a packet of the key; those behind the limit are lost by name, wherever a burst ends."""
        for limit in range(1, 5):
            self.start(hard={"packets": limit})
            for times in ([0, 0, 0], [0, 1, 2]):
                frames = []
                for now, size in zip(times, (1480, 100, 1480)):
                    raw = packets.ip(CUSTOMER[4], CLOUD[4], 253, packets.filler(0, size), df=False, ident=7)
                    frames.append((START + now, "access0", self.access_frame(self.tunnel, raw)))
                outputs, document = self.replay(frames)
                sizes = [len(packet) for _, _, _, packet in self.sealed(outputs)]
                sequences = [struct.unpack_from("!I", packet, 4)[0] for _, _, _, packet in self.sealed(outputs)]
                self.assertEqual(sequences, list(range(1, limit + 1)))
                self.assertEqual([size > 1000 for size in sizes], [True, False, False, True][:limit])
                self.assertEqual(document["drops"], {"sa_expired": 5 - limit})
                counts = document["ports"]["access0"]
                self.assertEqual([counts[key] for key in ("received", "originated", "sent", "dropped")],
                                 [3, 2, limit, 5 - limit])

    def next_key(self, times, first, found, document):
        """The first `first` packets under the first key, the others under the second, both counted from 1."""
        self.assertEqual(document["drops"], {})
        want = [(now, 0x1000, number + 1) if number < first else (now, 0x1063, number + 1 - first)
                for number, now in enumerate(times)]
        self.assertEqual(found, want)

    def test_next_key_at_a_soft_limit(self):
        for suite in SUITES:
            for soft, hard in (({"packets": 40}, {"packets": 41}), ({"packets": 40}, {}),
                               ({"bytes": "%d B" % (40 * 96)}, {"bytes": "%d B" % (41 * 96)})):
                lifetime = {"soft": soft, "hard": hard} if hard else {"soft": soft}
                self.start(suite, second=True, **lifetime)
                for times in self.patterns(80, suite != SUITES[0]):
                    found, document = self.out(times)
                    self.next_key(times, 40, found, document)
                    self.assertEqual(self.row(document, 0x1000)["state"], "replaced")

    def test_next_key_at_a_soft_time(self):
        self.start(second=True, soft={"time": "5 s"}, hard={"time": "20 s"})
        times = [START, START + 5 * SECOND - 1, START + 5 * SECOND, START + 6 * SECOND]
        found, document = self.out(times)
        self.next_key(times, 2, found, document)

    def test_after_the_last_key_comes_none(self):
        self.start(second=True, soft={"packets": 10}, hard={"packets": 20})
        for times in self.patterns(60):
            found, document = self.out(times)
            self.assertEqual([spi for _, spi, _ in found], [0x1000] * 10 + [0x1063] * 20)
            self.assertEqual(document["drops"], {"sa_expired": 30})

    def test_both_inbound_keys_at_once(self):
        self.start(second=True, hard={"packets": 5})
        first, second = self.tunnel.ipsec.inbound.values()
        frames = []
        for number in range(8):
            for sa in (first, second):
                self.forge.sequence = number
                frames.append((START + number, "core0", self.core_frame(self.forge.carry(self.forge.sealed(sa=sa)))))
        outputs, document = self.replay(frames)
        self.assertEqual(document["drops"], {"sa_expired": 6})
        self.assertEqual([now for now, _ in outputs["access0"]], [START + number // 2 for number in range(10)])


if __name__ == "__main__":
    compare.main()
