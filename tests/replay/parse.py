"""From a frame to what it carries, or the reason why it carries nothing: tags, IP, neighbour discovery, GRE."""

import ipaddress
import struct

import headers
import wire

ND_TYPES = range(133, 138)


class Drop(Exception):
    """The packet ends here; `error` names the ICMP error it causes, if any."""

    def __init__(self, reason, error=None, mtu=0):
        super().__init__(reason)
        self.reason, self.error, self.mtu = reason, error, mtu


class Punt(Exception):
    """The packet goes to local delivery."""


def parse_link(frame, port):
    """(EtherType, what follows, VLAN tags); VID 0 names no VLAN (IEEE 802.1Q section 9.6)."""
    if len(frame) < 14:
        raise Drop("runt")
    tags, priorities, at = [], 0, 12
    ethertype = struct.unpack_from("!H", frame, at)[0]
    while ethertype in (wire.TPIDS if tags else port.outer_tpids):
        whole = len(frame) >= at + 6
        if whole and struct.unpack_from("!H", frame, at + 2)[0] & 0xFFF == 0:
            priorities += 1
            at += 4
            ethertype = struct.unpack_from("!H", frame, at)[0]
            continue
        if len(tags) == 2 or (tags and ethertype not in port.inner_tpids):
            raise Drop("tags")
        if not whole:
            raise Drop("runt")
        tags.append((ethertype, struct.unpack_from("!H", frame, at + 2)[0]))
        at += 4
        ethertype = struct.unpack_from("!H", frame, at)[0]
    if priorities > 2:
        raise Drop("priority tags")
    return ethertype, frame[at + 2 :], tags


def punt_arp(body):
    if len(body) < 28:
        raise Drop("runt")
    raise Punt("arp")


def parse_ip(ethertype, body, port=None):
    if ethertype not in (wire.ETH_IPV4, wire.ETH_IPV6):
        raise Drop("ethertype")
    try:
        packet = wire.parse_ipv4(body) if ethertype == wire.ETH_IPV4 else wire.parse_ipv6(body)
    except wire.Malformed as error:
        raise Drop("malformed: %s" % error)
    if packet.version == 6 and headers.is_jumbogram(body):
        raise Drop("jumbogram")
    if port and len(packet.raw) > port.mtu:
        raise Drop("over_mtu")
    return packet


def is_nd(packet):
    """Neighbour discovery: hop limit 255, else it is none (RFC 4861 section 6.1, 7.1)."""
    return (packet.version == 6 and packet.protocol == wire.ICMPV6 and packet.ttl == 255
            and len(packet.payload) >= 4 and packet.payload[0] in ND_TYPES)


NEVER_FORWARDED = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "::ffff:0:0/96", "fe80::/10", "ff00::/8")]


def martian(address):
    """No router forwards from it or to it (the registries of RFC 6890 and 8190, and groups)."""
    return any(ipaddress.ip_address(address) in net for net in NEVER_FORWARDED)


def link_local(address):
    """Means something on one link only."""
    return ipaddress.ip_address(address).is_link_local


def parse_gre(data, cut_short="gre: truncated"):
    """(key or None, protocol type, payload) of a GRE packet, RFC 2784 section 2.3 with RFC 2890."""
    if len(data) < 4:
        raise Drop(cut_short)
    flags, protocol = struct.unpack_from("!HH", data)
    if flags & 0x4C07:
        raise Drop("gre: flags")
    size = 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    if len(data) < size:
        raise Drop(cut_short)
    if flags & 0x8000 and wire.ones_sum(data) != 0xFFFF:
        raise Drop("gre: checksum")
    key = struct.unpack_from("!I", data, 8 if flags & 0x8000 else 4)[0] if flags & 0x2000 else None
    return key, protocol, data[size:]


def refuse_headers(packet):
    """Whom a packet is for discards it when its extension headers say so, or cannot be followed."""
    upper = headers.upper_layer(packet)
    if packet.version == 6 and (upper.refused or upper.problem):
        raise Drop("extension_header")
