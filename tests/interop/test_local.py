#!/usr/bin/python3
"""Local delivery: customers' routers speak BGP with a routing daemon behind the tap of the access port.

The daemon runs in a third kernel; a bridge joins the tap to that kernel's cable. It stands for the edge's own system,
has the edge's addresses and MAC, and for each customer a VLAN interface, as docs/operations.md says.
"""

import subprocess

from flows import echo_both_ways
from lab import ACCESS, LINK, QUIET, Circuit, batch, lab
from live import check_conservation, main, own_namespace, wait_until
from peer import Peer

CIRCUITS = [Circuit("contoso", 11, (100,)), Circuit("fabrikam", 12, (200, 10))]
TAP = "pl-access0"
OURS, THEIRS = 12076, 65001  # AS numbers


def daemon_script():
    root, inside = [f"link set vec0 address {ACCESS} up"], ""
    for one in CIRCUITS:
        below = "vec0"
        for device, tag in zip([f"s{one.number}", f"c{one.number}"][-len(one.tags):], one.tags):
            kind = "802.1ad" if device.startswith("s") else "802.1Q"
            root += [f"link add link {below} name {device} type vlan proto {kind} id {tag}", f"link set {device} up"]
            below = device
        inside += f"ip netns add {one.name}\n" + batch([f"link set c{one.number} netns {one.name}"])
        inside += batch(["link set lo up", f"link set c{one.number} up", f"addr add {LINK[4]}2/30 dev c{one.number}",
                         f"addr add {LINK[6]}2/64 dev c{one.number} nodad"], one.name)
    return QUIET + batch(root) + inside


def bird(name, own, other, prefixes):
    """Commands that start it in a customer's namespace, over IPv4 and over IPv6; `own`, `other`: (AS, host)."""
    sessions = ""
    for family, prefix in zip((4, 6), prefixes):
        sessions += f"""
            protocol static {{ ipv{family}; route {prefix} blackhole; }}
            protocol bgp over{family} {{
                local {LINK[family]}{own[1]} as {own[0]}; neighbor {LINK[family]}{other[1]} as {other[0]};
                connect delay time 1; error wait time 1, 2;
                ipv{family} {{ import all; export all; }};
            }}"""
    return (f"cat >/tmp/{name}.conf <<E\nrouter id {LINK[4]}{own[1]};\nprotocol device {{}}\n{sessions}\nE\n"
            f"ip netns exec {name} bird -c /tmp/{name}.conf -s /tmp/{name}.ctl -P /tmp/{name}.pid\n")


def learnt(peer, name, prefixes):
    said = peer.run(f"birdc -r -s /tmp/{name}.ctl show route")
    return all(f"{prefix} " in said for prefix in prefixes) and said.count("[over") == 2


def bgp(program, directory):
    with (Peer(directory, "daemon", "daemon") as daemon,
          lab(program, directory, CIRCUITS, tap=TAP) as it):
        for command in ("link add bridge type bridge mcast_snooping 0",
                        f"link set {TAP} address 02:00:00:00:ff:01",  # a bridge keeps what has a MAC of its ports
                        f"link set {TAP} master bridge", "link set daemon master bridge", "link set bridge up"):
            subprocess.run(["ip", *command.split()], check=True)
        daemon.run(daemon_script())
        here, there = {}, {}
        for one in CIRCUITS:  # what they announce tells them apart: everything else is equal
            here[one.name] = [f"10.{one.number}.0.0/16", f"2001:db8:{one.number}::/48"]
            there[one.name] = [f"10.100.{one.number}.0/24", f"2001:db8:100:{one.number}::/64"]
            daemon.run(bird(one.name, (OURS, 2), (THEIRS, 1), there[one.name]))
            it.router.run(bird(one.name, (THEIRS, 1), (OURS, 2), here[one.name]))
        for one in CIRCUITS:
            wait_until("the daemon has learnt", lambda one=one: learnt(daemon, one.name, here[one.name]))
            wait_until("the customer has learnt", lambda one=one: learnt(it.router, one.name, there[one.name]))
        ports = it.edge.show("ports")
        access = ports["access0"]
        print({name: access[name] for name in ("to_tap", "tap_refused", "from_tap", "from_tap_refused")}, flush=True)
        assert access["to_tap"] > 0 and access["from_tap"] > 0 and access["tap_refused"] == 0, access
        assert it.drops() == {}, it.drops()
        echo_both_ways(it, lambda _: [84])
        check_conservation(it.edge.show("ports"))


own_namespace()
main(bgp)
