"""Protected configurations: customers with the same addresses inside and every kind of association around."""

import hashlib

import yaml

import esp
from scenario import CORE4, CORE6, Scenario

CORE_MAC, GATEWAY_MAC, CUSTOMER_MAC = "02:cc:cc:cc:cc:00", "02:00:00:00:00:fe", "02:01:00:00:00:01"
LOCAL = {4: "192.0.2.1", 6: "2001:db8:ffff::1"}
REMOTE = {4: "198.51.100.%d", 6: "2001:db8:cafe::%x"}
GATEWAY = {4: "203.0.113.%d", 6: "2001:db8:beef::%x"}  # IPsec gateways that are not the tunnel's end
SUITES = list(esp.SUITES)


def material(suite, label):
    return hashlib.shake_256(label.encode()).digest(esp.SUITES[suite].material).hex()


def ports(access_mtu=1500, core_mtu=1500):
    return {
        "access0": {"role": "access", "device": "none0", "mtu": access_mtu, "mac": "02:aa:aa:aa:aa:00"},
        "core0": {"role": "core", "device": "none1", "mtu": core_mtu, "mac": CORE_MAC,
                  "address": LOCAL[4] + "/24", "gateway": "192.0.2.254", "gateway_mac": GATEWAY_MAC,
                  "address6": LOCAL[6] + "/64", "gateway6": "2001:db8:ffff::fe"},
    }


def association(number, suite, **more):
    """`ipsec:` of customer `number`; SPIs 0x1000 + number out and 0x2000 + number in."""
    return {"suite": suite, "outbound": {"spi": 0x1000 + number, "key": material(suite, "out %d" % number)},
            "inbound": {"spi": 0x2000 + number, "key": material(suite, "in %d" % number)}, **more}


def customer(number, ipsec, family=4, keyed=True, **more):
    """One customer, one circuit, one tunnel. Inside, all customers look alike."""
    tunnel = {"local": LOCAL[family], "remote": REMOTE[family] % (number + 1), **more}
    if keyed:
        tunnel["key"] = 0x2A00 + number
    network = {"name": "prod", "prefixes": ["10.100.0.0/16", "fd00:100::/48"], "tunnel": tunnel}
    if ipsec:
        network["ipsec"] = ipsec
    peering = {"type": "private", "vlan": 10, "subnet": "172.16.0.0/30", "subnet6": "fd00:172:16::/126",
               "customer_mac": CUSTOMER_MAC, "customer_prefixes": ["10.0.0.0/16", "fd00:10::/48"],
               "virtual_networks": [network]}
    return {"name": "customer-%03d" % number,
            "circuits": [{"name": "c%03d" % number, "port": "access0", "service_vlan": 100 + number,
                          "bandwidth": "100 Gbps", "peerings": [peering]}]}


def document(customers, access_mtu=1500, core_mtu=1500):
    return {"edge": {"name": "esp", "icmp_errors_per_second": 100000}, "ports": ports(access_mtu, core_mtu),
            "customers": customers}


def every_kind(access_mtu=1500, core_mtu=1500):
    """20 customers: each suite with each mode with and without ESN, families and UDP spread over them."""
    customers = []
    for number in range(20):
        suite, transport, esn = SUITES[number % 5], bool(number // 5 % 2), bool(number // 10)
        family, outer = (6 if number % 3 == 0 else 4), (6 if number % 4 == 3 else 4)
        more = {"esn": esn, "udp_encapsulation": number % 7 in (1, 3), "replay_window": (64, 1024, 8192)[number % 3]}
        if transport:
            more["mode"] = "transport"
        elif outer != family or number % 2:
            more.update(local=LOCAL[outer], remote=GATEWAY[outer] % (number + 1))
        if number % 4 == 1:
            more["dscp"] = (46, 0, 63, 10, 1)[number // 4]
        tunnel = {"dscp": 18} if number % 6 == 5 else {}
        if number % 5 == 4:
            tunnel["mss_clamp"] = True
        ipsec = association(number, suite, **more)
        customers.append(customer(number, ipsec, family, keyed=number % 8 != 6, **tunnel))
    return document(customers, access_mtu, core_mtu)


class Mixed(Scenario):
    """Random customers of every kind, some tunnels protected and others in the clear, between the same addresses."""

    def __init__(self, seed, customers):
        self.spi = 0x10000
        super().__init__(seed, customers)
        for port in self.ports.values():
            port["mtu"] = max(port["mtu"], 1500)

    def peering(self, number, circuit, kind, vlan):
        peering = super().peering(number, circuit, kind, vlan)
        for network in peering["virtual_networks"]:
            if self.rng.random() < 0.7:
                network["ipsec"] = self.ipsec(network["tunnel"])
        return peering

    def sa(self, suite, **more):
        self.spi += self.rng.randrange(4, 40)
        return {"spi": self.spi, "key": material(suite, "mixed %d" % self.spi), **more}

    def ipsec(self, tunnel):
        rng, suite = self.rng, self.rng.choice(SUITES)
        made = {"suite": suite, "esn": rng.random() < 0.5, "udp_encapsulation": rng.random() < 0.3,
                "replay_window": rng.choice([64, 100, 1024, 8192])}
        lanes = rng.choice([1, 1, 4])
        made["outbound"] = self.sa(suite, spi_count=lanes, first_lane=rng.choice([0, 1, 7, 256 - lanes]))
        made["inbound"] = [self.sa(suite) for _ in range(rng.choice([1, 1, 2, 3]))]
        if rng.random() < 0.3:
            made["dscp"] = rng.choice(["copy", 0, 46, 63])
        if rng.random() < 0.4:
            made["mode"] = "transport"
        elif rng.random() < 0.5:
            six = rng.random() < 0.5
            made["local"] = rng.choice(CORE6 if six else CORE4)
            made["remote"] = GATEWAY[6 if six else 4] % rng.randrange(1, 20)
        return made


def write(made, path):
    with open(path, "w", encoding="utf-8") as out:
        yaml.dump(made, out, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
