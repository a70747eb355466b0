"""The token bucket, packet by packet, at five rates, three ways of counting and in both directions."""

import os
import random
import unittest

import yaml

import compare
import packets
import wire
from cloud_traffic import CloudTraffic
from edge_config import Edge

RATES = {"50 Mbps": "5 ms", "200 Mbps": "64 kB", "1 Gbps": "20000 B", "10 Gbps": "40 us", "100 Gbps": "64 kB"}
PORTS = ["access0", "core0"]
SEED = int(os.environ.get("PEERLANE_SEED", "20"))


def document(accounting):
    ports = {
        "access0": {"role": "access", "device": "none0", "mtu": 9000},
        "core0": {"role": "core", "device": "none1", "mtu": 9100, "address": "192.0.2.1/24",
                  "gateway": "192.0.2.254", "gateway_mac": "02:00:00:00:00:fe"},
    }
    customers = []
    for number, (rate, burst) in enumerate(RATES.items()):
        peering = {
            "type": "private", "vlan": 10, "subnet": "172.16.0.0/30", "subnet6": "fd00:172::/126",
            "customer_mac": "02:00:00:00:01:01", "customer_prefixes": ["10.0.0.0/16", "fd00:10::/48"],
            "virtual_networks": [{"name": "prod", "prefixes": ["10.100.0.0/16", "fd00:100::/48"],
                                  "tunnel": {"local": "192.0.2.1", "remote": "198.51.100.7", "key": number}}]}
        customers.append({"name": "customer-%d" % number, "circuits": [
            {"name": "c%d" % number, "port": "access0", "service_vlan": 100 + number, "bandwidth": rate,
             "burst": burst, "accounting": accounting, "peerings": [peering]}]})
    return {"edge": {"name": "buckets"}, "ports": ports, "customers": customers}


class Buckets(compare.ReplayCase):
    def stream(self, edge, circuit, count, rng, direction):
        """Packets of one circuit around its rate: short silences, bursts at one instant, one idle hour."""
        link = circuit.peerings[0].links["primary"]
        traffic = CloudTraffic(edge, {circuit.customer: 0}, rng.randrange(2**32))
        tunnel = next(t for t in edge.tunnels.values() if t.peering is circuit.peerings[0])
        frames, now = [], 10**18
        for number in range(count):
            version = rng.choice([4, 6])
            ends = traffic.customer_address(link, version), traffic.cloud_address(link.peering, version)
            src, dst = ends if direction == "to_cloud" else ends[::-1]
            payload = packets.filler(0, rng.choice([0, rng.randrange(1400), rng.randrange(1400), rng.randrange(8900)]))
            raw = packets.ip(src, dst, wire.UDP, packets.udp(src, dst, payload), ident=number % 65536)
            cost = len(raw) + 40
            now += int(rng.choice([0, 0, 0.1, 1, 1, 2]) * cost * 8 * 10**9 / circuit.rate * rng.random() * 2)
            if number == count * 2 // 3:
                now += 3600 * 10**9
            if direction == "to_cloud":
                frames.append((now, *traffic.access_frame(link, raw)))
            else:
                frames.append((now, *traffic.core_frame(traffic.outer(tunnel, packets.gre(tunnel.key, raw), tos=0))))
        return frames

    def test_packet_by_packet(self):
        for accounting in ("l3", "l2", "wire"):
            with self.subTest(accounting=accounting, seed=SEED):
                with open(self.config, "w", encoding="utf-8") as out:
                    yaml.safe_dump(document(accounting), out, sort_keys=False)
                edge, rng, frames = Edge(self.config), random.Random("%s %d" % (accounting, SEED)), []
                for circuit in edge.circuits:
                    for direction in ("to_cloud", "to_customer"):
                        frames += self.stream(edge, circuit, 700, rng, direction)
                predicted, _, counters = self.check(frames, PORTS, (), "%s seed %d" % (accounting, SEED))
                for name, counts in predicted.circuits.items():
                    self.assertGreater(counts["packets"], 100, name)
                    self.assertGreater(counts["policed_packets"], 10, name)
                self.assertEqual(len(predicted.circuits), 10)

    def test_conforming_flow_loses_nothing(self):
        """Packets of one size exactly at the rate, once the bucket is empty: each finds just what it costs."""
        doc = document("l3")
        for customer in doc["customers"]:
            customer["circuits"][0]["burst"] = "10000 B"
        with open(self.config, "w", encoding="utf-8") as out:
            yaml.safe_dump(doc, out, sort_keys=False)
        edge, frames = Edge(self.config), []
        for circuit in edge.circuits:
            link = circuit.peerings[0].links["primary"]
            traffic = CloudTraffic(edge, {circuit.customer: 0}, 1)
            step = 1000 * 8 * 10**9 // circuit.rate
            for number in range(300):
                # Ten at once empty the bucket; then one per step conforms, one 1 ns early does not.
                late = max(0, number - 9) * step
                early = 1 if number == 299 else 0
                src, dst = bytes([10, 0, 0, 1]), bytes([10, 100, 0, 1])
                raw = packets.ip(src, dst, wire.UDP, packets.udp(src, dst, packets.filler(0, 972)), ident=number)
                frames.append((10**18 + int(late) - early, *traffic.access_frame(link, raw)))
        predicted, _, _ = self.check(frames, PORTS, (), "conforming")
        for counts in predicted.circuits.values():
            self.assertEqual(counts["packets"], 299)
            self.assertEqual(counts["policed_packets"], 1)

    def test_refusal_gives_back(self):
        """What the peering's bucket gave comes back when the circuit's refuses, and so on a way back to a customer."""
        doc = document("l3")
        circuit = doc["customers"][0]["circuits"][0]
        circuit.update(bandwidth="1 Mbps", burst="9100 B")
        circuit["peerings"][0].update(bandwidth="1 Mbps", burst="9200 B")
        with open(self.config, "w", encoding="utf-8") as out:
            yaml.safe_dump(doc, out, sort_keys=False)
        edge = Edge(self.config)
        link = edge.attachments[("access0", 100, 10)]
        traffic = CloudTraffic(edge, {"customer-0": 0}, 1)
        tunnel = next(t for t in edge.tunnels.values() if t.peering is link.peering)
        near, far, back = bytes([10, 0, 0, 1]), bytes([10, 100, 0, 1]), bytes([10, 0, 0, 2])

        def raw(src, dst, size):
            return packets.ip(src, dst, wire.UDP, packets.udp(src, dst, packets.filler(0, size - 28)))

        def cloud(size):
            return traffic.core_frame(packets.ip(tunnel.remote, tunnel.local, wire.GRE,
                                                 packets.gre(0, raw(far, near, size))))

        def customer(size, dst=far):
            return traffic.access_frame(link, raw(near, dst, size))

        # Circuit 9100, peering 9200 bytes, each way; all in one instant.
        plan = [(customer(9000), True), (customer(150), False), (customer(150), False), (customer(100), True),
                (customer(100), False), (cloud(9000), True), (customer(28), False), (cloud(101), False), (cloud(60),
                                                                                                          True),
                # 12 ms refill 1500 bytes each. To_customer is nearly emptied, so a way back is refused there.
                (12, None), (cloud(1500), True), (customer(1400, back), False), (customer(1500), True), (cloud(40),
                                                                                                         True),
                (customer(40), False), (cloud(40), False)]
        frames, now, wanted = [], 10**18, []
        for what, passes in plan:
            if passes is None:
                now += what * 10**6
                continue
            frames.append((now, *what))
            wanted.append("sent" if passes else "dropped")
        self.assertEqual([fate for fate, _ in compare.Predictor(edge).run(frames).fates], wanted)
        # Replay takes one instant by port: put a nanosecond between, which refills nothing that matters.
        frames = [(when + number, port, frame) for number, (when, port, frame) in enumerate(frames)]
        predicted, _, _ = self.check(frames, PORTS, (), "refusals")
        self.assertEqual([fate for fate, _ in predicted.fates], wanted)


if __name__ == "__main__":
    compare.main()
