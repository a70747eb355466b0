#!/usr/bin/python3
"""A circuit pair on two ports: flows to the customer are spread over the links that are alive, leave one that dies, and
come back to it; each flow stays in order over both links together, also while it moves."""

import collections
import contextlib
import itertools
import json
import os
import socket
import struct
import subprocess
import threading
import time

from scapy.layers.l2 import ARP, Dot1Q, Ether

from edge import Edge, check_conservation, configuration, main, wait_until
from links import Wire, make_links, own_namespace
from traffic import FLOWS, from_cloud

ROUTERS = {"a1": "02:00:00:00:01:01", "b1": "02:00:00:00:01:02"}
ADDRESS = {"a1": "172.16.0.1", "b1": "172.16.0.5"}
OWN = {"a1": "02:00:00:00:00:a0", "b1": "02:00:00:00:00:b0"}
KEY = 0x2A01
BOTH = {"primary": True, "secondary": True}
MANY, PAUSE = 64, 0.01  # flows that are sent without an end, and seconds after a packet of each: no queue is full
ENOUGH = 20  # packets of a flow


def model(directory):
    peering = {"type": "private", "vlan": 10, "subnets": {"primary": "172.16.0.0/30", "secondary": "172.16.0.4/30"},
               "customer_prefixes": ["10.0.0.0/16"],
               "virtual_networks": [{"name": "prod", "prefixes": ["10.100.0.0/16"],
                                     "tunnel": {"local": "192.0.2.1", "remote": "198.51.100.7", "key": KEY}}]}
    circuit = {"name": "sea", "links": {"primary": "access0", "secondary": "access1"}, "service_vlan": 100,
               "bandwidth": "10 Gbps", "peerings": [peering]}
    made = configuration(directory, "net_af_packet0,iface=a0", "net_af_packet1,iface=c0",
                         customers=[{"name": "contoso", "circuits": [circuit]}])
    made["ports"]["access1"] = {"role": "access", "device": "net_af_packet2,iface=b0", "mac": OWN["b1"]}
    return made


class Station(threading.Thread):
    """Runs beside the test while this is open, until `ended`."""

    def __init__(self, wire):
        super().__init__(daemon=True)
        self.wire, self.ended = wire, False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        self.join()
        self.wire.socket.close()


class Customer(Station):
    """The customer's routers on both links: each answers ARP while it lives, and what they get is kept by flow.

    One socket hears both links, so that it is the kernel who says what came first.
    """

    def __init__(self):
        super().__init__(Wire())
        self.alive, self.arrived = dict.fromkeys(ROUTERS, True), []
        self.wire.socket.settimeout(0.2)

    def run(self):
        while not self.ended:
            try:
                link, frame = self.wire.receive_from()
            except TimeoutError:
                continue
            if link in ROUTERS and frame[20:22] == b"\x08\x06":
                self.asked(link, Ether(frame))
            elif link in ROUTERS and frame[31] == socket.IPPROTO_UDP:
                self.arrived.append((link, *struct.unpack_from("!H6xI", frame, 42)))  # source port, number

    def answers(self, link, whether):
        self.alive[link] = whether

    def asked(self, link, frame):
        if self.alive[link] and frame[ARP].op == 1 and frame[ARP].pdst == ADDRESS[link]:
            answer = ARP(op=2, hwsrc=ROUTERS[link], psrc=ADDRESS[link], hwdst=frame[ARP].hwsrc, pdst=frame[ARP].psrc)
            tags = Dot1Q(vlan=100, type=0x8100) / Dot1Q(vlan=10)
            whole = bytes(Ether(dst=frame.src, src=ROUTERS[link], type=0x8100) / tags / answer)
            with contextlib.suppress(OSError):  # the cable may be gone by now
                self.wire.socket.sendto(whole, (link, 0))


class Cloud(Station):
    """Sends on and on a packet of each of many flows in turn, numbered within each.

    From one processor: each has a queue of its own for what it sends, and the kernel may serve them in any order.
    """

    def __init__(self):
        super().__init__(Wire("c1"))
        self.template = from_cloud(KEY, 0)

    def run(self):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for number in itertools.count():
            for flow in range(MANY):
                self.wire.send(self.packet(flow, number))
            if self.ended:
                return
            time.sleep(PAUSE)

    def packet(self, flow, number):
        """The template's with another source port, no checksum of UDP, and another number."""
        return b"".join((self.template[:62], (1024 + flow).to_bytes(2, "big"), self.template[64:68], bytes(2),
                         number.to_bytes(4, "big"), self.template[74:]))


def carried(edge):
    """By link, what it carried to the customer."""
    shown = edge.show_circuit("sea")
    return {link["link"]: link["to_customer"]["packets"] for link in shown["links"]}


class PairEdge(Edge):
    def show_circuit(self, name):
        status, out, said = self.command("show", "circuit", name, "--json")
        assert status == 0, said
        return json.loads(out)["circuit"]


def alive(edge):
    return {link["link"]: all(p["alive"]["ipv4"] for p in link["peerings"]) for link in edge.show_circuit("sea")["links"]}


def cable(interface, plugged):
    subprocess.run(["ip", "link", "set", interface, "up" if plugged else "down"], check=True)


def overtaken(arrived):
    """By flow, the pairs of numbers that arrived one after the other and do not grow."""
    last, pairs = {}, {}
    for _, flow, number in arrived:
        if number <= last.get(flow, -1):
            pairs.setdefault(flow, []).append((last[flow], number))
        last[flow] = number
    return pairs


def enough(arrived, links):
    """Packets of every flow came, by its link in `links` if it has one there."""
    packets = collections.Counter(flow for link, flow, _ in arrived if links.get(flow, link) == link)
    return len(packets) == MANY and min(packets.values()) >= ENOUGH


def arrive(customer, links):
    """Waits until from now on enough of every flow has arrived."""
    start = len(customer.arrived)
    wait_until(f"enough of every flow arrives, by {set(links.values())}",
               lambda: enough(customer.arrived[start:], links))


def ways(arrived):
    """By flow, the links it came by, one after the other."""
    links = {}
    for link, flow, _ in arrived:
        way = links.setdefault(flow, [])
        if way[-1:] != [link]:
            way.append(link)
    return links


def flows_move(program, directory):
    cloud = Wire("c1")
    with PairEdge(program, directory, model(directory)) as edge, Customer() as customer:
        wait_until("both links live", lambda: alive(edge) == BOTH)
        number = 0

        def send(rounds=4):
            nonlocal number
            for _ in range(rounds * FLOWS):
                cloud.send(from_cloud(KEY, number))
                number += 1
            wait_until("all arrive", lambda: len(customer.arrived) == number)

        send()
        split = carried(edge)
        assert split["primary"] > 0 and split["secondary"] > 0 and sum(split.values()) == number, split
        home = ways(customer.arrived)
        assert len(home) == FLOWS and all(len(links) == 1 for links in home.values()), home

        customer.answers("b1", False)  # its port stays up; nobody answers on it
        died = time.monotonic()
        wait_until("it is noticed", lambda: alive(edge) == BOTH | {"secondary": False})
        print(f"noticed after {time.monotonic() - died:.2f} s")
        lost = "neighbour 172.16.0.5 (contoso/sea private, secondary link on access1) "
        wait_until("it is told of", lambda: lost + "does not answer: the pair's flows go by the other link" in edge.log())
        before = carried(edge)
        send()
        after = carried(edge)
        assert after["secondary"] == before["secondary"] and after["primary"] == before["primary"] + 4 * FLOWS, after

        customer.answers("b1", True)
        wait_until("it is back", lambda: alive(edge) == BOTH)
        wait_until("that is told of too", lambda: lost + "answers again" in edge.log())
        back = len(customer.arrived)
        send()
        assert ways(customer.arrived[back:]) == home, (ways(customer.arrived[back:]), home)

        cable("a1", False)
        died = time.monotonic()
        wait_until("it is noticed", lambda: alive(edge) == BOTH | {"primary": False})
        print(f"a cable: noticed after {time.monotonic() - died:.2f} s")
        before = carried(edge)
        send()
        after = carried(edge)
        assert after["primary"] == before["primary"] and sum(after.values()) == number, after

        assert overtaken(customer.arrived) == {}, overtaken(customer.arrived)
        said = edge.command("show", "circuit", "contoso/sea")[1]
        assert "primary" in said and "secondary" in said and "access1" in said, said
        status, _, said = edge.command("show", "circuit", "see")
        assert status == 1 and "contoso/sea" in said, said
        check_conservation(edge.show("ports"))
        assert set(edge.show("drops")) <= {"multicast"}, edge.show("drops")
        edge.end()
    cable("a1", True)


def flows_stay_in_order(program, directory):
    """Packets go on and on while each link falls silent and comes back, and then one loses its cable and gets it back."""
    made = model(directory)
    cores = sorted(os.sched_getaffinity(0))[:2]
    made["edge"].update(workers=len(cores), cores=cores)  # a processor for each, for the same reason as with the cloud
    with PairEdge(program, directory, made) as edge, Customer() as customer:
        wait_until("both links live", lambda: alive(edge) == BOTH)
        with Cloud():
            arrive(customer, {})
            home = {flow: way[-1] for flow, way in ways(customer.arrived).items()}
            assert set(home.values()) == {"a1", "b1"}, home
            for change, interface, link, other in ((customer.answers, "b1", "secondary", "a1"),
                                                   (customer.answers, "a1", "primary", "b1"),
                                                   (cable, "a1", "primary", "b1")):
                change(interface, False)
                wait_until("it is noticed", lambda link=link: alive(edge) == BOTH | {link: False})
                arrive(customer, dict.fromkeys(home, other))
                change(interface, True)
                wait_until("it is back", lambda: alive(edge) == BOTH)
                arrive(customer, home)
        assert overtaken(customer.arrived) == {}, overtaken(customer.arrived)
        print(f"{len(customer.arrived)} packets in order", flush=True)
        edge.end()


own_namespace()
make_links(("a0", "a1"), ("b0", "b1"), ("c0", "c1"))
main(flows_move, flows_stay_in_order)
