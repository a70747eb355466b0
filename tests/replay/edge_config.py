"""The YAML configuration of an edge as the predictor needs it. Expects a valid file: it judges nothing."""

import ipaddress
import re
from dataclasses import dataclass, field
from fractions import Fraction

import yaml

import esp_config
import wire

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is ten times as fast
RATES = {"bps": 1, "kbps": 10**3, "Mbps": 10**6, "Gbps": 10**9, "Tbps": 10**12}
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
TIMES = {"ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "ms": Fraction(1, 10**3), "s": Fraction(1)}


def split_unit(text):
    number, unit = re.fullmatch(r"\s*([0-9.]+)\s*([A-Za-z]*)\s*", str(text)).groups()
    return Fraction(number), unit


def bits_per_second(text):
    number, unit = split_unit(text)
    return number * RATES[unit or "bps"]


def burst_bytes(text, rate):
    """Depth in bytes; a duration is a duration at `rate` (bits per second)."""
    if text is None:
        return max(rate / 8 * TIMES["ms"] * 20, Fraction(64000))
    number, unit = split_unit(text)
    if unit in TIMES:
        return number * TIMES[unit] * rate / 8
    return number * SIZES[unit or "B"]


@dataclass
class Port:
    name: str
    role: str
    mtu: int
    mac: bytes
    mac_configured: bool
    address: bytes = None
    address6: bytes = None
    gateway_mac: bytes = None
    service_tpid: object = 0x8100  # or "auto"
    single_tpid: object = 0x8100
    inner_tpid: int = 0x8100
    outer_tpids: frozenset = frozenset(wire.TPIDS)
    inner_tpids: frozenset = frozenset({0x8100})


@dataclass
class Subnet:
    net: object
    customer: bytes
    edge: bytes

    def holds(self, address):
        return ipaddress.ip_address(address) in self.net

    def reserved(self, address):
        """Network and broadcast address; none on point-to-point subnets (RFC 3021) and in IPv6."""
        if self.net.version == 6 or self.net.prefixlen > 30:
            return False
        return address in (self.net.network_address.packed, self.net.broadcast_address.packed)


@dataclass(eq=False)
class Link:
    """One half of a circuit as one peering sees it."""

    name: str
    port: Port
    peering: object
    customer_mac: bytes
    subnets: dict = field(default_factory=dict)  # version -> Subnet


@dataclass(eq=False)
class Pair:
    """Both links of a peering: what is behind the customer's routers goes by the one or the other, flow by flow."""

    primary: Link
    secondary: Link


@dataclass(eq=False)
class Tunnel:
    peering: object
    network: str
    local: bytes
    remote: bytes
    key: int
    port: Port
    dscp: object
    ignore_df: bool
    mss_clamp: bool
    ipsec: object = None  # esp_config.Protection

    @property
    def overhead(self):
        return (20 if len(self.local) == 4 else 40) + (4 if self.key is None else 8)

    @property
    def mtu(self):
        room = self.ipsec.longest_delivery(self.port.mtu) if self.ipsec else self.port.mtu
        return room - self.overhead


@dataclass(eq=False)
class Circuit:
    customer: str
    name: str
    service_vlan: int
    rate: Fraction
    depth: Fraction
    accounting: str
    peerings: list = field(default_factory=list)


@dataclass(eq=False)
class Peering:
    circuit: Circuit
    type: str
    vlan: int
    rate: Fraction
    depth: Fraction
    prefixes: list
    links: dict = field(default_factory=dict)  # name -> Link
    routes: list = field(default_factory=list)  # (network, Link, Pair or Tunnel)

    def first_link(self):
        return self.links.get("primary") or self.links["secondary"]

    def owns(self, address):
        return any(s.edge == address for link in self.links.values() for s in link.subnets.values())

    def is_no_host(self, address):
        """The edge's own address, or the network or broadcast address of a link."""
        version = 4 if len(address) == 4 else 6
        subnets = [link.subnets[version] for link in self.links.values() if version in link.subnets]
        return self.owns(address) or any(subnet.reserved(address) for subnet in subnets)

    def route(self, address):
        """Longest-prefix match by looking at every route."""
        address = ipaddress.ip_address(address)
        fitting = [(net.prefixlen, target) for net, target in self.routes if address in net]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


class Edge:
    def __init__(self, path):
        with open(path, encoding="utf-8") as source:
            document = yaml.load(source, Loader=LOADER)
        self.icmp_errors_per_second = document.get("edge", {}).get("icmp_errors_per_second", 100)
        self.replies_per_second = document.get("edge", {}).get("replies_per_second", 1000)
        self.ports = {}
        for number, (name, entry) in enumerate(document["ports"].items()):
            self.ports[name] = self.port(number, name, entry)
        self.circuits, self.peerings, self.tunnels = [], [], {}
        self.attachments = {}  # (port name, S-VID or None, C-VID) -> Link
        for customer in document.get("customers", []):
            for entry in customer["circuits"]:
                self.circuit(customer["name"], entry)

    @staticmethod
    def port(number, name, entry):
        def address(key):
            return ipaddress.ip_interface(entry[key]).ip.packed if key in entry else None

        own = wire.mac(entry["mac"]) if "mac" in entry else bytes([2, 0, 0, 0, 0, number])
        gateway = wire.mac(entry["gateway_mac"]) if "gateway_mac" in entry else None
        return Port(name, entry["role"], entry["mtu"], own, "mac" in entry, address("address"), address("address6"),
                    gateway, *Edge.tpids(entry))

    @staticmethod
    def tpids(entry):
        """What is sent outside, alone, inside; what is accepted outside or alone, inside."""
        sent = [entry.get(key, 0x8100) for key in ("service_tpid", "single_tpid", "inner_tpid")]
        outer = {*wire.TPIDS, *sent[:2], *entry.get("accept_tpids", [])} - {"auto"}
        return (*sent, frozenset(outer), frozenset({0x8100, sent[2], *entry.get("accept_inner_tpids", [])}))

    def circuit(self, customer, entry):
        rate = bits_per_second(entry["bandwidth"])
        circuit = Circuit(customer, entry["name"], entry.get("service_vlan"), rate,
                          burst_bytes(entry.get("burst"), rate), entry.get("accounting", "l3"))
        self.circuits.append(circuit)
        links = entry["links"] if "links" in entry else {"primary": entry["port"]}
        for item in entry["peerings"]:
            circuit.peerings.append(self.peering(circuit, links, item))

    def peering(self, circuit, links, entry):
        rate = bits_per_second(entry["bandwidth"]) if "bandwidth" in entry else None
        depth = burst_bytes(entry.get("burst"), rate) if rate is not None else None
        prefixes = [ipaddress.ip_network(text) for text in entry.get("customer_prefixes", [])]
        peering = Peering(circuit, entry["type"], entry["vlan"], rate, depth, prefixes)
        self.peerings.append(peering)
        for name, port in links.items():
            per_link = entry.get("customer_macs", {})
            address = per_link.get(name, entry.get("customer_mac"))
            link = Link(name, self.ports[port], peering, wire.mac(address) if address else None)
            peering.links[name] = link
            self.attachments[(port, circuit.service_vlan, peering.vlan)] = link
            for single, several, version in (("subnet", "subnets", 4), ("subnet6", "subnets6", 6)):
                text = entry.get(several, {}).get(name, entry.get(single))
                if text:
                    net = ipaddress.ip_network(text)
                    link.subnets[version] = Subnet(net, net[1].packed, net[2].packed)
                    peering.routes.append((net, link))
        behind = Pair(**peering.links) if len(peering.links) == 2 else peering.first_link()
        for net in prefixes:
            peering.routes.append((net, behind))
        for network in entry.get("virtual_networks", []):
            tunnel = self.tunnel(peering, network)
            for text in network["prefixes"]:
                peering.routes.append((ipaddress.ip_network(text), tunnel))
        return peering

    def tunnel(self, peering, network):
        entry = network["tunnel"]
        local, remote = wire.packed(entry["local"]), wire.packed(entry["remote"])
        cores = [port for port in self.ports.values() if port.role == "core"]
        ipsec = esp_config.protection(network.get("ipsec"), local, remote)
        source = ipsec.local if ipsec else local
        port = next((p for p in cores if source in (p.address, p.address6)), cores[0])
        tunnel = Tunnel(peering, network["name"], local, remote, entry.get("key"), port, entry.get("dscp", "copy"),
                        entry.get("inner_df", "honour") == "ignore", entry.get("mss_clamp", False), ipsec)
        self.tunnels[(local, remote, tunnel.key)] = tunnel
        return tunnel
