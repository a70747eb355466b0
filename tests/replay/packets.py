"""IP packets and Ethernet frames for the tests, good ones and bad ones. Payloads are filled with their owner's mark."""

import re
import struct

import icmp
import wire

ETHERTYPES = {4: wire.ETH_IPV4, 6: wire.ETH_IPV6}
MARK = re.compile(rb"<@([0-9]{5})@>")


def filler(owner, size):
    """`size` bytes naming the owner over and over."""
    mark = b"<@%05d@>" % owner
    return (mark * (size // len(mark) + 1))[:size]


def udp(src, dst, payload, sport=40000, dport=40001):
    length = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    value = wire.checksum(head + payload, wire.pseudo_sum(src, dst, wire.UDP, length)) or 0xFFFF
    return struct.pack("!HHHH", sport, dport, length, value) + payload


def tcp(src, dst, payload, flags, options):
    options += b"\0" * (-len(options) % 4)
    words = ((20 + len(options)) // 4) << 12 | flags
    head = struct.pack("!HHIIHHHH", 50000, 443, 1, 0, words, 65535, 0, 0) + options
    value = wire.checksum(head + payload, wire.pseudo_sum(src, dst, wire.TCP, len(head) + len(payload)))
    return head[:16] + struct.pack("!H", value) + head[18:] + payload


def echo_request(src, dst, identifier, payload):
    rest = struct.pack("!HH", identifier, 7) + payload
    if len(src) == 4:
        return wire.ICMP, icmp.icmpv4(b"\x08\0\0\0" + rest)
    return wire.ICMPV6, icmp.icmpv6(src, dst, b"\x80\0\0\0" + rest)


def icmp_error(src, dst, kind, payload):
    """An ICMP message of any type about a packet that `dst` sent."""
    body = struct.pack("!BBHI", kind, 0, 0, 0) + ip(dst, src, wire.UDP, udp(dst, src, payload))
    return (wire.ICMP, icmp.icmpv4(body)) if len(src) == 4 else (wire.ICMPV6, icmp.icmpv6(src, dst, body))


def ip(src, dst, protocol, payload, *, tos=0, ttl=64, df=True, ident=0, mf=False, offset=0, options=b"", flow=0):
    """One packet of the family of `src`; what IPv6 does not have is ignored there."""
    if len(src) == 4:
        return wire.ipv4(src, dst, protocol, payload, tos=tos, ttl=ttl, df=df, ident=ident, mf=mf, offset=offset,
                         options=options)
    return wire.ipv6(src, dst, protocol, payload, tos=tos, ttl=ttl, flow=flow)


def ethertype_of(raw):
    return wire.ETH_IPV4 if raw[0] >> 4 == 4 else wire.ETH_IPV6


def gre(key, inner, *, sequence=None, checksummed=False, protocol=None, flags=0):
    """RFC 2784/2890 around `inner`; `flags` are further bits of the first word."""
    flags |= 0x8000 * checksummed | 0x2000 * (key is not None) | 0x1000 * (sequence is not None)
    head = struct.pack("!HH", flags, ethertype_of(inner) if protocol is None else protocol)
    tail = struct.pack("!I", key) if key is not None else b""
    tail += struct.pack("!I", sequence) if sequence is not None else b""
    if checksummed:
        value = wire.checksum(head + b"\0\0\0\0" + tail + inner)
        head += struct.pack("!HH", value, 0)
    return head + tail + inner


def arp_request(src_mac, src, dst):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + src_mac + src + b"\0" * 6 + dst


def neighbour_solicitation(src_mac, src, target, dst):
    message = icmp.icmpv6(src, dst, struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + src_mac)
    return wire.ipv6(src, dst, wire.ICMPV6, message, ttl=255)
