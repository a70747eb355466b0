"""What is behind IPv6's extension headers and the Authentication Header: RFC 8200 section 4, RFC 4302."""

from dataclasses import dataclass

HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
MOST = 8
KNOWN_OPTIONS = (0, 1, 5)  # Pad1, PadN, Router Alert


@dataclass
class Upper:
    protocol: int
    rest: bytes  # from the upper layer on
    problem: str = ""  # why the protocol is not known: "cut", "endless"
    fragment: bool = False
    later: bool = False
    authenticated: bool = False
    refused: bool = False


def options(header):
    """(type, whole) of each option of a header; the last one is not whole if it runs past the end."""
    at = 2
    while at < len(header):
        if header[at] == 0:
            at += 1
            continue
        end = at + 2 + header[at + 1] if at + 1 < len(header) else len(header) + 1
        yield header[at], end <= len(header)
        at = end


def walk(protocol, data, first=True):
    """The headers at the start of `data`, the first of them a `protocol`; `first`: an IPv6 header is before them."""
    upper = Upper(protocol, bytes(data))
    for number in range(MOST + 1):
        kind, rest = upper.protocol, upper.rest
        if kind not in (HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION):
            return upper
        if number == MOST:
            upper.problem = "endless"
            return upper
        if len(rest) < 8:
            upper.problem = "cut"
            return upper
        size = {FRAGMENT: 8, AUTHENTICATION: 4 * (rest[1] + 2)}.get(kind, 8 * (rest[1] + 1))
        if len(rest) < size:
            upper.problem = "cut"
            return upper
        if kind == HOP_BY_HOP and (number or not first):
            upper.refused = True
        if kind in (HOP_BY_HOP, DESTINATION):
            for option, whole in options(rest[:size]):
                if not whole or (option >= 0x40 and option not in KNOWN_OPTIONS):
                    upper.refused = True
        if kind == ROUTING and rest[3]:
            upper.refused = True
        if kind == AUTHENTICATION:
            upper.authenticated = True
        upper.protocol, upper.rest = rest[0], rest[size:]
        if kind == FRAGMENT:
            word = int.from_bytes(rest[2:4], "big")
            upper.later = word >= 8
            upper.fragment |= word >= 8 or bool(word & 1)
            if upper.later:
                return upper
    return upper


def upper_layer(packet):
    """Of a parsed IP packet; IPv4 has nothing but the Authentication Header to walk."""
    if packet.version == 6 or packet.protocol == AUTHENTICATION:
        return walk(packet.protocol, packet.payload)
    return Upper(packet.protocol, packet.payload, fragment=packet.fragment, later=packet.offset != 0)


def is_jumbogram(data):
    """RFC 2675: no payload length, and hop-by-hop options that say one."""
    if data[4:7] != b"\0\0\0" or len(data) < 48:
        return False
    size = 8 * (data[41] + 1)
    return any(option == 0xC2 for option, _ in options(data[40 : 40 + size]))
