#!/usr/bin/python3
"""Real frames through the kernel: af_packet ports on veth pairs in a namespace of the test's own, reloads meanwhile."""

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from edge import CUSTOMERS, PATIENCE, Edge, changed, check_conservation, configuration, main, wait_until
from traffic import from_cloud, from_customer, to_access, to_core

ROUNDS = 40
WINDOW = 16  # frames of each customer under way at once: no queue on the way can overflow
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8


def own_namespace():
    """Starts this program again where it may make interfaces, without being root and without touching the host's."""
    if os.environ.get("PEERLANE_NAMESPACE"):
        return
    os.environ["PEERLANE_NAMESPACE"] = "1"
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]  # a user namespace, where the system lets one have it
    os.execvp("unshare", ["unshare", "--net", *as_root, sys.executable, *sys.argv])


def make_links():
    for setting in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{setting}/disable_ipv6").write_text("1")  # no frames but the test's
    for near, far in (("a0", "a1"), ("c0", "c1")):
        subprocess.run(["ip", "link", "add", near, "mtu", "2000", "type", "veth", "peer", "name", far, "mtu", "2000"],
                       check=True)
        for name in (near, far):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)


class Wire:
    """The far end of a pair."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((interface, 0))
        self.socket.settimeout(PATIENCE)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        """The next frame from the edge, with the tag that the kernel took off put back."""
        while True:
            frame, auxiliary, _, address = self.socket.recvmsg(4096, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, data in auxiliary:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
                    if status & 0x10:  # TP_STATUS_VLAN_VALID
                        frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
            return frame


def exchange(customer_side, cloud_side, first, size):
    """A window each way; every frame must come out once. Returns the next number."""
    numbers = range(first, first + WINDOW)
    for number in numbers:
        for _, vlan, key in CUSTOMERS:
            customer_side.send(from_customer(vlan, number, size))
            cloud_side.send(from_cloud(key, number, size))
    out = sorted(to_core(cloud_side.receive(), size) for _ in range(WINDOW * len(CUSTOMERS)))
    assert out == sorted((key, number) for _, _, key in CUSTOMERS for number in numbers), out
    out = sorted(to_access(customer_side.receive(), size) for _ in range(WINDOW * len(CUSTOMERS)))
    assert out == sorted((vlan, number) for _, vlan, _ in CUSTOMERS for number in numbers), out
    return first + WINDOW


def forward(program, directory, options, idle):
    model = configuration(directory, f"net_af_packet0,iface=a0{options}", f"net_af_packet1,iface=c0{options}", idle=idle)
    customer_side, cloud_side = Wire("a1"), Wire("c1")
    failures = []
    with Edge(program, directory, model) as edge:
        assert all(port["link"] == "up" for port in edge.show("ports").values()), edge.show("ports")
        done = threading.Event()

        def reload_all_the_time():
            step = 0
            while not done.is_set() or step < 4:
                edge.write(changed(model, step))
                status, _, said = edge.command("reload")
                if status != 0:
                    failures.append(said)
                step += 1

        reloading = threading.Thread(target=reload_all_the_time)
        reloading.start()
        try:
            number = 0
            for each in range(ROUNDS):
                number = exchange(customer_side, cloud_side, number, 1500 if each % 4 == 0 else 100)
        finally:
            done.set()
            reloading.join()
        assert not failures, failures
        ports = wait_until("counters", lambda: edge.show("ports"))
        check_conservation(ports)
        expected = number * len(CUSTOMERS)
        assert ports["access0"]["sent"] == ports["core0"]["sent"] == expected, (expected, ports)
        assert edge.show("drops") == {}, edge.show("drops")
        for name, _, _ in CUSTOMERS:
            assert edge.circuit(name, "to_cloud")["packets"] == number
            assert edge.circuit(name, "to_customer")["packets"] == number
        edge.end()


def one_queue(program, directory):
    forward(program, directory, "", "sleep")


def a_queue_for_each_worker(program, directory):
    forward(program, directory, ",qpairs=2", "sleep")


own_namespace()
make_links()
main(one_queue, a_queue_for_each_worker)
