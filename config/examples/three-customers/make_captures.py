#!/usr/bin/python3
"""Writes access0.pcap and core0.pcap, what the customers and the cloud send in 60 ms, to the directory given (or here).

Standard library only; the same bytes every time. Beside the flows, one of each thing an edge has to refuse or answer.
"""

import ipaddress
import os
import struct
import sys

START = 1767225600 * 10**9  # 2026-01-01 00:00:00 UTC, in nanoseconds
DURATION = 60 * 10**6
US = 1000

IPV4, IPV6, ARP, VLAN = 0x0800, 0x86DD, 0x0806, 0x8100
ICMP, UDP, GRE, ICMP6 = 1, 17, 47, 58
DF = 0x4000

EDGE_ACCESS = bytes.fromhex("020000000000")  # what replay gives port 0 and port 1
EDGE_CORE = bytes.fromhex("020000000001")
GATEWAY = bytes.fromhex("0200000000fe")
ROUTERS = {"contoso": bytes.fromhex("020000000101"), "fabrikam": bytes.fromhex("020000000201"),
           "tailspin": bytes.fromhex("020000000301")}


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def ip(source, destination, protocol, payload, ttl=63, tos=0, flags=DF, ident=0):
    """An IPv4 or IPv6 packet, by the family of its addresses."""
    source, destination = packed(source), packed(destination)
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, ttl) + source + destination + payload
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), ident, flags, ttl, protocol, 0)
    header += source + destination
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def with_pseudo_header(source, destination, protocol, segment, at):
    """`segment` with the checksum that belongs at octet `at`, over the pseudo-header too."""
    pseudo = packed(source) + packed(destination) + struct.pack("!II", len(segment), protocol)
    value = checksum(pseudo + segment) or 0xFFFF
    return segment[:at] + struct.pack("!H", value) + segment[at + 2:]


def udp(source, destination, length, number, **options):
    """A UDP packet of `length` octets of IP in all."""
    header = 20 if "." in source else 40
    payload = (b"%06d peerlane " % number * (length // 16 + 1))[:length - header - 8]
    segment = struct.pack("!HHHH", 40000 + number % 8, 5001, 8 + len(payload), 0) + payload
    return ip(source, destination, UDP, with_pseudo_header(source, destination, UDP, segment, 6), **options)


def echo_request(source, destination):
    body = struct.pack("!HH", 0x2A01, 1) + bytes(range(48))
    if ":" not in source:
        message = b"\x08\0" + struct.pack("!H", checksum(b"\x08\0\0\0" + body)) + body
        return ip(source, destination, ICMP, message, ttl=64)
    message = with_pseudo_header(source, destination, ICMP6, b"\x80\0\0\0" + body, 2)
    return ip(source, destination, ICMP6, message, ttl=64)


def arp_request(mac, sender, target):
    return struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + mac + packed(sender) + bytes(6) + packed(target)


def from_customer(customer, tags, packet, ethertype=None, destination=EDGE_ACCESS):
    """A frame on the access port. Two tags are QinQ, both with the TPID of 802.1Q."""
    frame = destination + ROUTERS[customer]
    for vid in tags:
        frame += struct.pack("!HH", VLAN, vid)
    return frame + struct.pack("!H", ethertype or (IPV4 if packet[0] >> 4 == 4 else IPV6)) + packet


def from_cloud(remote, local, key, inner, tos=0):
    """A frame on the core port: the inner packet in GRE, from the gateway."""
    gre = struct.pack("!HH", 0 if key is None else 0x2000, IPV4 if inner[0] >> 4 == 4 else IPV6)
    gre += b"" if key is None else struct.pack("!I", key)
    outer = ip(remote, local, GRE, gre + inner, ttl=60, tos=tos)
    return EDGE_CORE + GATEWAY + struct.pack("!H", IPV4 if outer[0] >> 4 == 4 else IPV6) + outer


# name: customer, tags, (remote, local, key)
PEERINGS = {
    "contoso": ("contoso", (100, 10), ("198.51.100.7", "192.0.2.1", 0x2A01)),
    "fabrikam": ("fabrikam", (200, 10), ("2001:db8:0:7::1", "2001:db8:0:1::1", 0x2A02)),
    "fabrikam-microsoft": ("fabrikam", (200, 20), ("198.51.100.8", "192.0.2.1", None)),
    "tailspin": ("tailspin", (300,), ("198.51.100.7", "192.0.2.1", 0)),
}
PRIVATE4, PRIVATE6 = ("10.0.0.5", "10.100.0.5"), ("fd00:10::5", "fd00:100::5")
PUBLIC4 = ("203.0.113.130", "198.51.100.130")
# peering, (customer, cloud), IP octets, interval to the cloud, interval to the customer, DSCP octet.
# fabrikam: twice 10 Mbps and a little to the cloud, a quarter of that back.
FLOWS = [
    ("contoso", PRIVATE4, 600, 400 * US, 600 * US, 0),
    ("contoso", PRIVATE6, 600, 800 * US, 900 * US, 0),
    ("fabrikam", PRIVATE4, 1200, 960 * US, 3840 * US, 0),
    ("fabrikam", PRIVATE6, 200, 4000 * US, 4000 * US, 0xB8),
    ("fabrikam-microsoft", PUBLIC4, 1200, 960 * US, 3840 * US, 0),
    ("tailspin", PRIVATE4, 300, 800 * US, 700 * US, 0),
    ("tailspin", PRIVATE6, 300, 1600 * US, 1500 * US, 0),
]


def flows():
    """(time, port, frame) of the ordinary traffic."""
    for number, (name, (here, there), length, up, down, tos) in enumerate(FLOWS):
        customer, tags, (remote, local, key) = PEERINGS[name]
        for count, now in enumerate(range(number * 37 * US, DURATION, up)):
            yield now, "access0", from_customer(customer, tags, udp(here, there, length, count, tos=tos))
        for count, now in enumerate(range(number * 41 * US, DURATION, down)):
            yield now, "core0", from_cloud(remote, local, key, udp(there, here, length, count, tos=tos), tos)


def oddities():
    """(time, port, frame): what is refused by name, answered, or cut in two."""
    customer4, cloud4 = PRIVATE4
    contoso = PEERINGS["contoso"][2]
    ms = 10**6
    for number in range(3):  # source_not_accepted: not contoso's to send
        foreign = udp("192.168.7.7", cloud4, 120, number)
        yield (10 + number) * ms, "access0", from_customer("contoso", (100, 10), foreign)
    for number in range(2):  # unknown_vlan
        yield (14 + number) * ms, "access0", from_customer("contoso", (999, 10), udp(customer4, cloud4, 120, number))
    # ttl_expired: answered with time exceeded
    yield 20 * ms, "access0", from_customer("contoso", (100, 10), udp(customer4, cloud4, 120, 0, ttl=1))
    # no_route: answered with network unreachable
    yield 21 * ms, "access0", from_customer("tailspin", (300,), udp(customer4, "192.168.1.1", 120, 0))
    # To the edge's own address in each of two peerings, from the customer's router: punted and answered
    yield 22 * ms, "access0", from_customer("contoso", (100, 10), echo_request("172.16.0.1", "172.16.0.2"))
    yield 23 * ms, "access0", from_customer("tailspin", (300,), echo_request("fd00:16::1", "fd00:16::2"))
    who_has = arp_request(ROUTERS["fabrikam"], "172.16.0.1", "172.16.0.2")
    yield 24 * ms, "access0", from_customer("fabrikam", (200, 10), who_has, ARP, b"\xff" * 6)
    # unknown_tunnel: a key nobody has, and no key where the tunnel has key 0
    yield 30 * ms, "core0", from_cloud("198.51.100.7", "192.0.2.1", 0xDEAD, udp(cloud4, customer4, 120, 0))
    yield 31 * ms, "core0", from_cloud("198.51.100.7", "192.0.2.1", None, udp(cloud4, customer4, 120, 1))
    # too_big: answered with fragmentation needed, MTU 1500, back through the tunnel
    yield 32 * ms, "core0", from_cloud(*contoso, udp(cloud4, customer4, 1600, 0))
    # The same with DF clear: two fragments
    yield 33 * ms, "core0", from_cloud(*contoso, udp(cloud4, customer4, 1600, 0, flags=0, ident=0x2A01))


def write_pcap(path, frames):
    """Nanosecond pcap, Ethernet."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))
        for now, frame in frames:
            seconds, nanoseconds = divmod(START + now, 10**9)
            out.write(struct.pack("<IIII", seconds, nanoseconds, len(frame), len(frame)) + frame)


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    everything = sorted([*flows(), *oddities()], key=lambda item: item[0])
    for port in ("access0", "core0"):
        frames = [(now, frame) for now, name, frame in everything if name == port]
        write_pcap(os.path.join(directory, port + ".pcap"), frames)


if __name__ == "__main__":
    main()
