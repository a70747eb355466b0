#!/usr/bin/env python3
"""The published JSON Schema accepts the examples and refuses what it can see is wrong. Argument: the source root."""

import copy
import json
import pathlib
import sys

import jsonschema
import yaml

ROOT = pathlib.Path(sys.argv[1])
SCHEMA = json.loads((ROOT / "docs/configuration.schema.json").read_text())


def errors(schema, document):
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def edge(d):
    return d["edge"]


def port(d, name="access0"):
    return d["ports"][name]


def circuit(d):
    return d["customers"][0]["circuits"][0]


def peering(d):
    return circuit(d)["peerings"][0]


def network(d):
    return peering(d)["virtual_networks"][0]


def protect(d, **more):
    network(d)["ipsec"] = {
        "suite": "aes-gcm-128",
        "outbound": {"spi": 0x1001, "key": "a1f0c3d2e5b4978689fa1b2c3d4e5f6071829304"},
        "inbound": [{"spi": 0x2001, "key_file": "in.hex"}, {"spi": 0x2002, "key_file": "in2.hex"}],
        **more,
    }


def tunnel(d):
    return network(d)["tunnel"]


# What is done to the right document, and that it is still right (True) or not.
CHANGES = {
    "key 0": (lambda d: tunnel(d).update(key=0), True),
    "dscp copy": (lambda d: tunnel(d).update(dscp="copy"), True),
    "dscp 46": (lambda d: tunnel(d).update(dscp=46), True),
    "no edge": (lambda d: d.pop("edge"), True),
    "no customers": (lambda d: d.pop("customers"), True),
    "include, one": (lambda d: d.update(include="customers.d/*.yaml"), True),
    "include, list": (lambda d: d.update(include=["a.yaml", "b.yaml"]), True),
    "burst as a size": (lambda d: circuit(d).update(burst="2500 kB"), True),
    "a name that looks like a number": (lambda d: circuit(d).update(name=100), True),
    "unknown key at the top": (lambda d: d.update(edges={}), False),
    "unknown key below": (lambda d: circuit(d).update(bandwith="1 Gbps"), False),
    "no ports": (lambda d: d.pop("ports"), False),
    "an included file": (lambda d: [d.pop(key) for key in ("edge", "ports")], True),
    "an included file with a mistake": (
        lambda d: [d.pop(key) for key in ("edge", "ports")] + [circuit(d).update(bandwith="1 Gbps")],
        False,
    ),
    "ports empty": (lambda d: d.update(ports={}), False),
    "port name": (lambda d: d["ports"].update({"a b": {"role": "access"}}), False),
    "no role": (lambda d: port(d).pop("role"), False),
    "role": (lambda d: port(d).update(role="edge"), False),
    "address on an access port": (lambda d: port(d).update(address="192.0.2.1/24"), False),
    "tpid on a core port": (lambda d: port(d, "core0").update(service_tpid=0x88A8), False),
    "tpid": (lambda d: port(d).update(service_tpid=0x8847), False),
    "tpid auto": (lambda d: port(d).update(service_tpid="auto", single_tpid="auto"), True),
    "tpids accepted": (lambda d: port(d).update(accept_tpids=[0x9200], accept_inner_tpids=[0x88A8, 0x9100]), True),
    "tpid 0": (lambda d: port(d).update(service_tpid=0), False),
    "inner tpid": (lambda d: port(d).update(inner_tpid=0x9200), False),
    "mtu": (lambda d: port(d).update(mtu=1279), False),
    "mtu as text": (lambda d: port(d).update(mtu="1500"), False),
    "gateway IPv6": (lambda d: port(d, "core0").update(gateway="2001:db8::1"), False),
    "group mac": (lambda d: port(d, "core0").update(gateway_mac="01:00:5e:00:00:01"), False),
    "workers": (lambda d: edge(d).update(workers=65), False),
    "idle": (lambda d: edge(d).update(idle="busy"), False),
    "tcp_rtt": (lambda d: edge(d).update(tcp_rtt=20), False),
    "rate without a unit": (lambda d: circuit(d).update(bandwidth=1000), False),
    "rate with a wrong unit": (lambda d: circuit(d).update(bandwidth="1 Gbit"), False),
    "no bandwidth": (lambda d: circuit(d).pop("bandwidth"), False),
    "port and links": (lambda d: circuit(d).update(port="access0"), False),
    "neither port nor links": (lambda d: circuit(d).pop("links"), False),
    "links empty": (lambda d: circuit(d).update(links={}), False),
    "a third link": (lambda d: circuit(d)["links"].update(tertiary="access0"), False),
    "no peerings": (lambda d: circuit(d).update(peerings=[]), False),
    "vlan 0": (lambda d: peering(d).update(vlan=0), False),
    "vlan 4095": (lambda d: peering(d).update(vlan=4095), False),
    "subnet and subnets": (lambda d: peering(d).update(subnet="172.16.0.0/30"), False),
    "no subnet": (lambda d: [peering(d).pop(key) for key in ("subnets", "subnets6")], False),
    "IPv6 as subnet": (lambda d: peering(d)["subnets"].update(primary="fd00::/126"), False),
    "prefix without a length": (lambda d: peering(d).update(customer_prefixes=["10.0.0.0"]), False),
    "peering type": (lambda d: peering(d).update(type="Private"), False),
    "no tunnel": (lambda d: network(d).pop("tunnel"), False),
    "no prefixes": (lambda d: network(d).update(prefixes=[]), False),
    "ipsec": (protect, True),
    "ipsec, everything": (
        lambda d: protect(
            d,
            mode="transport",
            local="2001:db8::1",
            remote="2001:db8::7",
            outbound=[{"spi": 256, "spi_count": 4, "first_lane": 252, "key": "0x01:02 03\n04"}],
            replay_window=64,
            esn=True,
            udp_encapsulation=True,
            dscp="copy",
            lifetime={"soft": {"packets": 1, "bytes": "1.5 TB", "time": "8 h"}, "hard": {"time": "30 min"}},
        ),
        True,
    ),
    "ipsec, a key of decimal digits": (lambda d: protect(d, inbound={"spi": 256, "key": 10**39}), True),
    "ipsec without SAs": (lambda d: network(d).update(ipsec={"suite": "aes-gcm-128"}), False),
    "ipsec, no inbound": (lambda d: protect(d, inbound=[]), False),
    "ipsec, suite": (lambda d: protect(d, suite="aes-gcm-192"), False),
    "ipsec, mode": (lambda d: protect(d, mode="Tunnel"), False),
    "ipsec, reserved SPI": (lambda d: protect(d, inbound={"spi": 255, "key_file": "in.hex"}), False),
    "ipsec, SPI": (lambda d: protect(d, inbound={"spi": 2**32, "key_file": "in.hex"}), False),
    "ipsec, neither key nor file": (lambda d: protect(d, inbound={"spi": 256}), False),
    "ipsec, key and file": (lambda d: protect(d, inbound={"spi": 256, "key": "01", "key_file": "a"}), False),
    "ipsec, half an octet": (lambda d: protect(d, inbound={"spi": 256, "key": "012"}), False),
    "ipsec, lanes inbound": (lambda d: protect(d, inbound={"spi": 256, "key": "01", "spi_count": 2}), False),
    "ipsec, replay_window": (lambda d: protect(d, replay_window=63), False),
    "ipsec, bytes without a unit": (lambda d: protect(d, lifetime={"soft": {"bytes": 1000}}), False),
    "ipsec, lifetime": (lambda d: protect(d, lifetime={"packets": 1}), False),
    "ipsec, empty": (lambda d: network(d).update(ipsec=None), False),
    "key": (lambda d: tunnel(d).update(key=2**32), False),
    "dscp": (lambda d: tunnel(d).update(dscp=64), False),
    "inner_df": (lambda d: tunnel(d).update(inner_df="honor"), False),
    "mss_clamp": (lambda d: tunnel(d).update(mss_clamp="yes"), False),
    "local": (lambda d: tunnel(d).update(local="gateway.example"), False),
}


def main():
    failures = []
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for name in ("minimal.yaml", "pair.yaml", "ipsec.yaml", "large/edge.yaml"):
        failures += [f"{name}: {message}" for message in errors(SCHEMA, read(f"config/examples/{name}"))]
    for path in sorted((ROOT / "config/examples/large/customers.d").iterdir()):
        failures += [f"{path}: {message}" for message in errors(SCHEMA, read(path))]
        for key, value in (("edge", {}), ("ports", {}), ("include", "a.yaml")):
            if not errors(SCHEMA, {**read(path), key: value}):
                failures.append(f"{path}: accepted with {key}, but without what a main file needs")
    right = read("config/examples/pair.yaml")
    for name, (change, stays_right) in CHANGES.items():
        document = copy.deepcopy(right)
        change(document)
        found = errors(SCHEMA, document)
        if bool(found) == stays_right:
            failures.append(f"{name}: {found or 'accepted'}")
    print("\n".join(failures) or f"{len(CHANGES)} changes told apart")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
