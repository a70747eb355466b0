#!/usr/bin/python3
"""A circuit pair on two ports: flows to the customer are spread over the links that are alive, leave one that dies, and
come back to it; each flow stays in order over both links together."""

import json
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


class Router(threading.Thread):
    """The customer's router on one link: answers ARP while it lives, and keeps what it gets, by flow."""

    def __init__(self, name, order):
        super().__init__(daemon=True)
        self.name_, self.wire, self.order, self.alive, self.ended, self.packets = name, Wire(name), order, True, False, 0
        self.wire.socket.settimeout(0.2)
        self.start()

    def run(self):
        while not self.ended:
            try:
                frame = Ether(self.wire.receive())
            except (TimeoutError, OSError):
                continue
            if ARP in frame:
                if self.alive and frame[ARP].op == 1 and frame[ARP].pdst == ADDRESS[self.name_]:
                    answer = ARP(op=2, hwsrc=ROUTERS[self.name_], psrc=ADDRESS[self.name_], hwdst=frame[ARP].hwsrc,
                                 pdst=frame[ARP].psrc)
                    tags = Dot1Q(vlan=100, type=0x8100) / Dot1Q(vlan=10)
                    self.wire.send(bytes(Ether(dst=frame.src, src=ROUTERS[self.name_], type=0x88A8) / tags / answer))
                continue
            if frame.haslayer("UDP"):
                number = int.from_bytes(bytes(frame["UDP"].payload)[:4], "big")
                self.order.append((time.monotonic(), self.name_, frame["UDP"].sport, number))
                self.packets += 1


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


def flows_move(program, directory):
    make_links(("a0", "a1"), ("b0", "b1"), ("c0", "c1"))
    order, cloud = [], Wire("c1")
    with PairEdge(program, directory, model(directory)) as edge:
        primary, secondary = Router("a1", order), Router("b1", order)
        wait_until("both links live", lambda: alive(edge) == {"primary": True, "secondary": True})
        number = 0

        def send(rounds=4):
            nonlocal number
            for _ in range(rounds * FLOWS):
                cloud.send(from_cloud(KEY, number))
                number += 1
            wait_until("all arrive", lambda: len(order) == number)

        send()
        split = carried(edge)
        assert split["primary"] > 0 and split["secondary"] > 0 and sum(split.values()) == number, split
        home = {flow: {link for _, link, one, _ in order if one == flow} for flow in {one[2] for one in order}}
        assert len(home) == FLOWS and all(len(links) == 1 for links in home.values()), home

        secondary.alive = False  # its port stays up; nobody answers on it
        died = time.monotonic()
        wait_until("it is noticed", lambda: alive(edge) == {"primary": True, "secondary": False})
        print(f"noticed after {time.monotonic() - died:.2f} s")
        before = carried(edge)
        send()
        after = carried(edge)
        assert after["secondary"] == before["secondary"] and after["primary"] == before["primary"] + 4 * FLOWS, after

        secondary.alive = True
        wait_until("it is back", lambda: alive(edge) == {"primary": True, "secondary": True})
        back = len(order)
        send()
        for _, link, flow, _ in order[back:]:
            assert home[flow] == {link}, (flow, link, home[flow])


        subprocess.run(["ip", "link", "set", "a1", "down"], check=True)  # the cable
        died = time.monotonic()
        wait_until("it is noticed", lambda: alive(edge) == {"primary": False, "secondary": True})
        print(f"a cable: noticed after {time.monotonic() - died:.2f} s")
        before = carried(edge)
        send()
        after = carried(edge)
        assert after["primary"] == before["primary"] and sum(after.values()) == number, after

        for flow in home:
            numbers = [one for _, _, which, one in order if which == flow]
            assert numbers == sorted(numbers), (flow, numbers)
        said = edge.command("show", "circuit", "contoso/sea")[1]
        assert "primary" in said and "secondary" in said and "access1" in said, said
        status, _, said = edge.command("show", "circuit", "see")
        assert status == 1 and "contoso/sea" in said, said
        for one in (primary, secondary):
            one.ended = True
            one.join()
        check_conservation(edge.show("ports"))
        assert set(edge.show("drops")) <= {"multicast"}, edge.show("drops")
        edge.end()


own_namespace()
main(flows_move)
