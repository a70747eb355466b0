"""What the edge says itself: ICMP errors (RFC 792, 1812, 4443) and echo replies."""

import struct

import wire

NO_ROUTE, TTL_EXPIRED, TOO_BIG = "no_route", "ttl_expired", "too_big"
ERRORS_V4 = (3, 4, 5, 11, 12)
TYPE_CODE = {4: {NO_ROUTE: (3, 0), TTL_EXPIRED: (11, 0), TOO_BIG: (3, 4)},
             6: {NO_ROUTE: (1, 0), TTL_EXPIRED: (3, 0), TOO_BIG: (2, 0)}}


def icmpv6(src, dst, message):
    message = message[:2] + b"\0\0" + message[4:]
    value = wire.checksum(message, wire.pseudo_sum(src, dst, wire.ICMPV6, len(message)))
    return message[:2] + struct.pack("!H", value) + message[4:]


def icmpv4(message):
    message = message[:2] + b"\0\0" + message[4:]
    return message[:2] + struct.pack("!H", wire.checksum(message)) + message[4:]


def may_be_answered(packet):
    """False for ICMP errors and later fragments: no ICMP error is sent in answer to them."""
    protocol, rest, offset = wire.upper_layer(packet)
    if offset:
        return False
    if packet.version == 4 and protocol == wire.ICMP:
        return bool(rest) and rest[0] not in ERRORS_V4
    if packet.version == 6 and protocol == wire.ICMPV6:
        return bool(rest) and rest[0] >= 128
    return True


def error(reason, packet, source, mtu):
    """The error packet about `packet`, from the edge's address `source`."""
    kind, code = TYPE_CODE[packet.version][reason]
    if packet.version == 4:
        word = struct.pack("!HH", 0, mtu if reason == TOO_BIG else 0)
        message = icmpv4(struct.pack("!BBH", kind, code, 0) + word + packet.raw[: 576 - 28])
        return wire.ipv4(source, packet.src, wire.ICMP, message, tos=0xC0)
    word = struct.pack("!I", mtu if reason == TOO_BIG else 0)
    message = icmpv6(source, packet.src, struct.pack("!BBH", kind, code, 0) + word + packet.raw[: 1280 - 48])
    return wire.ipv6(source, packet.src, wire.ICMPV6, message, tos=0xC0)


def is_echo_request(packet):
    """By its headers: the checksum may still be wrong."""
    if packet.fragment or len(packet.payload) < 8:
        return False
    wanted = (wire.ICMP, b"\x08\0") if packet.version == 4 else (wire.ICMPV6, b"\x80\0")
    return (packet.protocol, packet.payload[:2]) == wanted


def echo_reply(packet):
    """The reply to an echo request, or None if its checksum is wrong."""
    message = packet.payload
    if packet.version == 4:
        if wire.ones_sum(message) != 0xFFFF:
            return None
        return wire.ipv4(packet.dst, packet.src, wire.ICMP, icmpv4(b"\0\0" + message[2:]), tos=packet.tos)
    pseudo = wire.pseudo_sum(packet.src, packet.dst, wire.ICMPV6, len(message))
    if wire.ones_sum(message, pseudo) != 0xFFFF:
        return None
    message = icmpv6(packet.dst, packet.src, b"\x81\0" + message[2:])
    return wire.ipv6(packet.dst, packet.src, wire.ICMPV6, message, tos=packet.tos)
