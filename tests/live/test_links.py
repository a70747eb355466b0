#!/usr/bin/python3
"""Interfaces that go down, go away and come back under a running edge."""

import json
import socket
import subprocess
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from edge import CUSTOMERS, Edge, check_conservation, configuration, main, wait_until
from traffic import from_cloud, from_customer, to_access, to_core
from links import Wire, make_links, own_namespace

VLAN, KEY = CUSTOMERS[0][1], CUSTOMERS[0][2]


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def index_of(name):
    """0 if there is no such interface."""
    return dict(map(reversed, socket.if_nameindex())).get(name, 0)


def mtu_of(name):
    shown = subprocess.run(["ip", "-j", "link", "show", name], capture_output=True, check=True).stdout
    return json.loads(shown)[0]["mtu"]


def link_of(edge, name, state):
    return wait_until(f"{name} is {state}", lambda: edge.show("ports")[name]["link"] == state)


def passes(customer_side, cloud_side, number):
    """A packet goes each way. Of those that were on their way before, some may come first."""
    customer_side.send(from_customer(VLAN, number))
    while to_core(cloud_side.receive())[1] != number:
        pass
    cloud_side.send(from_cloud(KEY, number))
    while to_access(customer_side.receive())[1] != number:
        pass


def what_packet_sockets_carry(program, directory):
    """What `check` allows is carried, to the octet; interfaces get the MTU they need, and none gets a smaller one."""
    make_links(("e0", "e1"), ("f0", "f1"))
    for far in ("e1", "f1"):
        ip("link", "set", far, "mtu", "9100")
    customer_side, cloud_side = Wire("e1"), Wire("f1")
    for more, core_mtu in ((",framesz=9216,blocksz=36864", 9000), (",framesz=4096", 4016), ("", 1968)):
        inside = core_mtu - 28  # IPv4, GRE with a key
        for near in ("e0", "f0"):
            ip("link", "set", near, "mtu", "1500")
        model = configuration(directory, f"net_af_packet0,iface=e0{more}", f"net_af_packet1,iface=f0{more}")
        model["ports"]["access0"]["mtu"], model["ports"]["core0"]["mtu"] = inside, core_mtu
        with Edge(program, directory, model) as edge:
            assert (mtu_of("e0"), mtu_of("f0")) == (max(inside + 8, 1500), core_mtu)
            for size in (1514, inside):
                customer_side.send(from_customer(VLAN, size, size))
                assert to_core(cloud_side.receive(), size) == (KEY, size)
                cloud_side.send(from_cloud(KEY, size, size))
                assert to_access(customer_side.receive(), size) == (VLAN, size)
            assert "does not take" not in edge.log(), edge.log()
            edge.end()


def a_link_that_goes_down_and_comes_back(program, directory):
    make_links(("a0", "a1"), ("c0", "c1"))
    model = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0")
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    with Edge(program, directory, model) as edge:
        passes(customer_side, cloud_side, 1)
        for number, interface in ((2, "c0"), (3, "c1"), (4, "a1")):  # itself, and the other end of its cable
            port = "core0" if interface.startswith("c") else "access0"
            ip("link", "set", interface, "down")
            before = time.monotonic()
            link_of(edge, port, "down")
            assert time.monotonic() - before < 5
            customer_side.socket.close(), cloud_side.socket.close()
            ip("link", "set", interface, "up")
            link_of(edge, port, "up")
            customer_side, cloud_side = Wire("a1"), Wire("c1")
            passes(customer_side, cloud_side, number)
        ports = edge.show("ports")
        assert ports["core0"]["offloads"] == "none" and "vlan_strip" in ports["core0"]["in_software"], ports
        assert ports["access0"]["offloads"] == "vlan_strip", ports
        assert "vlan_strip" not in ports["access0"]["in_software"], ports
        assert edge.log().count("core0: link down") == 2 and "access0: offloads: vlan_strip" in edge.log(), edge.log()
        edge.end()


def an_interface_that_goes_away_and_comes_back(program, directory):
    """Its port waits and the others go on; with queues for both workers, and shared."""
    for options in ("", ",qpairs=2"):
        for name in ("a0", "c0", "b0"):
            if index_of(name):
                ip("link", "del", name)
        make_links(("a0", "a1"), ("c0", "c1"), ("b0", "b1"))
        model = configuration(directory, f"net_af_packet0,iface=a0{options}", f"net_af_packet1,iface=c0{options}")
        model["ports"]["access1"] = {"role": "access", "device": f"net_af_packet2,iface=b0{options}"}
        with Edge(program, directory, model) as edge:
            customer_side = Wire("a1")
            passes(customer_side, Wire("c1"), 1)
            for number in range(2, 5):
                ip("link", "del", "c0")
                link_of(edge, "core0", "down")
                shown = edge.show("ports")
                assert shown["core0"]["link_reason"] == "interface c0 is gone", shown
                assert shown["access0"]["link"] == "up" and shown["access0"]["link_reason"] == "", shown
                for _ in range(40):  # nowhere to go; nobody is held up
                    customer_side.send(from_customer(VLAN, 0))
                wait_until("they are dropped", lambda want=40 * (number - 1): edge.show("drops").get("link_down") == want)
                if number == 3:  # two are away, and come back in the other order
                    ip("link", "del", "b0")
                    link_of(edge, "access1", "down")
                    make_links(("b0", "b1"))
                    link_of(edge, "access1", "up")
                make_links(("c0", "c1"))
                link_of(edge, "core0", "up")
                shown = subprocess.run(["ip", "link", "show", "c0"], capture_output=True, text=True, check=True).stdout
                assert "02:00:00:00:00:c0" in shown, shown
                passes(customer_side, Wire("c1"), number)
            assert edge.show("ports")["core0"]["link_reason"] == "", edge.show("ports")
            status, _, said = edge.command("reload")
            assert status == 0, said
            check_conservation(wait_until("counters", lambda: edge.show("ports")))
            edge.end()


def an_end_while_an_interface_is_away(program, directory):
    make_links(("d0", "d1"), ("e0", "e1"))
    with Edge(program, directory, configuration(directory, "net_af_packet0,iface=d0", "net_af_packet1,iface=e0")) as edge:
        ip("link", "del", "e0")
        link_of(edge, "core0", "down")
        edge.end()


def a_tap_is_made_again(program, directory):
    with Edge(program, directory, configuration(directory, "net_tap0,iface=t0", "net_null1")) as edge:
        link_of(edge, "access0", "up")
        index = index_of("t0")
        ip("link", "del", "t0")
        wait_until("another t0", lambda: index_of("t0") not in (0, index))
        link_of(edge, "access0", "up")
        edge.end()


def a_tap_for_local_delivery_is_made_again(program, directory):
    make_links(("g0", "g1"), ("h0", "h1"))
    model = configuration(directory, "net_af_packet0,iface=g0", "net_af_packet1,iface=h0")
    model["ports"]["core0"]["tap"] = "pl-core0"
    with Edge(program, directory, model) as edge:
        cloud_side = Wire("h1")
        for number in range(1, 4):
            frame = bytes(Ether(dst="02:00:00:00:00:c0", src="02:00:00:00:00:fe") /
                          IP(src="192.0.2.254", dst="192.0.2.1") / TCP(sport=number, dport=179))
            index, system = index_of("pl-core0"), Wire("pl-core0")
            cloud_side.send(frame)
            assert system.receive() == frame
            system.socket.close()
            ip("link", "del", "pl-core0")
            wait_until("another tap", lambda: index_of("pl-core0") not in (0, index))
            wait_until("its end is said", lambda: edge.log().count("core0: tap `pl-core0` is made again") == number)
        assert edge.log().count("core0: tap `pl-core0` is gone") == 3, edge.log()
        edge.end()


own_namespace()
main(a_link_that_goes_down_and_comes_back, an_interface_that_goes_away_and_comes_back,
     an_end_while_an_interface_is_away, a_tap_is_made_again, a_tap_for_local_delivery_is_made_again,
     what_packet_sockets_carry)
