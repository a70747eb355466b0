"""Anti-replay against a set of all numbers that ever came: loss, copies, reordering, and numbers beyond 32 bits."""

import random
import struct
import unittest
from collections import Counter

import compare
import esp_scenario
import packets
import wire
from esp_case import CLOUD, CUSTOMER, START, EspCase
from esp_forge import Forge
from esp_model import Window

WINDOWS = [64, 100, 1024, 8192]
SUITES = ["aes-gcm-128", "aes-cbc-128-hmac-sha256-128", "chacha20-poly1305", "aes-gcm-256"]


class Stream:
    """One association's packets with what must become of each."""

    def __init__(self, tunnel, seed):
        self.forge, self.rng = Forge(tunnel), random.Random(seed)
        self.window = Window(tunnel.ipsec.window, tunnel.ipsec.esn)
        self.fates = Counter()
        self.sent, self.passed = 0, []

    def packet(self, sequence, forged=False):
        """The ESP packet numbered `sequence`; books what the window says."""
        self.sent += 1
        inner = packets.ip(CLOUD[4], CUSTOMER[4], wire.UDP, struct.pack("!II", self.forge.sa.spi, self.sent))
        self.forge.sequence = (sequence & 0xFFFFFFFF) - 1
        high = sequence >> 32 if self.forge.sa.esn else 0
        raw = self.forge.sealed(self.forge.plain(self.forge.delivery(packets.gre(self.forge.tunnel.key, inner)))[1],
                                high=high)
        if forged:
            raw = raw[:-1] + bytes([raw[-1] ^ 4])
        meant = self.window.extended(sequence & 0xFFFFFFFF)
        reason = self.window.judge(meant)
        if reason is None and (forged or meant != sequence):
            reason = "esp_bad_icv"
        if reason is None:
            self.window.commit(sequence)
            self.passed.append(self.sent)
        self.fates[reason] += 1
        return self.forge.carry(raw)

    def numbers(self, first, count):
        """`count` numbers from `first` on as a bad network delivers them."""
        size, rng, order, at = self.window.size, self.rng, [], first
        for _ in range(count):
            order.append((at + (rng.choice([0, 0, 0, 0, 1, size // 2, size, 2 * size]) * rng.random()), at))
            if rng.random() < 0.1:
                order.append((at + rng.random() * 3 * size, at))
            at += rng.choice([1, 1, 1, 2, 1 + size // 200, 1 + size // 20])
        return [number for _, number in sorted(order)]


class Replay(EspCase):
    def streams(self, esn):
        customers = [esp_scenario.customer(number, esp_scenario.association(
            number, SUITES[number], replay_window=size, esn=esn, mode=("tunnel", "transport")[number % 2]))
            for number, size in enumerate(WINDOWS)]
        self.load(esp_scenario.document(customers))
        return [Stream(tunnel, 100 * number + esn) for number, tunnel in enumerate(self.edge.tunnels.values())]

    def deliver(self, streams, plans, alone=1.0):
        """`plans` has for each stream its numbers in order; forged copies come in between. `alone`: how often a packet
        is not in the burst of the one before."""
        frames, now = [], START
        places = [[(index / len(plan), which) for index in range(len(plan))] for which, plan in enumerate(plans)]
        plans = [iter(plan) for plan in plans]
        rng = random.Random(7)
        for _, which in sorted(place for each in places for place in each):
            stream, number = streams[which], next(plans[which])
            if rng.random() < alone:
                now += 1000
            frames.append((now, "core0", self.core_frame(stream.packet(number))))
            if rng.random() < 0.03:
                ahead = number + rng.choice([1, stream.window.size, 10**6])
                now += 2000
                frames.append((now - 1000, "core0", self.core_frame(stream.packet(ahead, forged=True))))
        outputs, document = self.replay(frames)
        self.verify(streams, outputs, document, alone == 1.0)

    def verify(self, streams, outputs, document, exact):
        """Without `exact`, a packet that is both late and known may be called either."""
        want = sum((stream.fates for stream in streams), Counter())
        passed = want.pop(None)
        names = set(want) | set(document["drops"])
        self.assertLessEqual(names, {"esp_late", "esp_replayed", "esp_bad_icv"})
        self.assertEqual(sum(document["drops"].values()), sum(want.values()))
        if exact:
            self.assertEqual(document["drops"], dict(want))
        self.assertEqual(len(outputs["access0"]), passed)
        got = {stream.forge.sa.spi: [] for stream in streams}
        for _, frame in outputs["access0"]:
            spi, number = struct.unpack_from("!II", frame, 22 + 20)
            got[spi].append(number)
        rows = {row["spi"]: row for row in document["sas"] if row["direction"] == "to_customer"}
        self.assertEqual(len(rows), len(streams))
        for stream in streams:
            tunnel, spi = stream.forge.tunnel, stream.forge.sa.spi
            self.assertEqual(got[spi], stream.passed)
            row, circuit = rows[spi], tunnel.peering.circuit
            self.assertEqual((row["customer"], row["circuit"], row["peering"], row["virtual_network"]),
                             (circuit.customer, circuit.name, "private", "prod"))
            self.assertEqual((row["suite"], row["mode"]),
                             (stream.forge.made.suite.name, "transport" if stream.forge.made.transport else "tunnel"))
            window = stream.window
            self.assertEqual({key: row[key] for key in ("sequence", "packets", "lost")},
                             {"sequence": window.top, "packets": len(window.seen), "lost": window.lost()})
            counts = Counter({"esp_" + key: row[key] for key in ("replayed", "late", "bad_icv")})
            wanted = Counter({name: stream.fates[name] for name in counts})
            self.assertEqual(counts.total(), wanted.total())
            if exact:
                self.assertEqual(counts, wanted, "window %d" % window.size)

    def test_bad_network(self):
        for esn in (False, True):
            with self.subTest(esn=esn):
                streams = self.streams(esn)
                self.deliver(streams, [stream.numbers(1, 3000) for stream in streams])
                # With ESN what is too late is taken for the next epoch, and is not authentic there.
                late = "esp_bad_icv" if esn else "esp_late"
                for stream in streams:
                    self.assertGreater(min(stream.fates[name] for name in (late, "esp_replayed")), 20)
                    self.assertGreater(stream.window.lost(), 1000)

    def test_bad_network_in_bursts(self):
        """The same packets pass when many come at once."""
        for esn in (False, True):
            with self.subTest(esn=esn):
                streams = self.streams(esn)
                self.deliver(streams, [stream.numbers(1, 3000) for stream in streams], alone=0.1)

    def test_beyond_32_bits(self):
        """Three epochs, each entered by jumps of less than 2^31."""
        streams = self.streams(True)
        plans = []
        for stream in streams:
            plan, size = [], stream.window.size
            for epoch in range(3):
                base = epoch << 32
                end = base + 2**32
                plan += [base + 2**31 - size, end - 10 * size]
                plan += stream.numbers(end - 8 * size, 500)
                plan += [end - 1, end, end + 1] + stream.numbers(end + 2, 100)
            plans.append(plan)
        self.deliver(streams, plans)
        for stream in streams:
            self.assertGreater(stream.window.top, 3 << 32)

    def test_epoch_guessed_wrong(self):
        """Behind the window by more than it can tell: taken for the next epoch, and not authentic."""
        streams = self.streams(True)
        plans = []
        for stream in streams:
            size = stream.window.size
            plans.append([1, 2**31, 2**32 + 5 * size, 2**32 + 3 * size, 2**32 - 1, 5, 2**32 + 4 * size + 1])
        self.deliver(streams, plans)
        for stream in streams:
            self.assertGreater(stream.fates["esp_bad_icv"], 1)

    def test_edges_of_the_window(self):
        """W accepts T - W + 1 up to T, each once."""
        for esn in (False, True):
            streams = self.streams(esn)
            plans = []
            for stream in streams:
                size, plan = stream.window.size, []
                for top in (1, 2, size - 1, size, size + 1, 5 * size + 7, 2**20, 2**32 - 1):
                    plan.append(top)
                    plan += [number for number in (top - size - 1, top - size, top - size + 1, top - 1, top)
                             if number >= 0]
                plans.append(plan)
            self.deliver(streams, plans)


if __name__ == "__main__":
    compare.main()
