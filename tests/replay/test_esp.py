"""Every byte of protected tunnels against the predictor's own ESP and scapy's: 20 customers with the same addresses."""

import os
import struct
import subprocess
import unittest
from collections import Counter, defaultdict

from scapy.layers.ipsec import IPSecIntegrityError

import compare
import esp
import esp_scapy
import esp_scenario
import packets
import wire
from esp_case import PORTS, START, EspCase
from esp_traffic import EspTraffic, esp_fates
from test_predict import owner_numbers

SEEDS = [int(os.environ["PEERLANE_SEED"])] if "PEERLANE_SEED" in os.environ else [1, 2]


def text(address):
    return str(wire.ipaddress.ip_address(address))


class Esp(EspCase):
    def test_both_directions_byte_for_byte(self):
        for seed, mtus in zip(SEEDS, [(1500, 1500), (1600, 9000)]):
            with self.subTest(seed=seed):
                edge = self.load(esp_scenario.every_kind(*mtus))
                frames = EspTraffic(edge, owner_numbers(edge), seed).run(5000, 1000)
                predicted, outputs, document = self.check(frames, PORTS, (), "seed %d" % seed)
                want = esp_fates(predicted)
                got = {name: count for name, count in document["drops"].items() if name in want or "esp" in name}
                self.assertEqual(got, dict(want))
                self.assertGreater(want["clear_refused"], 10)
                self.assertGreater(want["esp_replayed"], 10)
                self.assertGreater(predicted.ports["core0"]["transmitted"], 1000)
                self.assertGreater(predicted.ports["access0"]["transmitted"], 1000)
                self.numbered(outputs, document)
                self.isolated(outputs)

    def test_among_clear_tunnels(self):
        """Random customers, with pairs of links and core ports; some tunnels are protected."""
        ports = ["core1", "access1", "core0", "access0"]
        for seed in SEEDS:
            with self.subTest(seed=seed):
                edge = self.load(esp_scenario.Mixed(900 + seed, 60).document)
                frames = EspTraffic(edge, owner_numbers(edge), seed).run(5000, 1000)
                predicted, outputs, document = self.check(frames, ports, ports[:2], "seed %d" % seed)
                want = esp_fates(predicted)
                got = {name: count for name, count in document["drops"].items() if name in want or "esp" in name}
                self.assertEqual(got, dict(want))
                self.assertGreater(len(outputs["core0"]) + len(outputs["core1"]), 1000)

    def numbered(self, outputs, document):
        """Sequence numbers from 1 by 1; what every receiver relies on, once more without the predictor."""
        last, ivs, payloads = defaultdict(int), set(), Counter()
        for _, lane, outer, packet in self.sealed(outputs):
            spi, low = struct.unpack_from("!II", packet)
            self.assertEqual(low, last[spi] + 1)
            last[spi] = low
            iv = packet[8 : 8 + lane.sa.suite.iv]
            if lane.sa.suite.aead:
                self.assertEqual(iv, bytes([lane.number]) + low.to_bytes(7, "big"))
            self.assertNotIn((lane.sa.cipher_key, iv), ivs)
            ivs.add((lane.sa.cipher_key, iv))
            payloads[spi] += len(lane.sa.open(packet)[2])
            self.assertEqual(outer.ttl, 64)
            if outer.version == 4:
                self.assertEqual((outer.raw[4:8], outer.header), (b"\0\0\x40\0", 20))
            else:
                self.assertEqual(outer.raw[1] & 15 | outer.raw[2] | outer.raw[3], 0)
        self.assertEqual(len(last), 20)
        for row in document["sas"]:
            if row["direction"] == "to_cloud":
                spi = row["spi"]
                self.assertEqual([row[key] for key in ("sequence", "packets", "bytes", "lane", "state")],
                                 [last[spi], last[spi], payloads[spi], 0, "active"])

    def isolated(self, outputs):
        """What a customer's keys open bears that customer's mark, and nobody else's."""
        numbers, marks = owner_numbers(self.edge), 0
        for tunnel, lane, _, packet in self.sealed(outputs):
            _, next_header, payload = lane.sa.open(packet)
            self.assertEqual(next_header, wire.GRE if tunnel.ipsec.transport else {4: 4, 16: 41}[len(tunnel.local)])
            for mark in packets.MARK.findall(payload):
                marks += 1
                self.assertEqual(int(mark), numbers[tunnel.peering.circuit.customer])
        self.assertGreater(marks, 1000)

    def test_scapy_opens_everything_and_only_with_its_own_keys(self):
        edge = self.load()
        traffic = EspTraffic(edge, owner_numbers(edge), 77, malformed=False)
        frames = [(1000 * number, *traffic.to_cloud()) for number in range(900)]
        predicted, outputs, _ = self.check(frames, PORTS)
        clear = [frame.delivery.raw for _, frame in predicted.outputs["core0"]]
        customers = set()
        for number, (tunnel, lane, outer, packet) in enumerate(self.sealed(outputs)):
            made = tunnel.ipsec
            ends = text(made.local), text(made.remote)
            opened = esp_scapy.open_packet(lane.sa, *ends, outer.raw, transport=made.transport)
            want = clear[number]
            if made.transport:
                want = wire.set_tos(want, outer.tos)
            self.assertEqual(opened.hex(), want.hex())
            customers.add(lane.sa.spi)
            if number % 10 == 0:
                self.refused_by_others(lane.sa, ends, outer.raw, packet)
        self.assertEqual(len(customers), 20)

    def test_same_bytes_twice(self):
        """IVs of CBC included: replay is seeded."""
        edge = self.load()
        frames = EspTraffic(edge, owner_numbers(edge), 8).run(500, 1000)
        self.assertEqual(self.replay(frames), self.replay(frames))

    def test_bursts_change_nothing(self):
        """The same frames come out, in the same order and numbered alike, however many come in at once."""
        edge = self.load()
        for way in ("to_cloud", "to_customer"):
            traffic = EspTraffic(edge, owner_numbers(edge), 9)
            frames = [getattr(traffic, way)() for _ in range(1500)]
            results = []
            for together in (1, 3, 40, 1500):
                outputs, document = self.replay([(START + number // together, *frame)
                                                 for number, frame in enumerate(frames)])
                results.append(({port: [frame for _, frame in found] for port, found in outputs.items()},
                                document["ports"], document["circuits"] if way == "to_cloud" else None))
            for result in results[1:]:
                self.assertTrue(result == results[0], way)

    def test_says_what_its_output_is_worth(self):
        """Sequence numbers begin at 1 under keys that may be live: nonces that a real edge uses too."""
        self.load()
        command = [compare.EXECUTABLE, "replay", "--config", self.config, "--in", "access0=" + self.empty_capture(),
                   "--out-dir", os.path.join(self.directory, "out")]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
        self.assertRegex(done.stderr.decode(), "(?i)warning.*key")

    def empty_capture(self):
        path = os.path.join(self.directory, "empty.pcap")
        wire.write_pcap(path, [])
        return path

    def refused_by_others(self, own, ends, raw, packet):
        """No other association opens it: not by its SPI, nor when it has the same one."""
        for other, lane in self.by_spi.values():
            if lane.sa is own:
                continue
            with self.assertRaises(esp.Refused):
                lane.sa.open(packet)
            if lane.sa.suite is own.suite and other.ipsec.transport == self.by_spi[own.spi][0].ipsec.transport:
                same = esp.Association(lane.sa.suite, lane.sa.material, own.spi, lane.sa.esn)
                with self.assertRaisesRegex(esp.Refused, "esp_bad_icv"):
                    same.open(packet)
                with self.assertRaises(IPSecIntegrityError):
                    esp_scapy.open_packet(same, *ends, raw, transport=other.ipsec.transport)


if __name__ == "__main__":
    compare.main()
