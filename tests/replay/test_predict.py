"""Every byte and counter of `peerlane replay` against the predictor: 200 customers with the same addresses."""

import os
import random
import struct
import unittest

import compare
import packets
import wire
from cloud_traffic import CloudTraffic
from edge_config import Edge
from scenario import Scenario

PORTS = ["access0", "core0", "access1", "core1"]
SEEDS = [int(os.environ["PEERLANE_SEED"])] if "PEERLANE_SEED" in os.environ else [1, 2, 3, 4, 5, 6]


def owner_numbers(edge):
    return {circuit.customer: number for number, circuit in enumerate(edge.circuits)}


class Outlets:
    """Whose an output frame is, by its tags or its tunnel alone."""

    def __init__(self, edge):
        numbers = owner_numbers(edge)
        self.edge = edge
        self.by_tags = {key: numbers[link.peering.circuit.customer] for key, link in edge.attachments.items()}
        self.by_tunnel = {key: numbers[tunnel.peering.circuit.customer] for key, tunnel in edge.tunnels.items()}

    def owner(self, port, frame):
        """Number of the customer, or None for the edge's own answers on a core port."""
        if self.edge.ports[port].role == "access":
            first, tci, second, inner = struct.unpack_from("!HHHH", frame, 12)
            key = (tci & 0xFFF, inner & 0xFFF) if second == 0x8100 else (None, tci & 0xFFF)
            return self.by_tags[(port,) + key]
        packet = wire.parse_ipv4(frame[14:]) if frame[12:14] == b"\x08\0" else wire.parse_ipv6(frame[14:])
        if packet.protocol != wire.GRE:
            return None
        key = struct.unpack_from("!I", packet.payload, 4)[0] if packet.payload[0] & 0x20 else None
        return self.by_tunnel[(packet.src, packet.dst, key)]


class Predict(compare.ReplayCase):
    def load(self, seed, customers):
        Scenario(seed, customers).write(self.config)
        return Edge(self.config)

    def test_two_hundred_customers(self):
        for seed in SEEDS:
            with self.subTest(seed=seed):
                edge = self.load(seed, 200)
                frames = CloudTraffic(edge, owner_numbers(edge), seed).run(6000, 1000)
                ports = random.Random(seed).sample(PORTS, 4)
                predicted, outputs, _ = self.check(frames, ports, ports[:1], "seed %d" % seed)
                self.assertGreater(predicted.ports["core0"]["transmitted"], 1000)
                self.isolated(edge, outputs)
                self.both_links(edge, predicted)

    def both_links(self, edge, predicted):
        """Pairs together: about half of what goes to customers takes either link."""
        pairs = {(peering.circuit.customer, peering.circuit.name) for peering in edge.peerings
                 if len(peering.links) == 2}
        passed = [sum(counts["packets"] for row, counts in predicted.circuits.items()
                      if row[:2] in pairs and row[2:] == (link, "to_customer")) for link in ("primary", "secondary")]
        self.assertGreater(min(passed), 100)
        self.assertGreater(min(passed), 0.4 * sum(passed))

    def test_few_customers_over_their_rate(self):
        policed = 0
        for seed in SEEDS:
            with self.subTest(seed=seed):
                edge = self.load(1000 + seed, 6)
                frames = CloudTraffic(edge, owner_numbers(edge), seed).run(4000, 1 + seed * 100)
                predicted, outputs, _ = self.check(frames, PORTS, (), "seed %d" % seed)
                policed += predicted.fates.count(("dropped", "policed"))
                self.isolated(edge, outputs)
        if len(SEEDS) > 1:
            self.assertGreater(policed, 10 * len(SEEDS))

    def isolated(self, edge, outputs):
        outlets, marks = Outlets(edge), 0
        for port, frames in outputs.items():
            for _, frame in frames:
                owner = outlets.owner(port, frame)
                for mark in packets.MARK.findall(frame):
                    marks += 1
                    if owner is not None and int(mark) != owner:
                        self.fail("%s: a packet of customer %s came out at %d: %s" % (port, mark, owner, frame.hex()))
        self.assertGreater(marks, 1000)

    def test_same_bytes_twice(self):
        edge = self.load(7, 40)
        frames = compare.in_order(CloudTraffic(edge, owner_numbers(edge), 7).run(2000, 1000), PORTS)
        first = compare.replay(self.config, frames, PORTS, self.directory)
        files = self.files()
        second = compare.replay(self.config, frames, PORTS, self.directory)
        self.assertEqual(first, second)
        self.assertEqual(files, self.files())

    def files(self):
        out = os.path.join(self.directory, "out")
        content = {}
        for name in sorted(os.listdir(out)) + ["../counters.json"]:
            with open(os.path.join(out, name), "rb") as source:
                content[name] = source.read()
        return content

    def test_every_truncation(self):
        """Good frames of each kind, cut at every byte."""
        edge = self.load(8, 10)
        traffic = CloudTraffic(edge, owner_numbers(edge), 8)
        frames, now = [], 10**18
        for _ in range(14):
            for port, frame in (traffic.to_cloud(), traffic.to_customer()):
                for size in range(1, min(len(frame), 160) + 1):
                    frames.append((now, port, frame[:size]))
                    now += traffic.rng.randrange(2) * 1000000
        self.check(frames, PORTS, (), "truncations")


if __name__ == "__main__":
    compare.main()
