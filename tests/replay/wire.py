"""Bytes on the wire as the RFCs draw them: checksums, IP headers, Ethernet tags and pcap files."""

import ipaddress
import struct
from dataclasses import dataclass

ETH_IPV4, ETH_IPV6, ETH_ARP = 0x0800, 0x86DD, 0x0806
TPIDS = (0x8100, 0x88A8, 0x9100)
ICMP, TCP, UDP, GRE, ICMPV6 = 1, 6, 17, 47, 58
V6_HOP, V6_ROUTING, V6_FRAGMENT, V6_DEST = 0, 43, 44, 60


class Malformed(Exception):
    """The bytes are no valid header; the text names what is wrong."""


def ones_sum(data, start=0):
    """The ones' complement sum of RFC 1071, not inverted."""
    if len(data) % 2:
        data = bytes(data) + b"\0"
    total = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data, start=0):
    return ones_sum(data, start) ^ 0xFFFF


def pseudo_sum(src, dst, protocol, length):
    """Sum of the pseudo-header of RFC 8200 section 8.1 (of RFC 793 for four-byte addresses)."""
    if len(src) == 4:
        return ones_sum(src + dst + struct.pack("!BBH", 0, protocol, length))
    return ones_sum(src + dst + struct.pack("!IHBB", length, 0, 0, protocol))


def mac(text):
    return bytes(int(part, 16) for part in text.split(":"))


def packed(text):
    return ipaddress.ip_address(text).packed


def link_local(station):
    """The IPv6 address a station makes for itself of its MAC (RFC 4291 appendix A)."""
    return b"\xfe\x80" + b"\0" * 6 + bytes([station[0] ^ 2]) + station[1:3] + b"\xff\xfe" + station[3:]


@dataclass
class Ip:
    """A parsed IP packet; `raw` is the packet cut to its own length."""

    version: int
    raw: bytes
    header: int
    tos: int
    ttl: int
    protocol: int
    src: bytes
    dst: bytes
    df: bool = True
    mf: bool = False
    offset: int = 0

    @property
    def payload(self):
        return self.raw[self.header :]

    @property
    def fragment(self):
        return self.mf or self.offset != 0


def parse_ipv4(data):
    if len(data) < 20:
        raise Malformed("truncated")
    if data[0] >> 4 != 4:
        raise Malformed("version")
    header = (data[0] & 15) * 4
    total = struct.unpack_from("!H", data, 2)[0]
    if header < 20 or header > len(data):
        raise Malformed("header length")
    if total < header or total > len(data):
        raise Malformed("total length")
    if ones_sum(data[:header]) != 0xFFFF:
        raise Malformed("header checksum")
    bits = struct.unpack_from("!H", data, 6)[0]
    return Ip(4, bytes(data[:total]), header, data[1], data[8], data[9], bytes(data[12:16]), bytes(data[16:20]),
              bool(bits & 0x4000), bool(bits & 0x2000), bits & 0x1FFF)


def parse_ipv6(data):
    if len(data) < 40:
        raise Malformed("truncated")
    if data[0] >> 4 != 6:
        raise Malformed("version")
    total = 40 + struct.unpack_from("!H", data, 4)[0]
    if total > len(data):
        raise Malformed("payload length")
    tos = (struct.unpack_from("!H", data, 0)[0] >> 4) & 0xFF
    return Ip(6, bytes(data[:total]), 40, tos, data[7], data[6], bytes(data[8:24]), bytes(data[24:40]))


def with_ipv4_checksum(raw):
    header = (raw[0] & 15) * 4
    raw = bytearray(raw)
    raw[10:12] = b"\0\0"
    struct.pack_into("!H", raw, 10, checksum(raw[:header]))
    return bytes(raw)


def set_tos(raw, tos):
    raw = bytearray(raw)
    if raw[0] >> 4 == 4:
        raw[1] = tos
        return with_ipv4_checksum(raw)
    raw[0] = 0x60 | tos >> 4
    raw[1] = (tos & 15) << 4 | raw[1] & 15
    return bytes(raw)


def decrement_ttl(raw):
    raw = bytearray(raw)
    if raw[0] >> 4 == 4:
        raw[8] -= 1
        return with_ipv4_checksum(raw)
    raw[7] -= 1
    return bytes(raw)


def ipv4(src, dst, protocol, payload, *, tos=0, ttl=64, ident=0, df=True, mf=False, offset=0, options=b""):
    assert len(options) % 4 == 0
    header = 20 + len(options)
    bits = (0x4000 if df else 0) | (0x2000 if mf else 0) | offset
    raw = struct.pack("!BBHHHBBH", 0x40 | header // 4, tos, header + len(payload), ident, bits, ttl, protocol, 0)
    return with_ipv4_checksum(raw + src + dst + options + payload)


def ipv6(src, dst, protocol, payload, *, tos=0, ttl=64, flow=0):
    return struct.pack("!IHBB", 6 << 28 | tos << 20 | flow, len(payload), protocol, ttl) + src + dst + payload


def ethernet(dst, src, tags, ethertype, payload):
    """`tags` is a list of (TPID, TCI), outermost first."""
    return dst + src + b"".join(struct.pack("!HH", *tag) for tag in tags) + struct.pack("!H", ethertype) + payload


def write_pcap(path, frames, nanoseconds=True):
    """`frames` is a list of (time in ns, bytes); microsecond files need times that are whole microseconds."""
    unit = 1 if nanoseconds else 1000
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for when, frame in frames:
            assert when % unit == 0
            out.write(struct.pack("<IIII", when // 10**9, when % 10**9 // unit, len(frame), len(frame)) + frame)


def read_pcap(path):
    """[(time in ns, bytes)] of a pcap file; raises ValueError if the file is not whole."""
    with open(path, "rb") as source:
        data = source.read()
    if len(data) < 24:
        raise ValueError("%s: no pcap header" % path)
    for order in "<>":
        magic = struct.unpack_from(order + "I", data)[0]
        if magic in (0xA1B23C4D, 0xA1B2C3D4):
            break
    else:
        raise ValueError("%s: not a pcap file" % path)
    if struct.unpack_from(order + "I", data, 20)[0] != 1:
        raise ValueError("%s: link type is not Ethernet" % path)
    unit = 1 if magic == 0xA1B23C4D else 1000
    frames, at = [], 24
    while at < len(data):
        seconds, fraction, captured, original = struct.unpack_from(order + "IIII", data, at)
        frame = data[at + 16 : at + 16 + captured]
        if len(frame) != captured or captured != original:
            raise ValueError("%s: record at byte %d is cut" % (path, at))
        frames.append((seconds * 10**9 + fraction * unit, frame))
        at += 16 + captured
    return frames
