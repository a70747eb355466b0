"""What the tests of memif ports share: devices, traffic for testpmd, and what they ask of the edge."""

import os

from scapy.utils import wrpcap

from edge import CUSTOMERS
from traffic import from_cloud, from_customer

BEHIND = 5000  # frames each way between two deaths


def memif(directory, role, abstract="no"):
    return [f"net_memif{number},role={role},id=0,socket={directory}/{port}.memif,socket-abstract={abstract}"
            for number, port in enumerate(("access", "core"))]


def captures(directory):
    up = [from_customer(vlan, number) for number in range(32) for _, vlan, _ in CUSTOMERS]
    down = [from_cloud(key, number) for number in range(32) for _, _, key in CUSTOMERS]
    for name, frames in (("up", up), ("down", down)):
        wrpcap(str(directory / f"{name}.pcap"), frames, linktype=1)
    return [f"net_pcap{number},rx_pcap={directory}/{name}.pcap,infinite_rx=1" for number, name in enumerate(("up", "down"))]


def transmitted(edge):
    return [port["transmitted"] for port in edge.show("ports").values()]


def links(edge):
    assert edge.process.poll() is None, (edge.process.returncode, edge.log())
    return {port["link"] for port in edge.show("ports").values()}


def open_files(edge):
    return len(os.listdir(f"/proc/{edge.process.pid}/fd"))
