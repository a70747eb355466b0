"""The set-up of every case: a customers' router and a cloud gateway, kernels both, and the edge between them.

All customers have the same addresses. Inside either peer each customer is a network namespace of its own name.

    router  vec0 = access --- edge --- core = vec0  gateway
    10.0.0.5, 172.16.0.1      172.16.0.2            10.100.0.9 behind GRE from 192.0.2.1 to 198.51.100.n
"""

import collections
import contextlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from live import PATIENCE, Edge, check_conservation, configuration, wait_until
from peer import Peer
from protection import Protection, kernel_faults, kernel_states
from wires import WIRES

HERE = Path(__file__).resolve().parent
ROUTER, GATEWAY, ACCESS = "02:00:00:00:01:01", "02:00:00:00:00:fe", "02:00:00:00:00:a0"
CUSTOMER, CLOUD = {4: "10.0.0.5", 6: "2001:db8:10::5"}, {4: "10.100.0.9", 6: "2001:db8:100::9"}
LINK = {4: "172.16.0.", 6: "2001:db8:16::"}  # ends in 1 at the customer, in 2 at the edge
CORE = {4: "192.0.2.1", 6: "2001:db8:c::1"}  # the edge's end of all tunnels
GRE = 8  # with key (RFC 2890)
HEADER = {4: 20, 6: 40}

# Nothing leaves a peer but what a case sends; and TCP keeps less under way than the shortest queue holds.
QUIET = """
modprobe ipv6
cd /proc/sys/net
echo 1 >core/devconf_inherit_init_net
for which in all default; do
    echo 1 >ipv6/conf/$which/addr_gen_mode
    echo 0 >ipv6/conf/$which/router_solicitations
    echo 0 >ipv6/conf/$which/accept_dad
done
echo 4096 131072 262144 >ipv4/tcp_rmem
echo 4096 65536 262144 >ipv4/tcp_wmem
"""

ANNOUNCE = """
echo 1 >ipv4/conf/vec0/arp_notify
echo 1 >ipv6/conf/vec0/ndisc_notify
"""

# What GRE and ESP want, at once. The kernel looks for a module of every suite by several names, in vain, at 50 ms each.
MODULES = """
modprobe -a ip_gre ip6_gre xfrm_user esp4 esp6 authenc authencesn echainiv seqiv cbc ctr gcm ghash_generic hmac drbg \\
    sha512_generic jitterentropy_rng ansi_cprng chacha20poly1305 chacha_generic poly1305_generic
echo >/proc/sys/kernel/modprobe
"""


@dataclass
class Circuit:
    """A customer with one circuit, whose tags say whether it is 802.1Q, (VID,), or QinQ, (S-VID, C-VID)."""

    name: str
    number: int
    tags: tuple
    outer: int = 4  # the family of the tunnel
    protection: Protection = None
    mss_clamp: bool = False
    bandwidth: str = "100 Gbps"

    @property
    def tunnel(self):
        """The edge's end and the gateway's."""
        return CORE[self.outer], gateway_address(self.outer, self.number)

    @property
    def key(self):
        return 0x2A00 + self.number

    def configuration(self):
        network = {"name": "prod", "prefixes": ["10.100.0.0/16", "2001:db8:100::/48"],
                   "tunnel": {"local": self.tunnel[0], "remote": self.tunnel[1], "key": self.key,
                              "mss_clamp": self.mss_clamp}}
        if self.protection:
            network["ipsec"] = self.protection.configuration()
        peering = {"type": "private", "vlan": self.tags[-1], "subnet": LINK[4] + "0/30", "subnet6": LINK[6] + "/64",
                   "customer_prefixes": ["10.0.0.0/16", "2001:db8:10::/48"],
                   "virtual_networks": [network]}
        circuit = {"name": "sea", "port": "access0", "bandwidth": self.bandwidth, "peerings": [peering]}
        if len(self.tags) == 2:
            circuit["service_vlan"] = self.tags[0]
        return {"name": self.name, "circuits": [circuit]}

    def inner_mtu(self, core_mtu):
        """The largest packet of the customer that fits the core, from the RFCs' lengths."""
        header = HEADER[self.outer]
        if not self.protection:
            return core_mtu - header - GRE
        if self.protection.mode == "transport":
            return self.protection.room(core_mtu, header) - GRE
        outer = ipaddress.ip_address((self.protection.ends or self.tunnel)[0]).version
        return self.protection.room(core_mtu, HEADER[outer]) - header - GRE


def gateway_address(family, number):
    return f"198.51.100.{number}" if family == 4 else f"2001:db8:f::{number:x}"


def nodad(address):
    """What makes an IPv6 address usable at once."""
    return " nodad" if ":" in address else ""


def batch(commands, namespace=None):
    """Shell text that gives them to one `ip`, in a customer's namespace or the peer's own."""
    return f"ip {f'-n {namespace} ' if namespace else ''}-batch - <<E\n" + "\n".join(commands) + "\nE\n"


def router_script(circuits, mtu=1500, service_tpid="802.1ad"):
    """The customers' router: an interface with the tags of each circuit."""
    root, inside = [f"link set vec0 address {ROUTER} mtu {mtu} up"], ""
    for service in sorted({one.tags[0] for one in circuits if len(one.tags) == 2}):
        root += [f"link add link vec0 name s{service} type vlan proto {service_tpid} id {service}",
                 f"link set s{service} up"]
    for one in circuits:
        below = f"s{one.tags[0]}" if len(one.tags) == 2 else "vec0"
        device = f"c{one.number}"
        root += [f"netns add {one.name}", f"link add link {below} name {device} type vlan id {one.tags[-1]}",
                 f"link set {device} netns {one.name}"]
        inside += batch(["link set lo up", f"link set {device} up",
                         f"addr add {LINK[4]}1/30 dev {device}", f"addr add {LINK[6]}1/64 dev {device} nodad",
                         f"addr add fe80::1/64 dev {device} nodad",  # to ask for neighbours with, on behalf of lo
                         f"addr add {CUSTOMER[4]} dev lo", f"addr add {CUSTOMER[6]} dev lo nodad",
                         f"route add 10.100.0.0/16 via {LINK[4]}2 src {CUSTOMER[4]}",
                         f"route add 2001:db8:100::/48 via {LINK[6]}2 src {CUSTOMER[6]}"], one.name)
    return QUIET + batch(root) + inside


def gateway_script(circuits, mtu=1500, mac=GATEWAY, announces=False):
    """The cloud's gateway: a tunnel for each circuit, its cloud behind it. `announces` its MAC when it comes up."""
    root = [f"link set vec0 address {mac} mtu {mtu}",
            "addr add 192.0.2.254/24 dev vec0", "addr add 2001:db8:c::fe/64 dev vec0 nodad",
            "addr add fe80::fe/64 dev vec0 nodad", "link set vec0 up"]
    inside = ""
    for one in circuits:
        device, (local, remote) = f"g{one.number}", one.tunnel[::-1]
        kind = "type gre" if one.outer == 4 else "type ip6gre encaplimit none"
        root += [f"addr add {local} dev lo{nodad(local)}", f"netns add {one.name}",
                 f"link add {device} {kind} local {local} remote {remote} key {one.key} ttl 64",
                 f"link set {device} netns {one.name}"]
        inside += batch(["link set lo up", f"link set {device} up",
                         f"addr add {CLOUD[4]} dev lo", f"addr add {CLOUD[6]} dev lo nodad",
                         f"route add 10.0.0.0/16 dev {device} src {CLOUD[4]}", f"route add {LINK[4]}0/30 dev {device}",
                         f"route add 2001:db8:10::/48 dev {device} src {CLOUD[6]}",
                         f"route add {LINK[6]}/64 dev {device}"], one.name)
        if one.protection:
            root += [f"addr add {end} dev lo{nodad(end)}" for end in one.protection.ends[1:]]
            root += one.protection.gateway(one.tunnel)
    protected = any(one.protection for one in circuits)
    return QUIET + (MODULES if protected else "") + (ANNOUNCE if announces else "") + batch(root) + inside


class Lab:
    """Both peers and the edge, running."""

    def __init__(self, edge, router, gateway, circuits):
        self.edge, self.router, self.gateway, self.circuits = edge, router, gateway, circuits
        self.expected = collections.Counter()

    def reload(self):
        """Tells the edge what its circuits are like by now."""
        self.edge.model["customers"] = [one.configuration() for one in self.circuits]
        self.edge.write(self.edge.model)
        status, _, said = self.edge.command("reload")
        assert status == 0, said

    def expect(self, packets):
        """So many more packets of each circuit go each way."""
        self.expected.update(packets)

    def check_undisturbed(self):
        """What was expected went each way, nothing else went anywhere, and both ends counted that."""
        self.check_forwarded()
        self.check_associations()

    def check_forwarded(self):
        """The edge's own counters of that."""
        assert self.drops() == {}, self.drops()
        before = self.edge.show("drops").get("multicast", 0)
        ports = self.edge.show("ports")
        after = self.edge.show("drops").get("multicast", 0)
        check_conservation(ports)
        for one in self.circuits:
            seen = [self.edge.circuit(one.name, direction)["packets"] for direction in ("to_cloud", "to_customer")]
            assert seen == [self.expected[one.name]] * 2, (one, self.expected, seen)
        # Beside that there is only what neighbours say to each other, which is punted, and reports of groups.
        beside = {name: ports[name]["received"] - ports[name]["punted"] - self.expected.total()
                  for name in ("access0", "core0")}
        assert min(beside.values()) >= 0 and before <= sum(beside.values()) <= after, (beside, self.expected, ports)

    def drops(self):
        """What was dropped, but for reports of the groups kernels listen to (RFC 3810): these come as they like."""
        drops = self.edge.show("drops")
        drops.pop("multicast", None)
        return drops

    def check_associations(self):
        """The kernel and the edge count the same for every SA, and neither saw a fault."""
        kernel = kernel_states(self.gateway.run("ip -s xfrm state"))
        for sa in self.edge.show("sas"):
            there = kernel[sa["spi"]]
            assert there["faults"] == (0, 0, 0), (sa, there)
            assert (sa["packets"], sa["lost"] or 0) == (there["packets"], 0), (sa, there)
            if sa["direction"] == "to_cloud":  # the kernel counts what it sends before it is put into its tunnel
                assert sa["bytes"] == there["bytes"], (sa, there)
        assert self.gateway_faults() == {}

    def situation(self):
        """Text about where packets may have ended."""
        shown = {what: self.edge.show(what) for what in ("drops", "ports", "neighbours")}
        lost = "ip -s link show vec0; grep -h ^Icmp: /proc/net/snmp; cat /proc/net/softnet_stat"
        return "\n".join([*(f"{what}: {text}" for what, text in shown.items()), self.edge.log(),
                          *(f"{peer.name}: {peer.run(lost)}" for peer in (self.router, self.gateway))])

    def gateway_faults(self):
        return kernel_faults(self.gateway.run("cat /proc/net/xfrm_stat"))


@contextlib.contextmanager
def lab(program, directory, circuits, access_mtu=1500, core_mtu=1500, router_mtu=None,
        service_tpid=0x88A8, wire="af_packet", tap=None):
    """Starts all of it; ends the edge in good order if the case went well. `tap`: of the access port."""
    with Peer(directory, "router", "access") as router, Peer(directory, "gateway", "core") as gateway:
        tpid = "802.1ad" if service_tpid == 0x88A8 else "802.1Q"
        jobs = [router.begin(router_script(circuits, router_mtu or access_mtu, tpid)),
                gateway.begin(gateway_script(circuits, core_mtu))]
        for job in jobs:
            job.wait(3 * PATIENCE)  # the only work here that grows with the circuits
        if any(one.protection and one.protection.udp for one in circuits):
            gateway.run(f"python3 {gateway.put(HERE / 'guest_natt.py')}")
        with WIRES[wire](directory) as (devices, workers):
            model = configuration(directory, *devices, workers, customers=[one.configuration() for one in circuits])
            model["edge"].update(state_dir=str(directory / "state"), state_dir_volatile=True)
            model["ports"]["access0"].update(mtu=access_mtu, service_tpid=service_tpid)
            if tap:
                model["ports"]["access0"]["tap"] = tap
            del model["ports"]["core0"]["gateway_mac"]  # everybody's MAC is asked for
            model["ports"]["core0"].update(mtu=core_mtu, address6=CORE[6] + "/64", gateway6="2001:db8:c::fe")
            with Edge(program, directory, model) as edge:
                it = Lab(edge, router, gateway, circuits)
                wait_until("the links are up", lambda: {port["link"] for port in edge.show("ports").values()} == {"up"})
                try:
                    yield it
                except Exception:
                    print(it.situation(), flush=True)
                    raise
                check_conservation(edge.show("ports"))
                edge.end()
