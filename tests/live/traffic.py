"""Frames for the edge of edge.py, and what must have become of them; made and taken apart by scapy."""

import logging

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import GRE, Dot1Q, Ether  # noqa: E402

FLOWS = 16


def inner(source, destination, number, size):
    """`number` is at the start of the payload: it says which packet this is."""
    packet = IP(src=source, dst=destination, id=number & 0xFFFF, ttl=64) / UDP(sport=1024 + number % FLOWS, dport=9)
    room = max(size - len(packet), 4)
    return packet / (number.to_bytes(4, "big") + bytes(room - 4))


def from_customer(service_vlan, number, size=100, source="10.0.0.5", destination="10.100.0.9"):
    return bytes(Ether(dst="02:00:00:00:00:a0", src="02:00:00:00:01:01") / Dot1Q(vlan=service_vlan) / Dot1Q(vlan=10) /
                 inner(source, destination, number, size))


def from_cloud(key, number, size=100, source="10.100.0.9", destination="10.0.0.5"):
    return bytes(Ether(dst="02:00:00:00:00:c0", src="02:00:00:00:00:fe") /
                 IP(src="198.51.100.7", dst="192.0.2.1", ttl=60, flags="DF") / GRE(key_present=1, key=key) /
                 inner(source, destination, number, size))


def number_of(packet):
    return int.from_bytes(bytes(packet[UDP].payload)[:4], "big")


def to_core(frame, expected_size=100):
    """(GRE key, number) of a frame that left by the core port; asserts that it is whole."""
    packet = Ether(frame)
    assert packet.dst == "02:00:00:00:00:fe" and packet.src == "02:00:00:00:00:c0", packet.summary()
    assert packet[IP].src == "192.0.2.1" and packet[IP].dst == "198.51.100.7", packet.summary()
    assert packet[GRE].key_present == 1
    carried = packet[GRE].payload
    assert isinstance(carried, IP) and len(carried) == expected_size and carried.ttl == 63, carried.summary()
    assert (carried.src, carried.dst) == ("10.0.0.5", "10.100.0.9")
    return packet[GRE].key, number_of(carried)


def to_access(frame, expected_size=100):
    """(S-VID, number) of a frame that left by the access port."""
    packet = Ether(frame)
    assert packet.dst == "02:00:00:00:01:01" and packet.src == "02:00:00:00:00:a0", packet.summary()
    outer, tagged = packet[1], packet[2]
    assert packet.type == 0x8100 and tagged.vlan == 10, packet.summary()
    carried = packet[IP]
    assert len(carried) == expected_size and carried.ttl == 63, carried.summary()
    assert (carried.src, carried.dst) == ("10.100.0.9", "10.0.0.5")
    return outer.vlan, number_of(carried)
