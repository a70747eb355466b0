"""What the edge says itself: ICMP errors (RFC 792, 1812, 4443) and echo replies."""

import struct

import headers
import wire

NO_ROUTE, TTL_EXPIRED, TOO_BIG = "no_route", "ttl_expired", "too_big"
PORT, PROTOCOL = "port", "protocol"
ERRORS_V4 = (3, 4, 5, 11, 12)
TYPE_CODE = {4: {NO_ROUTE: (3, 0), TTL_EXPIRED: (11, 0), TOO_BIG: (3, 4), PORT: (3, 3), PROTOCOL: (3, 2)},
             6: {NO_ROUTE: (1, 0), TTL_EXPIRED: (3, 0), TOO_BIG: (2, 0), PORT: (1, 4), PROTOCOL: (4, 1)}}
NEXT_HEADER_AT = 6
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
NO_NEXT_HEADER = 59


def icmpv6(src, dst, message):
    message = message[:2] + b"\0\0" + message[4:]
    value = wire.checksum(message, wire.pseudo_sum(src, dst, wire.ICMPV6, len(message)))
    return message[:2] + struct.pack("!H", value) + message[4:]


def icmpv4(message):
    message = message[:2] + b"\0\0" + message[4:]
    return message[:2] + struct.pack("!H", wire.checksum(message)) + message[4:]


def may_be_answered(packet):
    """False for ICMP errors and later IPv4 fragments: no ICMP error is sent in answer to them."""
    if packet.version == 4:
        if packet.offset:
            return False
        return packet.protocol != wire.ICMP or packet.payload[:1] not in [b""] + [bytes([e]) for e in ERRORS_V4]
    upper = headers.upper_layer(packet)
    if upper.problem or upper.later or upper.protocol != wire.ICMPV6:
        return not upper.problem
    return bool(upper.rest) and upper.rest[0] >= 128


def never_answered(packet):
    """Sources that are an anycast address of routers, and redirects (RFC 4443 section 2.4 e.2 and e.6)."""
    if packet.version == 4:
        return False
    anycast = packet.src[8:] == bytes(8) and packet.src[0] >> 5
    return bool(anycast) or (packet.protocol == wire.ICMPV6 and packet.payload[:1] == bytes([137]))


def local_error(packet):
    """What a node that speaks ICMP only owes to a packet for one of its addresses, or None."""
    silent = (wire.ICMP,) if packet.version == 4 else (wire.ICMPV6, NO_NEXT_HEADER) + EXTENSIONS
    if packet.fragment or packet.protocol in silent or not may_be_answered(packet) or never_answered(packet):
        return None
    if packet.protocol != wire.UDP:
        return PROTOCOL
    if len(packet.payload) < 8:
        return None
    length, value = struct.unpack_from("!HH", packet.payload, 4)
    if not 8 <= length <= len(packet.payload):
        return None
    if value == 0:
        return PORT if packet.version == 4 else None
    pseudo = wire.pseudo_sum(packet.src, packet.dst, wire.UDP, length)
    return PORT if wire.ones_sum(packet.payload[:length], pseudo) == 0xFFFF else None


def error(reason, packet, source, mtu):
    """The error packet about `packet`, from the edge's address `source`."""
    kind, code = TYPE_CODE[packet.version][reason]
    if packet.version == 4:
        word = struct.pack("!HH", 0, mtu if reason == TOO_BIG else 0)
        message = icmpv4(struct.pack("!BBH", kind, code, 0) + word + packet.raw[: 576 - 28])
        return wire.ipv4(source, packet.src, wire.ICMP, message, tos=0xC0)
    word = struct.pack("!I", {TOO_BIG: mtu, PROTOCOL: NEXT_HEADER_AT}.get(reason, 0))
    message = icmpv6(source, packet.src, struct.pack("!BBH", kind, code, 0) + word + packet.raw[: 1280 - 48])
    return wire.ipv6(source, packet.src, wire.ICMPV6, message, tos=0xC0)


def is_echo_request(packet):
    """By its headers: the checksum may still be wrong."""
    upper = headers.upper_layer(packet)
    if upper.fragment or upper.refused or upper.problem or upper.authenticated or len(upper.rest) < 8:
        return False
    wanted = (wire.ICMP, b"\x08\0") if packet.version == 4 else (wire.ICMPV6, b"\x80\0")
    return (upper.protocol, upper.rest[:2]) == wanted


def reply_options(packet, now):
    """Record Route and Timestamp with the node entered, nothing else (RFC 1122 section 3.2.2.6)."""
    options, at, kept = packet.raw[20 : packet.header], 0, b""
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        option = bytearray(options[at : at + options[at + 1]])
        at += len(option)
        if option[0] == 7 and len(option) >= 3:
            if option[2] >= 4 and option[2] + 3 <= len(option):
                option[option[2] - 1 : option[2] + 3] = packet.dst
                option[2] += 4
            kept += bytes(option)
        elif option[0] == 68 and len(option) >= 4:
            enter_time(option, packet.dst, now)
            kept += bytes(option)
    return kept + b"\0" * (-len(kept) % 4)


def enter_time(option, own, now):
    """RFC 791, Internet Timestamp; a time that is not standard has the high bit set."""
    flag, pointer = option[3] & 15, option[2]
    if flag not in (0, 1, 3) or pointer < 5:
        return
    size = 4 if flag == 0 else 8
    if pointer - 1 + size > len(option):
        if flag != 3 and option[3] >> 4 < 15:
            option[3] += 16
        return
    if flag == 3 and option[pointer - 1 : pointer + 3] != own:
        return
    stamp = struct.pack("!I", now // 10**6 & 0x7FFFFFFF | 0x80000000)
    option[pointer - 1 : pointer - 1 + size] = stamp if flag == 0 else own + stamp
    option[2] += size


def echo_reply(packet, now):
    """The reply to an echo request, or None if its checksum is wrong."""
    message = headers.upper_layer(packet).rest
    if packet.version == 4:
        if wire.ones_sum(message) != 0xFFFF:
            return None
        return wire.ipv4(packet.dst, packet.src, wire.ICMP, icmpv4(b"\0\0" + message[2:]), tos=packet.tos,
                         options=reply_options(packet, now))
    pseudo = wire.pseudo_sum(packet.src, packet.dst, wire.ICMPV6, len(message))
    if wire.ones_sum(message, pseudo) != 0xFFFF:
        return None
    message = icmpv6(packet.dst, packet.src, b"\x81\0" + message[2:])
    return wire.ipv6(packet.dst, packet.src, wire.ICMPV6, message, tos=packet.tos)
