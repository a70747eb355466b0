"""The predictor's IPsec: what becomes of a packet between its delivery header and the wire, one after another."""

from collections import Counter
from dataclasses import dataclass

import esp
import headers
import wire
from parse import Drop, Punt

# RFC 6040 section 4.2, figure 4: (inner, outer) -> outgoing ECN. 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE.
ECN_DROP = None
ECN_DECAPSULATED = {
    (0, 0): 0, (0, 2): 0, (0, 1): 0, (0, 3): ECN_DROP,
    (2, 0): 2, (2, 2): 2, (2, 1): 1, (2, 3): 3,
    (1, 0): 1, (1, 2): 1, (1, 1): 1, (1, 3): 3,
    (3, 0): 3, (3, 2): 3, (3, 1): 3, (3, 3): 3,
}


class Window:
    """RFC 4303 section 3.4.3 and appendix A2 with a set of all numbers that ever came."""

    def __init__(self, size, esn=False):
        self.size, self.esn = size, esn
        self.top, self.seen, self.counts = 0, set(), Counter()

    def extended(self, low):
        """The sequence number whose lower half is `low` (appendix A2.2); below 0 when it was before the first."""
        if not self.esn:
            return low
        high, bottom = self.top >> 32, (self.top & 0xFFFFFFFF) - self.size + 1
        if bottom >= 0:
            return (high if low >= bottom else high + 1) << 32 | low
        return (high - 1 if low >= bottom + 2**32 else high) * 2**32 + low

    def judge(self, sequence):
        """None, or the drop's name. Window W accepts top - W + 1 and later."""
        if sequence <= 0 or sequence <= self.top - self.size:
            return "esp_late"
        return "esp_replayed" if sequence in self.seen else None

    def commit(self, sequence):
        self.seen.add(sequence)
        self.top = max(self.top, sequence)

    def lost(self):
        """Numbers that never came and that the window has left behind."""
        end = max(0, self.top - self.size)
        return end - sum(1 for sequence in self.seen if sequence <= end)


@dataclass(eq=False)
class Inbound:
    sa: esp.Association
    tunnel: object
    window: Window


class SealedFrame:
    """A predicted frame. With CBC it takes the IV, which is unpredictable, from the frame it is compared with."""

    def __init__(self, tunnel, lane, sequence, delivery, neighbour):
        self.protection, self.lane, self.sequence, self.delivery = tunnel.ipsec, lane, sequence, delivery
        self.macs = neighbour, tunnel.port.mac

    def frame(self, like=b""):
        made = self.protection
        next_header, payload = made.next_header(self.delivery)
        at = 14 + (20 if len(made.local) == 4 else 40) + 8 * made.encapsulated + 8
        iv = self.lane.iv(self.sequence) or like[at : at + made.suite.iv].ljust(made.suite.iv, b"\0")
        tos = self.delivery.tos if made.dscp == "copy" else made.dscp << 2 | self.delivery.tos & 3
        sealed = self.lane.sa.seal(self.sequence, next_header, payload, iv)
        packet = esp.carry(made.local, made.remote, sealed, made.encapsulated, tos)
        return wire.ethernet(*self.macs, [], wire.ETH_IPV4 if len(made.local) == 4 else wire.ETH_IPV6, packet)

    def __eq__(self, other):
        return isinstance(other, bytes) and self.frame(other) == other

    def hex(self):
        return "SPI %d sequence %d around %s, as %s" % (
            self.lane.sa.spi, self.sequence, self.delivery.raw.hex(), self.frame().hex())


def without_headers(ipv6, upper, otherwise):
    """The IPv6 packet `ipv6` with what is behind its extension headers, GRE, directly behind its header."""
    if upper.problem == "cut" and otherwise == "esp_inner_bad":
        raise Drop("esp_inner_truncated")
    if upper.problem or upper.refused or upper.fragment or upper.authenticated or upper.protocol != wire.GRE:
        raise Drop(otherwise)
    if len(upper.rest) < 4:
        raise Drop("esp_inner_truncated")
    return ipv6[:4] + len(upper.rest).to_bytes(2, "big") + bytes([wire.GRE]) + ipv6[7:40] + upper.rest


def delivery_header(data, version):
    """The delivery packet at the start of `data`; what is behind it is padding (RFC 4303 section 2.7)."""
    header = 20 if version == 4 else 40
    if len(data) < header + 4:
        raise Drop("esp_inner_truncated")
    if data[0] >> 4 != version or (version == 4 and data[0] & 15 < 5):
        raise Drop("esp_inner_bad")
    if version == 4:
        header, total = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
    else:
        total = 40 + int.from_bytes(data[4:6], "big")
    if total > len(data) or (version == 4 and total < header + 4):
        raise Drop("esp_inner_truncated")
    if version == 6:
        if headers.is_jumbogram(data):
            raise Drop("jumbogram")
        data = without_headers(data[:total], headers.walk(data[6], data[40:total]), "esp_inner_bad")
    try:
        packet = wire.parse_ipv4(data) if version == 4 else wire.parse_ipv6(data)
    except wire.Malformed as error:
        raise Drop("esp_inner_bad") from error
    if packet.protocol != wire.GRE or packet.fragment:
        raise Drop("esp_inner_bad")
    return packet


class Ipsec:
    """All associations of an edge."""

    def __init__(self, edge):
        self.sequences = Counter()  # SPI -> last sequence sent
        self.inbound = {}
        self.locals = set()
        for tunnel in edge.tunnels.values():
            if tunnel.ipsec:
                self.locals.add(tunnel.ipsec.local)
                for spi, sa in tunnel.ipsec.inbound.items():
                    self.inbound[spi] = Inbound(sa, tunnel, Window(tunnel.ipsec.window, sa.esn))

    def ends_in(self, protocol, payload):
        """Whether a fragment is a piece of ESP; `payload` of the first one, else empty."""
        in_udp = protocol == wire.UDP and payload[2:4] == esp.UDP_PORT.to_bytes(2, "big")
        marked = payload[8:12] not in (b"\0\0\0\0", b"") and len(payload) >= 12
        return bool(self.inbound) and (protocol == esp.ESP or (in_udp and marked))

    def seal(self, tunnel, delivery, neighbour):
        """The frame for the delivery packet `delivery` (bytes)."""
        lane = tunnel.ipsec.outbound[0]
        self.sequences[lane.sa.spi] += 1
        parse = wire.parse_ipv4 if delivery[0] >> 4 == 4 else wire.parse_ipv6
        return SealedFrame(tunnel, lane, self.sequences[lane.sa.spi], parse(delivery), neighbour)

    def open(self, outer):
        """(delivery packet, tunnel the association belongs to); `outer` itself and None if it is not ESP."""
        body, encapsulated = outer.payload, False
        if outer.protocol == wire.UDP and body[2:4] == esp.UDP_PORT.to_bytes(2, "big") and len(body) >= 8:
            body, encapsulated = body[8:], True
            if body == b"\xff":
                raise Drop("nat_keepalive")
            if body[:4] == b"\0\0\0\0":
                raise Punt("non-ESP marker")
        elif outer.protocol != esp.ESP:
            return outer, None
        if len(body) < 8:
            raise Drop("esp_truncated")
        inbound = self.inbound.get(int.from_bytes(body[:4], "big"))
        if inbound is None:
            raise Drop("esp_unknown_spi")
        made = inbound.tunnel.ipsec
        if (outer.dst, outer.src) != (made.local, made.remote):
            raise Drop("esp_wrong_tunnel")
        if encapsulated != made.encapsulated:
            raise Drop("esp_encapsulation")
        return self.delivery(outer, inbound, *self.opened(inbound, body)), inbound.tunnel

    @staticmethod
    def opened(inbound, body):
        """(next header, payload) of an ESP packet that is in time, authentic and well padded."""
        window = inbound.window
        try:
            inbound.sa.check(body)
            sequence = window.extended(int.from_bytes(body[4:8], "big"))
            reason = window.judge(sequence)
            if reason:
                raise esp.Refused(reason)
            _, text = inbound.sa.open_text(body, sequence >> 32)
            window.commit(sequence)
            payload, next_header = esp.split_trailer(text)
        except esp.Refused as refused:
            window.counts[str(refused)] += 1
            raise Drop(str(refused)) from refused
        return next_header, payload

    @staticmethod
    def delivery(outer, inbound, next_header, payload):
        """The delivery packet as it would have come in clear, congestion marks of the outer header merged."""
        made, version = inbound.tunnel.ipsec, outer.version
        if next_header == esp.DUMMY:
            raise Drop("esp_dummy")
        if made.transport:
            if version == 6 and next_header == headers.DESTINATION:
                upper = headers.walk(next_header, payload, False)
                payload = without_headers(bytes(40), upper, "esp_next_header")[40:]
                next_header = wire.GRE
            if next_header != wire.GRE:
                raise Drop("esp_next_header")
            if len(payload) < 4:
                raise Drop("esp_inner_truncated")
            build = wire.ipv4 if version == 4 else wire.ipv6
            raw = build(outer.src, outer.dst, wire.GRE, payload, tos=outer.tos, ttl=outer.ttl)
            return wire.parse_ipv4(raw) if version == 4 else wire.parse_ipv6(raw)
        if next_header not in (4, 41):
            raise Drop("esp_next_header")
        inner = delivery_header(payload, 4 if next_header == 4 else 6)
        ecn = ECN_DECAPSULATED[(inner.tos & 3, outer.tos & 3)]
        if ecn is ECN_DROP:
            raise Drop("ecn_mismatch")
        merged = wire.set_tos(inner.raw, inner.tos & 0xFC | ecn)
        return wire.parse_ipv4(merged) if inner.version == 4 else wire.parse_ipv6(merged)
