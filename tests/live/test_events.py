#!/usr/bin/python3
"""What an operator is told: routers, gateways and links that die and come back, why a link is down, and packets that
nobody takes."""

import json
import subprocess

from scapy.layers.inet import ICMP, IP

from edge import Edge, configuration, customer, main, wait_until
from links import make_links, own_namespace
from station import Station, frame

ROUTER, GATEWAY = "02:00:00:00:01:01", "02:00:00:00:00:fe"
TAGS = (100, 10)


def learning(directory):
    """One circuit with one link; the router's and the gateway's MACs are asked for."""
    contoso = customer("contoso", 100, 0x2A01)
    del contoso["circuits"][0]["peerings"][0]["customer_mac"]
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", customers=[contoso])
    del model["ports"]["core0"]["gateway_mac"]
    return model


def alive(edge):
    status, said, why = edge.command("show", "circuit", "contoso/sea", "--json")
    assert status == 0, why
    return json.loads(said)["circuit"]["links"][0]["peerings"][0]["alive"]["ipv4"]


def says(edge, text):
    wait_until(f"the log says: {text}", lambda: text in edge.log())


def routers_and_gateways(program, directory):
    router = "neighbour 172.16.0.1 (contoso/sea private, primary link on access0) "
    gateway = "neighbour 192.0.2.254 (gateway of core0) "
    with Station("c1", {}) as core, Edge(program, directory, learning(directory)) as edge:
        with Station("a1", {}) as access:
            says(edge, router + "does not answer: packets for it are dropped (no_neighbour) until it does")
            says(edge, gateway + "does not answer: what 1 tunnels send is dropped (no_neighbour) until it does")
            assert not alive(edge)
            access.hosts[(TAGS, "172.16.0.1")] = ROUTER
            core.hosts[((), "192.0.2.254")] = GATEWAY
            says(edge, router + f"answers again, with {ROUTER}: packets go to it again")
            says(edge, gateway + f"answers again, with {GATEWAY}: 1 tunnels send by it again")
            assert alive(edge)
            assert edge.log().count("neighbour ") == 4, edge.log()
        # A router that does not come back with its cable.
        for state in ("down", "up"):
            subprocess.run(["ip", "link", "set", "a1", state], check=True)
            wait_until(f"the link is {state}", lambda s=state: edge.show("ports")["access0"]["link"] == s)
        assert not alive(edge)
        wait_until("it is told of", lambda: edge.log().count(router + "does not answer") == 2)
        edge.end()


def links_and_reasons(program, directory):
    with Edge(program, directory, learning(directory)) as edge:
        assert "rame size" not in edge.log(), edge.log()  # of DPDK's, which is no fault

        def reason(port, which):
            wait_until(which, lambda: edge.show("ports")[port]["link_reason"] == which)

        for port, near, far in (("access0", "a0", "a1"), ("core0", "c0", "c1")):
            for which, cause in ((near, "is set down"), (far, "has no carrier")):
                subprocess.run(["ip", "link", "set", which, "down"], check=True)
                reason(port, f"interface {near} {cause}")
                subprocess.run(["ip", "link", "set", which, "up"], check=True)
                reason(port, "")
            says(edge, f"port {port}: link down: interface {near} has no carrier; ")
        says(edge, "; 1 circuits have a link there, 0 of them another one that carries their flows")
        says(edge, "; 1 tunnels send by it and carry nothing until it is up")
        edge.end()


def packets_that_nobody_takes(program, directory):
    model = learning(directory)
    model["ports"]["core0"]["gateway_mac"] = GATEWAY
    with Station("c1", {}) as core, Edge(program, directory, model) as edge:
        for number in range(30):
            core.wire.send(frame(GATEWAY, "02:00:00:00:00:c0", (), IP(src="198.51.100.9", dst="192.0.2.1"),
                                 ICMP(type="echo-reply", seq=number), b"x" * 40))  # which nothing answers
        wait_until("they are counted", lambda: edge.show("ports")["core0"]["unclaimed"] == 30)
        says(edge, "port core0: ")
        says(edge, "packets to the edge's own addresses were taken by nobody")
        assert "set ports.core0.tap" in edge.log(), edge.log()
        edge.end()


own_namespace()
make_links(("a0", "a1"), ("c0", "c1"))
main(routers_and_gateways, links_and_reasons, packets_that_nobody_takes)
