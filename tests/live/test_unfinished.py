#!/usr/bin/python3
"""What Linux leaves to a device, as it comes from virtual machines and containers: checksums, which the edge finishes, and
segmentation, which it refuses by name."""

import struct
from pathlib import Path

from edge import CUSTOMERS, Edge, check_conservation, configuration, main, wait_until
from taps import IFF_NO_PI, IFF_TAP, Tap, own_network
from traffic import GRE, IP, UDP, Dot1Q, Ether
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6

VLAN, KEY = CUSTOMERS[0][1], CUSTOMERS[0][2]
IFF_VNET_HDR, HEADER = 0x4000, 10
NEEDS_CSUM, GSO_TCPV4 = 1, 1  # linux/virtio_net.h
DATA = bytes(range(1, 100))  # an odd length


class Machine(Tap):
    """A virtual machine's interface, as QEMU has it: each frame with a virtio_net_hdr in front."""

    FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR

    def send_unfinished(self, frame, start, place, gso_size=0):
        """The checksum begins at `start` and stands `place` further."""
        kind = GSO_TCPV4 if gso_size else 0
        self.send(struct.pack("=BBHHHH", NEEDS_CSUM, kind, start + 20, gso_size, start, place) + frame)

    def next(self, wanted):
        return self.receive(lambda frame: wanted in frame)[HEADER:]


def words(data):
    data += bytes(len(data) % 2)
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def fold(number):
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return number


def pseudo(packet):
    """The sum of the pseudo header, of IPv4 or IPv6."""
    raw = bytes(packet)
    if packet.version == 4:
        return words(raw[12:20]) + raw[9] + len(raw) - 20
    return words(raw[8:40]) + raw[6] + len(raw) - 40


def unfinished(packet):
    """The IP packet with the sum of its pseudo header in place of the checksum; where that begins, and its place."""
    raw = bytearray(bytes(packet))
    start, place = (20 if packet.version == 4 else 40), (16 if TCP in packet else 6)
    struct.pack_into("!H", raw, start + place, fold(pseudo(packet.__class__(bytes(raw)))))
    return bytes(raw), start, place


def is_right(packet):
    raw = bytes(packet)
    return fold(pseudo(packet) + words(raw[20 if packet.version == 4 else 40:])) == 0xFFFF


def packets(source, destination, source6, destination6):
    for layer4 in (TCP(sport=4000, dport=80, flags="PA"), UDP(sport=4000, dport=80)):
        yield IP(src=source, dst=destination) / layer4 / DATA
        yield IPv6(src=source6, dst=destination6) / layer4 / DATA


def model_of(directory, driver):
    model = configuration(directory, f"{driver}0,iface=a0", f"{driver}1,iface=c0")
    peering = model["customers"][0]["circuits"][0]["peerings"][0]
    peering["subnet6"] = "2001:db8:1::/126"
    peering["customer_prefixes"].append("2001:db8:a::/48")
    peering["virtual_networks"][0]["prefixes"].append("2001:db8:b::/48")
    return model


def ends():
    return Machine("a0", "02:00:00:00:00:a0"), Machine("c0", "02:00:00:00:00:c1")


def links_are_up(edge):
    wait_until("the links are up", lambda: all(port["link"] == "up" for port in edge.show("ports").values()))


def type_of(packet):
    return 0x0800 if packet.version == 4 else 0x86DD


def checksums(program, directory):
    for driver in ("net_af_packet", "net_af_xdp"):
        access, core = ends()
        with access, core, Edge(program, directory, model_of(directory, driver)) as edge:
            links_are_up(edge)
            for packet in packets("10.0.0.5", "10.100.0.9", "2001:db8:a::5", "2001:db8:b::9"):
                raw, start, place = unfinished(packet)
                link = bytes(Ether(dst="02:00:00:00:00:a0", src="02:00:00:00:01:01") / Dot1Q(vlan=VLAN) /
                             Dot1Q(vlan=10, type=type_of(packet)))
                access.send_unfinished(link + raw, len(link) + start, place)
                got = Ether(core.next(DATA))[GRE].payload
                assert got.version == packet.version and is_right(got), (driver, got.show(dump=True))
            for packet in packets("10.100.0.9", "10.0.0.5", "2001:db8:b::9", "2001:db8:a::5"):
                raw, start, place = unfinished(packet)
                outer = bytes(Ether(dst="02:00:00:00:00:c0", src="02:00:00:00:00:fe") /
                              IP(src="198.51.100.7", dst="192.0.2.1", len=28 + len(raw), flags="DF") /
                              GRE(key_present=1, key=KEY, proto=type_of(packet)))
                core.send_unfinished(outer + raw, len(outer) + start, place)
                got = Ether(access.next(DATA))[packet.__class__]
                assert is_right(got), (driver, got.show(dump=True))
            assert edge.show("drops") == {}, edge.show("drops")
            check_conservation(edge.show("ports"))
            edge.end()


def super_frames(program, directory):
    access, core = ends()
    more = ",framesz=4096,blocksz=16384"
    model = configuration(directory, f"net_af_packet0,iface=a0{more}", f"net_af_packet1,iface=c0{more}")
    tags = Dot1Q(vlan=VLAN) / Dot1Q(vlan=10, type=0x0800)
    ways = ((access, Ether(dst="02:00:00:00:00:a0", src="02:00:00:00:01:01") / tags, "10.0.0.5", "10.100.0.9"),
            (core, Ether(dst="02:00:00:00:00:c0", src="02:00:00:00:00:fe", type=0x0800), "198.51.100.7", "192.0.2.1"))
    with access, core, Edge(program, directory, model) as edge:
        links_are_up(edge)
        wanted = 0
        for machine, link, source, destination in ways:
            for size in (3000, 20_000):  # one that the socket's ring holds, and one that it cuts off
                packet = IP(src=source, dst=destination) / TCP(sport=4000, dport=80, flags="A") / bytes(size)
                raw, start, place = unfinished(packet)
                machine.send_unfinished(bytes(link) + raw, len(bytes(link)) + start, place, gso_size=1400)
                wanted += 1
                drops = wait_until("it is dropped",
                                   lambda: sum(edge.show("drops").values()) == wanted and edge.show("drops"))
                assert drops == {"super_frame": wanted}, drops
        assert edge.circuit("contoso", "to_cloud")["drops"] == {"super_frame": 2}, edge.show("circuits")
        check_conservation(edge.show("ports"))
        edge.end()


own_network()
Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")  # no frames but the test's
main(checksums, super_frames)
