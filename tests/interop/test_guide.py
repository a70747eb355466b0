#!/usr/bin/python3
"""docs/getting-started.md, word for word: its configuration, and its commands on a customer's router and a gateway."""

import re
from pathlib import Path

import yaml

from flows import Echoes
from lab import GATEWAY, QUIET, ROUTER
from live import Edge, check_conservation, main, own_namespace, wait_until
from peer import Peer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "getting-started.md"
NAME = "contoso"
MTU = 1500  # of the peers' interfaces, the core's too


def block(after, page):
    """The lines set in by four after a sentence that begins so."""
    text = page[page.index(after):]
    return re.sub(r"^ {4}", "", re.search(r"\n\n((?: {4}.*\n)+)", text)[1], flags=re.MULTILINE)


def inside(commands):
    """A namespace of the peer's, so that guest_echo.py finds it; `eth0` is vec0 there."""
    return f"ip netns add {NAME}\nip link set vec0 netns {NAME}\nip -n {NAME} link set lo up\n" + "".join(
        re.sub(r"^ip ", f"ip -n {NAME} ", line) + "\n" for line in commands.replace("eth0", "vec0").splitlines())


def as_it_says(program, directory):
    page = PAGE.read_text(encoding="utf-8")
    model = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1])
    model["edge"].update(name="live", socket=str(directory / "edge.sock"))
    for port, interface, ours in (("access0", "eth1", "access"), ("core0", "eth2", "core")):
        assert f"iface={interface}" in model["ports"][port]["device"]
        model["ports"][port]["device"] = model["ports"][port]["device"].replace(interface, ours)
    model["ports"]["core0"]["mtu"] = MTU
    router = inside(f"ip link set vec0 address {ROUTER} up\nip addr add 10.0.0.1 dev lo\n" +
                    block("A customer's router", page)).replace("10.100.0.0/16 via 172.16.0.2",
                                                            "10.100.0.0/16 via 172.16.0.2 src 10.0.0.1")
    gateway = inside(f"ip link set vec0 address {GATEWAY} up\nip addr add 192.0.2.254/24 dev vec0\n"
                     "ip addr add 198.51.100.7 dev lo\nip addr add 10.100.0.9 dev lo\n" +
                     block("A cloud gateway", page)).replace("10.0.0.0/16 dev contoso",
                                                               "10.0.0.0/16 dev contoso src 10.100.0.9")
    with Peer(directory, "router", "access") as customer, Peer(directory, "gateway", "core") as cloud:
        for job in [customer.begin(QUIET + router), cloud.begin(QUIET + gateway)]:
            job.wait()
        with Edge(program, directory, model) as edge:
            status, said, _ = edge.command("check")
            assert status == 0, said
            wait_until("both neighbours", lambda: {one["state"] for one in edge.show("neighbours")} == {"reachable"})
            there = Echoes(customer, [edge_circuit()], "10.100.0.9", lambda _: [84, MTU - 28], 3)
            back = Echoes(cloud, [edge_circuit()], "10.0.0.1", lambda _: [84, MTU - 28], 3)
            there.answered(), back.answered()
            Echoes(customer, [edge_circuit()], "172.16.0.2", lambda _: [84], 3).answered()
            hops = customer.run(f"ip netns exec {NAME} traceroute -n -q 1 -N 1 -w 30,0,0 10.100.0.9")
            assert re.findall(r"^ *\d+ +(\S+)", hops, re.MULTILINE) == ["172.16.0.2", "10.100.0.9"], hops
            check_conservation(edge.show("ports"))
            edge.end()


def edge_circuit():
    class One:
        name = NAME
    return One


own_namespace()
main(as_it_says)
