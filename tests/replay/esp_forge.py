"""Packets for a protected tunnel with one thing wrong, each with the name of the drop it must end in."""

import esp
import packets
import wire
from esp_case import CLOUD, CUSTOMER, parse


class Forge:
    """Packets from the cloud for one tunnel, numbered on from one to the next."""

    def __init__(self, tunnel):
        self.tunnel, self.made = tunnel, tunnel.ipsec
        self.sa = next(iter(self.made.inbound.values()))
        self.sequence = 0

    def inner(self, size=20, version=4, tos=0):
        return packets.ip(CLOUD[version], CUSTOMER[version], wire.UDP,
                          packets.udp(CLOUD[version], CUSTOMER[version], bytes(size)), tos=tos)

    def delivery(self, payload=None, **fields):
        """The clear packet; `payload` is what is in it instead of good GRE."""
        payload = packets.gre(self.tunnel.key, self.inner()) if payload is None else payload
        fields.setdefault("protocol", wire.GRE)
        return packets.ip(fields.pop("src", self.tunnel.remote), fields.pop("dst", self.tunnel.local),
                          fields.pop("protocol"), payload, **fields)

    def plain(self, delivery=None):
        """(next header, octets that go into ESP) of a whole delivery packet."""
        return self.made.next_header(parse(delivery or self.delivery()))

    def sealed(self, payload=None, next_header=None, text=None, sa=None, high=None):
        """An authentic ESP packet with the next number; `text` is the whole of what is encrypted."""
        self.sequence += 1
        sa = sa or self.sa
        usual, whole = self.plain()
        payload = whole if payload is None else payload
        if text is None:
            text = payload + esp.trailer(len(payload), sa.suite.block, usual if next_header is None else next_header)
        sequence = self.sequence if high is None else high << 32 | self.sequence
        return sa.seal_text(sequence, text, sequence.to_bytes(sa.suite.iv, "big"))

    def carry(self, packet, src=None, dst=None, encapsulated=None, **fields):
        encapsulated = self.made.encapsulated if encapsulated is None else encapsulated
        return esp.carry(src or self.made.remote, dst or self.made.local, packet, encapsulated, **fields)


def lengths(forge):
    """Every length from none to a few blocks more than the shortest."""
    packet, suite = forge.sealed(bytes(64)), forge.made.suite
    shortest = 8 + suite.iv + 2 + suite.icv
    for size in range(shortest + 33):
        reason = "esp_bad_icv" if (size - shortest + 2) % suite.block == 0 else "esp_not_blocks"
        yield forge.carry(packet[:size]), "esp_truncated" if size < shortest else reason


def outside(forge, other):
    """Wrong SPI, wrong addresses, wrong encapsulation, no ESP at all; `other` is a stranger's forge."""
    for spi in (forge.made.outbound[0].sa.spi, 0xFFFFFFFF, 1, 255, forge.sa.spi | 0x80000000, forge.sa.spi << 16):
        sa = esp.Association(forge.sa.suite, forge.sa.material, spi, forge.sa.esn)
        yield forge.carry(forge.sealed(sa=sa)), "esp_unknown_spi"
    if not forge.made.encapsulated:
        sa = esp.Association(forge.sa.suite, forge.sa.material, 0, forge.sa.esn)
        yield forge.carry(forge.sealed(sa=sa)), "esp_unknown_spi"
    remote = forge.made.remote
    for wrong in (remote[:-1] + bytes([remote[-1] ^ 0x80]), bytes([remote[0] ^ 1]) + remote[1:], forge.made.local):
        yield forge.carry(forge.sealed(), src=wrong), "esp_wrong_tunnel"
    family = [end for end in ((b"\xc6\x33\x64\x01", wire.packed("192.0.2.1")),
                              (wire.packed("2001:db8:cafe::1"), wire.packed("2001:db8:ffff::1")))
              if len(end[0]) != len(remote)]
    for src, dst in family:
        yield forge.carry(forge.sealed(), src=src, dst=dst), "esp_wrong_tunnel"
    if other.made.encapsulated == forge.made.encapsulated:
        # Authentic for the other; with this one's addresses, the other's, and the other's with this one's inside.
        yield forge.carry(other.sealed()), "esp_wrong_tunnel"
        yield other.carry(forge.sealed()), "esp_wrong_tunnel"
    yield forge.carry(forge.sealed(), encapsulated=not forge.made.encapsulated), "esp_encapsulation"
    for version in (4, 6):
        inner = forge.inner(version=version)
        yield forge.delivery(packets.gre(forge.tunnel.key, inner)), "clear_refused"
    yield packets.ip(remote, forge.made.local, wire.UDP, packets.udp(remote, forge.made.local, b"\xff", 4500, 4500)
                     ), "nat_keepalive"


def trailers(forge):
    """Padding and next header, all authentic."""
    block, (usual, plain) = forge.made.suite.block, forge.plain()
    whole = plain + esp.trailer(len(plain), block, usual)
    size = len(whole) - 2
    for pad in {255, size + 1} - set(range(size + 1)):
        yield forge.sealed(text=whole[:-2] + bytes([min(pad, 255), usual])), "esp_bad_pad_length"
    pad = bytes(range(1, block * 2 - (len(plain) + 2) % block + 1))
    for at in range(len(pad)):
        for wrong in (pad[at] ^ 1, pad[at] ^ 0x80, 0):
            broken = pad[:at] + bytes([wrong]) + pad[at + 1 :]
            yield forge.sealed(text=plain + broken + bytes([len(pad), usual])), "esp_bad_padding"
    for broken in (bytes(len(pad)), bytes(range(len(pad))), pad[::-1], b"\xff" * len(pad)):
        yield forge.sealed(text=plain + broken + bytes([len(pad), usual])), "esp_bad_padding"
    for next_header in range(256):
        if next_header != usual:
            reason = "esp_dummy" if next_header == esp.DUMMY else "esp_next_header"
            if next_header in (4, 41) and not forge.made.transport:
                reason = "esp_inner_bad"  # an IP packet, but of the other version
            yield forge.sealed(next_header=next_header), reason
    for junk in (b"", b"\0", bytes(100), b"\x45" * 37):
        yield forge.sealed(junk, esp.DUMMY), "esp_dummy"


def insides(forge, other):
    """What is inside, behind a good trailer."""
    key, inner = forge.tunnel.key, forge.inner()
    gre = packets.gre(key, inner)
    head = 4 if key is None else 8
    for size in range(head):
        yield forge.sealed(forge.plain(forge.delivery(gre[:size]))[1]), "esp_inner_truncated"
    wrong_keys = {None, 0, 1, 0xFFFFFFFF, other.tunnel.key, (key or 0) ^ 1, (key or 0) ^ 0x80000000} - {key}
    for wrong in sorted(wrong_keys, key=str):
        yield forge.sealed(forge.plain(forge.delivery(packets.gre(wrong, inner)))[1]), "esp_wrong_tunnel"
    if forge.made.transport:
        return
    good = forge.delivery(gre)
    for size in range(20 if good[0] >> 4 == 4 else 40):
        yield forge.sealed(good[:size]), "esp_inner_truncated"
    yield forge.sealed(good[:-1]), "esp_inner_truncated"
    ends = {4: ("198.51.100.1", "192.0.2.1"), 16: ("2001:db8::1", "2001:db8::2")}[20 - len(forge.tunnel.local)]
    src, dst = map(wire.packed, ends)
    foreign = forge.delivery(gre, src=src, dst=dst)
    yield forge.sealed(foreign, {4: 41, 16: 4}[len(forge.tunnel.local)]), "esp_wrong_tunnel"
    ends = forge.tunnel.remote, forge.tunnel.local
    if len(ends[0]) == len(other.tunnel.local):
        yield forge.sealed(other.delivery()), "esp_wrong_tunnel"
    for which in ("src", "dst"):
        address = ends[which == "dst"]
        for wrong in (address[:-1] + bytes([address[-1] ^ 0x40]), bytes([address[0] ^ 4]) + address[1:]):
            yield forge.sealed(forge.delivery(gre, **{which: wrong})), "esp_wrong_tunnel"
    yield forge.sealed(forge.delivery(gre, src=ends[1], dst=ends[0])), "esp_wrong_tunnel"
    for protocol in (4, wire.UDP, esp.ESP, esp.DUMMY):
        yield forge.sealed(forge.delivery(gre, protocol=protocol)), "esp_inner_bad"
    yield forge.sealed(bytes([good[0] ^ 0x20]) + good[1:]), "esp_inner_bad"
    if len(ends[0]) == 4:
        yield forge.sealed(forge.delivery(gre, df=False, mf=True)), "esp_inner_bad"
        yield forge.sealed(forge.delivery(gre, df=False, offset=3)), "esp_inner_bad"
        yield forge.sealed(good[:10] + bytes([good[10] ^ 1]) + good[11:]), "esp_inner_bad"
        yield forge.sealed(wire.with_ipv4_checksum(b"\x44" + good[1:])), "esp_inner_bad"
    else:
        fragment = bytes([wire.GRE, 0, 0, 1, 0, 0, 0, 9]) + gre
        yield forge.sealed(forge.delivery(fragment, protocol=wire.V6_FRAGMENT)), "esp_inner_bad"
