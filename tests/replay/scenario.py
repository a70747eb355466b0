"""Random configurations: many customers with the same addresses, every kind of circuit, peering and tunnel."""

import random

import yaml

CORE4, CORE6 = ["192.0.2.1", "192.0.2.129"], ["2001:db8:ffff::1", "2001:db8:fffe::1"]
PRIVATE = {
    "customer": [["10.0.0.0/16", "10.200.0.0/24", "fd00:10::/48"], ["10.0.0.0/8", "fd00::/16"],
                 ["10.0.0.0/16", "0.0.0.0/0", "::/0"], ["10.0.0.0/17", "10.0.128.0/18", "fd00:10::/64"],
                 ["10.0.0.0/16", "172.16.0.0/12", "fd00:10::/48", "fd00:172::/32"]],
    "cloud": [["10.100.0.0/16", "fd00:100::/48"], ["10.100.7.0/24", "fd00:100:0:7::/64"],
              ["10.100.7.128/25", "10.100.9.9/32", "fd00:100:0:7:8000::/65"]],
    "forced": ["0.0.0.0/0", "::/0"],
    "subnets": ["172.16.0.0/30", "172.16.0.8/29"],
    "subnets6": ["fd00:172:16::/126", "fd00:172:17::/64"],
}
MICROSOFT = {
    "customer": [["131.107.0.0/16", "2a01:110::/32"], ["131.107.0.0/20", "131.107.4.0/24", "2a01:110:8::/48"]],
    "cloud": [["13.64.0.0/11", "2603:1000::/24"], ["13.70.0.0/16", "2603:1030::/32"]],
    "subnets": ["131.253.1.0/30", "131.253.1.4/30"],
    "subnets6": ["2a01:111:1::/126", "2a01:111:2::/126"],
}
RATES = [("2 Mbps", "3 kB"), ("2 Mbps", "4000 B"), ("50 Mbps", "5 ms"), ("1 Gbps", "20 ms"), ("100 Gbps", None),
         ("10 Gbps", "64 kB"), ("333333 bps", "2500 B")]


class Scenario:
    """`document` is the configuration; ports, then `customers` customers, all drawn from `seed`."""

    def __init__(self, seed, customers):
        self.rng = random.Random(seed)
        self.identities = set()
        rng = self.rng
        access_mtu, core_mtu = rng.choice([(1500, 1500), (1600, 9000), (2000, 1400), (1500, 1600)])
        self.ports = {
            "access0": {"role": "access", "device": "none0", "mtu": access_mtu},
            "core0": self.core(0, core_mtu),
            "access1": {"role": "access", "device": "none2", "mtu": 1500, "mac": "02:aa:bb:cc:dd:01",
                        "service_tpid": rng.choice([0x8100, 0x88A8, 0x9100])},
            "core1": self.core(1, 1450),
        }
        edge = {"name": "test-%d" % (seed % 10**6)}
        if rng.random() < 0.7:
            edge["icmp_errors_per_second"] = rng.choice([1, 3, 1000])
        if rng.random() < 0.5:
            edge["replies_per_second"] = rng.choice([1, 5, 50])
        self.document = {"edge": edge, "ports": self.ports,
                         "customers": [self.customer(number) for number in range(customers)]}

    def core(self, number, mtu):
        port = {"role": "core", "device": "none%d" % (10 + number), "mtu": mtu, "address": CORE4[number] + "/25",
                "gateway": ["192.0.2.126", "192.0.2.254"][number], "address6": CORE6[number] + "/64",
                "gateway6": CORE6[number] + "fe", "gateway_mac": "02:00:00:00:0%d:fe" % number}
        if self.rng.random() < 0.5:
            port["mac"] = "02:cc:cc:cc:cc:%02x" % number
        return port

    def customer(self, number):
        rng = self.rng
        rate, burst = rng.choice(RATES)
        circuit = {"name": "c%03d-sea" % number, "bandwidth": rate}
        if burst:
            circuit["burst"] = burst
        if rng.random() < 0.7:
            circuit["accounting"] = rng.choice(["l3", "l2", "wire"])
        pair = number % 4 == 1
        if pair:
            circuit["links"] = {"primary": "access0", "secondary": "access1"}
        elif number % 8 == 3:
            circuit["links"] = {"secondary": "access1"}
        else:
            circuit["port"] = "access0" if number % 3 else "access1"
        single = number % 5 == 2
        if not single:
            circuit["service_vlan"] = 100 + number
        count = 1 if single and rng.random() < 0.5 else rng.choice([1, 2, 2])
        kinds = ["private", "microsoft"][:count]
        circuit["peerings"] = []
        for kind in kinds:
            # A single tag deliberately equals the next customer's S-VID: the two must never meet.
            vlan = {"private": 10, "microsoft": 20}[kind]
            if single:
                vlan = {"private": 101, "microsoft": 1101}[kind] + number
            circuit["peerings"].append(self.peering(number, circuit, kind, vlan))
        return {"name": "customer-%03d" % number, "circuits": [circuit]}

    def peering(self, number, circuit, kind, vlan):
        rng = self.rng
        parts = PRIVATE if kind == "private" else MICROSOFT
        peering = {"type": kind, "vlan": vlan, "customer_prefixes": list(rng.choice(parts["customer"]))}
        links = circuit.get("links", {"primary": None})
        if "subnets" in self.pair_keys(links):
            peering["subnets"] = dict(zip(("primary", "secondary"), parts["subnets"]))
            peering["subnets6"] = dict(zip(("primary", "secondary"), parts["subnets6"]))
        else:
            peering["subnet"], peering["subnet6"] = parts["subnets"][0], parts["subnets6"][0]
            if rng.random() < 0.1:
                del peering[rng.choice(["subnet", "subnet6"])]
        if rng.random() < 0.95:
            peering["customer_mac"] = "02:01:00:%02x:%02x:%02x" % (number // 256, number % 256, vlan % 256)
        if rng.random() < 0.2:
            peering["bandwidth"], peering["burst"] = rng.choice([("1 Mbps", "3500 B"), ("500 Mbps", "1 ms")])
        peering["virtual_networks"] = [
            {"name": "net%d" % index, "prefixes": list(prefixes), "tunnel": self.tunnel(number)}
            for index, prefixes in enumerate(parts["cloud"][: rng.choice([1, 2, 3])])]
        if kind == "private" and rng.random() < 0.3 and "0.0.0.0/0" not in peering["customer_prefixes"]:
            peering["virtual_networks"][0]["prefixes"] += parts["forced"]
        return peering

    @staticmethod
    def pair_keys(links):
        return ("subnets",) if len(links) == 2 else ("subnet",)

    def tunnel(self, number):
        rng = self.rng
        while True:
            six = rng.random() < 0.4
            local = (CORE6 if six else CORE4)[rng.random() < 0.2]
            remote = "2001:db8:cafe::%x" % rng.randrange(1, 20) if six else "198.51.100.%d" % rng.randrange(1, 20)
            key = rng.choice([0, None, rng.randrange(1, 2**32), rng.randrange(1, 2**32), 0x2A00 + number,
                              0x2A00 + number])
            if (local, remote, key) not in self.identities:
                break
        self.identities.add((local, remote, key))
        tunnel = {"local": local, "remote": remote}
        if key is not None:
            tunnel["key"] = key
        if rng.random() < 0.3:
            tunnel["dscp"] = rng.choice(["copy", 0, 46, 63])
        if rng.random() < 0.3:
            tunnel["inner_df"] = rng.choice(["honour", "ignore"])
        if rng.random() < 0.4:
            tunnel["mss_clamp"] = rng.random() < 0.8
        return tunnel

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            yaml.dump(self.document, out, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
