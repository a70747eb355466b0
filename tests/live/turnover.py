"""Ends of ports of every type, and as many frames both ways as turn all buffers over several times: forwarded ones, whose
buffers a worker takes and gives back, and ARP requests for the edge, whose buffers the control thread gives back. Only the
latter go round through the whole pool; the former stay in the worker's cache of it."""

import os
import select
import socket
import time
from pathlib import Path

from edge import CUSTOMERS, PATIENCE, check_conservation, wait_until
from links import ETH_P_ALL
from taps import Tap
from traffic import Dot1Q, Ether, from_cloud, from_customer
from scapy.layers.l2 import ARP

FRAMES = 24_000  # each way: 80 a second for five minutes, and more than twice the buffers of any port
WINDOW = 64      # frames under way each way: no queue on the way can overflow
PUNTS = 32       # ARP requests for the edge with each window: more than the buffers of any port in all
SIZE = 300       # of the IP packets that are forwarded; nothing that the edge makes itself is so long
TO_ACCESS, TO_CORE = SIZE + 22, SIZE + 42  # frames; the system may take the outer tag off
HUGEPAGES = Path("/proc/sys/vm/nr_hugepages")


class TapEnd:
    """The wire of an interface that the edge's port uses."""

    def __init__(self, name, mac):
        self.tap = Tap(name, mac)

    def send(self, frames):
        for frame in frames:
            self.tap.send(frame)

    def count(self, size):
        """Waits for frames; returns how many of those that are there are so long."""
        assert select.select([self.tap.file], [], [], PATIENCE)[0], f"no frame leaves by {self.tap.name} any more"
        found = 0
        try:
            while True:
                found += len(os.read(self.tap.file, 4096)) == size
        except BlockingIOError:
            return found

    def close(self):
        self.tap.close()


class SystemEnd:
    """The system's side of an interface that the edge has made."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((name, 0))
        self.name = name

    def send(self, frames):
        for frame in frames:
            self.socket.send(frame)

    def count(self, size):
        assert select.select([self.socket], [], [], PATIENCE)[0], f"no frame leaves by {self.name} any more"
        found = 0
        try:
            while True:
                frame, address = self.socket.recvfrom(4096, socket.MSG_DONTWAIT)
                found += address[2] != socket.PACKET_OUTGOING and len(frame) in (size, size - 4)
        except BlockingIOError:
            return found

    def close(self):
        self.socket.close()


class PortType:
    """How a port of this type is configured, and what is at its other end."""

    def __init__(self, name, access, core, before=(), after=()):
        self.name, self.access, self.core = name, access, core
        self.before, self.after = before, after  # made before the edge starts, and when it runs


def taps():
    return (lambda: TapEnd("a0", "02:00:00:00:00:a0")), (lambda: TapEnd("c0", "02:00:00:00:00:c1"))


def port_types():
    return (
        PortType("af_xdp", "net_af_xdp0,iface=a0", "net_af_xdp1,iface=c0", before=taps()),
        PortType("af_packet", "net_af_packet0,iface=a0", "net_af_packet1,iface=c0", before=taps()),
        PortType("tap", "net_tap0,iface=a0", "net_tap1,iface=c0",
                 after=((lambda: SystemEnd("a0")), (lambda: SystemEnd("c0")))),
    )


def ask(source, target, tags=None):
    """An ARP request for an address of the edge."""
    mac = "02:00:00:00:01:01" if tags else "02:00:00:00:00:fe"
    link = Ether(dst="ff:ff:ff:ff:ff:ff", src=mac)
    return bytes((link / tags if tags else link) / ARP(op=1, hwsrc=mac, psrc=source, pdst=target))


def turn_over(edge, access, core):
    """Every frame comes out, to the last one."""
    vlan, key = CUSTOMERS[0][1:]
    up = [from_customer(vlan, number, SIZE) for number in range(WINDOW)]
    down = [from_cloud(key, number, SIZE) for number in range(WINDOW)]
    up += [ask("172.16.0.1", "172.16.0.2", Dot1Q(vlan=vlan) / Dot1Q(vlan=10))] * PUNTS
    down += [ask("192.0.2.254", "192.0.2.1")] * PUNTS
    wait_until("the links are up", lambda: all(port["link"] == "up" for port in edge.show("ports").values()))
    for _ in range(0, FRAMES, WINDOW):
        access.send(up)
        core.send(down)
        for end, size in ((access, TO_ACCESS), (core, TO_CORE)):
            left = WINDOW
            while left > 0:
                left -= end.count(size)
            assert left == 0, (end, left)
    windows = FRAMES // WINDOW

    def all_counted():
        found = edge.show("ports").values()
        return all(port["received"] == windows * (WINDOW + PUNTS) for port in found) and edge.show("ports")
    ports = wait_until("every frame is received", all_counted)
    check_conservation(ports)
    assert all(port["sent"] >= windows * WINDOW for port in ports.values()), ports
    # Of what the edge says itself, some may be too much for a slow machine; what it forwards has all come out.
    assert set(edge.show("drops")) <= {"punt_full", "tx_full"}, edge.show("drops")
    assert all(port["punted"] > windows * PUNTS // 2 for port in ports.values()), ports
    for port in ports.values():
        lost = {name: count for name, count in (port["xdp_statistics"] or {}).items() if name != "tx_ring_empty_descs"}
        assert not any(lost.values()), port
    return ports


class Hugepages:
    """So many more of them while this is open, where the machine has them to give."""

    def __init__(self, count):
        self.before = int(HUGEPAGES.read_text())
        HUGEPAGES.write_text(str(self.before + count))
        self.given = int(HUGEPAGES.read_text()) - self.before
        self.enough = self.given >= count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        HUGEPAGES.write_text(str(self.before))
