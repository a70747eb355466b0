#!/usr/bin/python3
"""Ports that cannot send what they are given: no packet counts as sent that was not."""

import subprocess

from edge import CUSTOMERS, Edge, check_conservation, configuration, main, wait_until
from links import Wire, make_links, own_namespace
from traffic import from_cloud, from_customer, to_access, to_core

VLAN, KEY = CUSTOMERS[0][1], CUSTOMERS[0][2]
COUNT = 50


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def sent(edge):
    ports = edge.show("ports")
    check_conservation(ports)
    return ports["access0"]["sent"]


def link_is(edge, port, state):
    wait_until(f"{port} is {state}", lambda: edge.show("ports")[port]["link"] == state)


def no_link(program, directory):
    """The interface down, and its cable out, for every driver over an interface of the system."""
    for driver in ("net_af_packet", "net_tap"):
        packet = driver == "net_af_packet"
        make_links(("a0", "a1"), *([("c0", "c1")] if packet else []))
        model = configuration(directory, "net_af_packet0,iface=a0", f"{driver}1,iface=c0")
        customer_side = Wire("a1")
        with Edge(program, directory, model) as edge:
            link_is(edge, "core0", "up")
            for number, interface in enumerate(("c0", "c1") if packet else ("c0",), 1):
                ip("link", "set", interface, "down")
                link_is(edge, "core0", "down")
                before = sent(edge)
                for _ in range(COUNT):
                    customer_side.send(from_customer(VLAN, 0))
                wait_until("they are dropped by name",
                           lambda want=number * COUNT: edge.show("drops").get("link_down") == want)
                assert sent(edge) == before and set(edge.show("drops")) == {"link_down"}, edge.show("drops")
                circuit = edge.circuit("contoso", "to_cloud")
                assert circuit["packets"] == before, circuit
                ip("link", "set", interface, "up")
                link_is(edge, "core0", "up")
            cloud_side = Wire("c1" if packet else "c0")
            customer_side.send(from_customer(VLAN, 7))
            wait_until("it is sent", lambda: sent(edge) == 1)
            assert to_core(cloud_side.receive()) == (KEY, 7), "and nothing old before it"
            edge.end()
        for name in ("a0", *(["c0"] if packet else [])):
            ip("link", "del", name)


def a_lower_mtu(program, directory):
    """Somebody sets it under a running edge: said, and what the system would lose is dropped by name, to the byte."""
    make_links(("a0", "a1"), ("c0", "c1"))
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    with Edge(program, directory, configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")) as edge:
        for interface, port, needed in (("c0", "core0", 1600), ("a0", "access0", 1508)):
            ip("link", "set", interface, "mtu", "1000")
            reason = f"interface {interface} has an MTU of 1000, and the port needs {needed}"
            wait_until("it is said", lambda want=reason, at=port: edge.show("ports")[at]["link_reason"] == want)
            assert reason in edge.log() and f"ip link set {interface} mtu {needed}" in edge.log(), edge.log()
            assert edge.show("ports")[port]["link"] == "up"
            before = edge.show("drops").get("tx_failed", 0)
            # IPv4 and GRE with a key to the core; two tags to the customer, of which the system
            # allows for the outer one, which is 0x8100.
            fits = 1000 - 28 if port == "core0" else 1000 - 4
            for size in (fits, fits + 1):
                if port == "core0":
                    customer_side.send(from_customer(VLAN, size, size))
                else:
                    cloud_side.send(from_cloud(KEY, size, size))
            if port == "core0":
                assert to_core(cloud_side.receive(), fits) == (KEY, fits)
            else:
                assert to_access(customer_side.receive(), fits) == (VLAN, fits)
            wait_until("the longer one is dropped", lambda old=before: edge.show("drops").get("tx_failed") == old + 1)
            ip("link", "set", interface, "mtu", "2000")
            wait_until("it is as it was", lambda at=port: edge.show("ports")[at]["link_reason"] == "")
            assert f"interface {interface} has an MTU of 2000 again" in edge.log(), edge.log()
        for size in (1472, 1500):
            customer_side.send(from_customer(VLAN, size, size))
            assert to_core(cloud_side.receive(), size) == (KEY, size)
        assert edge.show("drops") == {"tx_failed": 2}, edge.show("drops")
        check_conservation(edge.show("ports"))
        edge.end()
    for name in ("a0", "c0"):
        ip("link", "del", name)


def what_a_device_loses(program, directory):
    """Frames that net_af_packet had taken when its interface went down: whatever is not received was not counted as sent
    by the device, or is told of."""
    make_links(("a0", "a1"), ("c0", "c1"))
    customer_side = Wire("a1")
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", idle="spin")
    with Edge(program, directory, model) as edge:
        link_is(edge, "core0", "up")
        before = edge.show("ports")["core0"]["transmitted"]
        ip("link", "set", "c0", "down")
        frames = 0
        while edge.show("drops").get("link_down", 0) == 0:
            for _ in range(COUNT):
                customer_side.send(from_customer(VLAN, 0))
            frames += COUNT
        wait_until("all are counted", lambda: edge.show("ports")["access0"]["received"] == frames)
        ports = edge.show("ports")
        check_conservation(ports)
        wait_until("the device's failures are shown",
                   lambda: edge.show("ports")["core0"]["tx_failed"] == ports["core0"]["transmitted"] - before)
        if ports["core0"]["transmitted"] > before:
            assert "port core0: net_af_packet did not send" in edge.log(), edge.log()
        edge.end()
    for name in ("a0", "c0"):
        ip("link", "del", name)


own_namespace()
main(no_link, a_lower_mtu, what_a_device_loses)
