"""IPv4 fragmentation (RFC 791) and the TCP MSS clamp: what a too small MTU does to a packet."""

import struct

import headers
import wire


def copied_options(options):
    """The options that go into every fragment (copied flag set), padded with end-of-list to four bytes."""
    kept, at = b"", 0
    while at < len(options) and options[at] != 0:
        if options[at] == 1:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2 or at + options[at + 1] > len(options):
            break
        size = options[at + 1]
        if options[at] & 0x80:
            kept += options[at : at + size]
        at += size
    return kept + b"\0" * (-len(kept) % 4)


def fragments(raw, mtu):
    """The pieces of an IPv4 packet, none longer than `mtu`; DF and the reserved bit are cleared."""
    packet = wire.parse_ipv4(raw)
    options = packet.raw[20 : packet.header]
    rest, offset, pieces = packet.payload, packet.offset, []
    while True:
        room = mtu - 20 - len(options)
        last = len(rest) <= room
        part = rest if last else rest[: room // 8 * 8]
        more = packet.mf if last else True
        head = bytearray(raw[:20]) + options
        head[0] = 0x40 | len(head) // 4
        struct.pack_into("!HHH", head, 2, len(head) + len(part), struct.unpack_from("!H", raw, 4)[0],
                         (0x2000 if more else 0) | offset)
        pieces.append(wire.with_ipv4_checksum(head + part))
        if last:
            return pieces
        rest, offset = rest[len(part) :], offset + len(part) // 8
        options = copied_options(options)


def mss_option(segment):
    """Position of the MSS value in a TCP SYN segment, or None."""
    if len(segment) < 20 or not segment[13] & 0x02:
        return None
    end = (segment[12] >> 4) * 4
    if end > len(segment):
        return None
    at = 20
    while at < end and segment[at] != 0:
        if segment[at] == 1:
            at += 1
            continue
        if at + 1 >= end or segment[at + 1] < 2 or at + segment[at + 1] > end:
            return None
        if segment[at] == 2:
            return at + 2 if segment[at + 1] == 4 else None
        at += segment[at + 1]
    return None


def clamp_mss(raw, tunnel_mtu):
    """`raw` with the MSS option of a SYN lowered to what fits; the checksum changes as RFC 1624 (eqn. 3) says."""
    packet = wire.parse_ipv4(raw) if raw[0] >> 4 == 4 else wire.parse_ipv6(raw)
    upper = headers.upper_layer(packet)
    if upper.protocol != wire.TCP or upper.fragment or upper.problem or upper.authenticated:
        return raw
    segment = bytearray(upper.rest)
    at = mss_option(segment)
    limit = tunnel_mtu - (40 if packet.version == 4 else 60)
    if at is None or struct.unpack_from("!H", segment, at)[0] <= limit:
        return raw
    before = bytes(segment)
    struct.pack_into("!H", segment, at, limit)
    changed = at - at % 2, at + 2 + at % 2
    sum_before = wire.ones_sum(before[changed[0] : changed[1]])
    sum_after = wire.ones_sum(segment[changed[0] : changed[1]])
    old = struct.unpack_from("!H", before, 16)[0]
    total = (old ^ 0xFFFF) + (sum_before ^ 0xFFFF) + sum_after
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", segment, 16, total ^ 0xFFFF)
    return packet.raw[: len(packet.raw) - len(segment)] + bytes(segment)
