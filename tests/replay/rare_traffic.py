"""Rare packets over corners.yaml, one function per subject: each yields (port name, frame)."""

import itertools
import struct

import icmp
import packets
import parse
import wire

CUSTOMER4, CLOUD4 = wire.packed("10.0.0.9"), wire.packed("10.100.0.1")
CUSTOMER6, CLOUD6 = wire.packed("fd00:10::9"), wire.packed("fd00:100::1")
NEAR4, EDGE4 = wire.packed("172.16.0.1"), wire.packed("172.16.0.2")
NEAR6, EDGE6 = wire.packed("fd00:172::1"), wire.packed("fd00:172::2")
LINK_LOCAL, ALL_NODES = wire.packed("fe80::99"), wire.packed("ff02::1")
HOP_BY_HOP = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # the next header goes into the first byte


class Rare:
    def __init__(self, traffic, link, tunnels):
        self.traffic, self.link, self.tunnels = traffic, link, tunnels

    def access(self, raw, **fields):
        return self.traffic.access_frame(self.link, raw, **fields)

    def cloud(self, raw, name="v4key"):
        tunnel = self.tunnels[name]
        return self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE, packets.gre(tunnel.key, raw)))

    def core(self, outer, **fields):
        return self.traffic.core_frame(outer, **fields)

    def both(self, src, dst, protocol, payload, **fields):
        """The packet from the customer, and the same the other way from the cloud."""
        yield self.access(packets.ip(src, dst, protocol, payload, **fields))
        cloud = CLOUD4 if len(src) == 4 else CLOUD6
        yield self.cloud(packets.ip(cloud, dst, protocol, payload, **fields))

    # -- to the edge itself ------------------------------------------------------------------------------------

    def echo_requests(self):
        """Wrong checksums, codes and lengths, fragments, options and extension headers."""
        for src, dst in ((NEAR4, EDGE4), (NEAR6, EDGE6), (CUSTOMER4, EDGE4), (CUSTOMER6, EDGE6)):
            protocol, body = packets.echo_request(src, dst, 3, b"abcdefgh" * 3)
            bad = body[:2] + bytes([body[2] ^ 1]) + body[3:]
            yield from self.both(src, dst, protocol, bad)
            yield from self.both(src, dst, protocol, body[:7])
            yield from self.both(src, dst, protocol, b"")
            if len(src) == 4:
                yield from self.both(src, dst, protocol, icmp.icmpv4(b"\x08\x05" + body[2:]))
                yield from self.both(src, dst, protocol, icmp.icmpv4(body[:8]))
                yield from self.both(src, dst, protocol, body, options=b"\x94\x04\0\0", ttl=1)
                yield from self.both(src, dst, protocol, body, options=b"\x94\x04\0\0\x07\x07\x04\0\0\0\0\0", ttl=0)
                yield from self.both(src, dst, protocol, body, df=False, mf=True)
                yield from self.both(src, dst, protocol, body, df=False, offset=4)
            else:
                yield self.access(packets.ip(src, dst, protocol, icmp.icmpv6(src, dst, b"\x80\x05" + body[2:])))
                yield self.access(packets.ip(src, dst, wire.V6_HOP, bytes([protocol]) + HOP_BY_HOP[1:] + body))
                yield self.access(packets.ip(src, dst, wire.V6_FRAGMENT, bytes([protocol, 0, 0, 1, 0, 0, 0, 9]) + body))
                yield self.access(packets.ip(src, dst, wire.V6_FRAGMENT, bytes([protocol, 0, 0, 0, 0, 0, 0, 9]) + body))

    def large_echo_requests(self):
        """A reply is as large as its request, less the options; it is never cut."""
        for size in (1400, 1472, 1473, 1570, 1572):
            protocol, body = packets.echo_request(NEAR4, EDGE4, 3, b"x" * (size - 28))
            yield self.access(packets.ip(NEAR4, EDGE4, protocol, body, df=False))
        secondary = wire.packed("172.16.0.5")
        protocol, body = packets.echo_request(secondary, EDGE4, 3, b"x" * 1350)
        yield self.access(packets.ip(secondary, EDGE4, protocol, body))

    def link_local(self):
        for src in (NEAR6, CUSTOMER6, LINK_LOCAL, ALL_NODES, b"\0" * 16):
            own = wire.link_local(self.link.port.mac)
            for dst in (wire.packed("fe80::1"), own, EDGE6, CLOUD6):
                yield from self.both(src, dst, wire.UDP, b"\0" * 8)
                yield from self.both(src, dst, *packets.echo_request(src, dst, 3, b"abc"))
        core = wire.link_local(self.tunnels["v4key"].port.mac)
        for src in (LINK_LOCAL, CUSTOMER6, ALL_NODES, wire.packed("::ffff:10.0.0.9")):
            for dst in (core, wire.packed("2001:db8:ffff::1")):
                yield self.core(packets.ip(src, dst, *packets.echo_request(src, dst, 3, b"abc")))

    def never_forwarded(self):
        """The first and the last address of each block, and the neighbours of both."""
        for net in parse.NEVER_FORWARDED:
            around = [int(net[0]) - 1, int(net[0]), int(net[-1]), int(net[-1]) + 1]
            for number in around:
                if not 0 <= number < 2 ** net.max_prefixlen:
                    continue
                address = number.to_bytes(net.max_prefixlen // 8, "big")
                own, cloud = (CUSTOMER4, CLOUD4) if net.version == 4 else (CUSTOMER6, CLOUD6)
                edge = wire.packed("192.0.2.1" if net.version == 4 else "2001:db8:ffff::1")
                for src, dst in ((own, address), (address, cloud)):
                    yield self.access(self.udp(src, dst, 60))
                for src, dst in ((cloud, address), (address, own)):
                    yield self.cloud(self.udp(src, dst, 60))
                yield self.core(self.udp(address, edge, 60))

    def neighbour_discovery(self):
        solicit = packets.neighbour_solicitation(b"\2" * 6, NEAR6, EDGE6, EDGE6)
        yield self.access(solicit)
        yield self.cloud(solicit)
        yield self.access(packets.neighbour_solicitation(b"\2" * 6, LINK_LOCAL, EDGE6, EDGE6))
        yield self.access(packets.neighbour_solicitation(b"\2" * 6, LINK_LOCAL, EDGE6, wire.packed("fe80::1")))
        yield self.access(packets.neighbour_solicitation(b"\2" * 6, LINK_LOCAL, EDGE6, ALL_NODES),
                          dst=b"\x33\x33\0\0\0\1")
        group = packets.neighbour_solicitation(b"\2" * 6, b"\0" * 16, EDGE6, wire.packed("ff02::1:ff00:2"))
        yield self.access(group, dst=b"\x33\x33\xff\0\0\2")
        yield self.cloud(group)
        for kind in (133, 134, 136, 137):
            message = icmp.icmpv6(LINK_LOCAL, ALL_NODES, struct.pack("!BBHI", kind, 0, 0, 0) + b"\0" * 32)
            yield self.access(wire.ipv6(LINK_LOCAL, ALL_NODES, wire.ICMPV6, message, ttl=255), dst=b"\x33\x33\0\0\0\1")

    def multicast_that_is_no_neighbour_discovery(self):
        echo = packets.echo_request(LINK_LOCAL, ALL_NODES, 1, b"")
        yield self.access(wire.ipv6(LINK_LOCAL, ALL_NODES, *echo), dst=b"\x33\x33\0\0\0\1")
        yield self.access(wire.ipv6(LINK_LOCAL, ALL_NODES, *echo))
        mld = icmp.icmpv6(LINK_LOCAL, ALL_NODES, struct.pack("!BBHHH", 131, 0, 0, 0, 0) + ALL_NODES)
        yield self.access(wire.ipv6(LINK_LOCAL, ALL_NODES, wire.ICMPV6, mld, ttl=1), dst=b"\x33\x33\0\0\0\1")
        yield self.access(wire.ipv4(NEAR4, b"\xe0\0\0\1", 2, b"\x11\0\xee\xff\0\0\0\0", ttl=1), dst=b"\1\0\x5e\0\0\1")

    def arp(self):
        request = packets.arp_request(b"\2" * 6, NEAR4, EDGE4)
        for destination in (b"\xff" * 6, self.link.port.mac):
            yield self.access(request, ethertype=wire.ETH_ARP, dst=destination)
            yield self.core(request, ethertype=wire.ETH_ARP, dst=destination)

    def routing_protocols(self):
        bfd = packets.udp(NEAR4, EDGE4, b"\x20" * 24, 49152, 3784)
        yield from self.both(NEAR4, EDGE4, wire.UDP, bfd, ttl=255)
        bgp = packets.tcp(NEAR4, EDGE4, b"", 0x02, b"\x02\x04\x23\0")
        yield from self.both(NEAR4, EDGE4, wire.TCP, bgp, ttl=1)

    def core_addresses(self):
        """To the addresses of the core port from anyone, and to others."""
        stranger4, stranger6 = wire.packed("203.0.113.77"), wire.packed("2001:db8:99::1")
        own4, own6 = wire.packed("192.0.2.1"), wire.packed("2001:db8:ffff::1")
        for src, dst in ((stranger4, own4), (stranger6, own6)):
            protocol, body = packets.echo_request(src, dst, 3, b"abc")
            yield self.core(packets.ip(src, dst, protocol, body, tos=0xFF, ttl=1))
            yield self.core(packets.ip(src, dst, protocol, body[:2] + b"\x12\x34" + body[4:]))
            yield self.core(packets.ip(src, dst, wire.TCP, packets.tcp(src, dst, b"", 2, b"")))
            yield self.core(packets.ip(src, dst, 89, b"ospf"))
            elsewhere = dst[:-1] + b"\x63"
            protocol, body = packets.echo_request(src, elsewhere, 3, b"abc")
            yield self.core(packets.ip(src, elsewhere, protocol, body))
        protocol, body = packets.echo_request(stranger4, own4, 3, b"abc" * 400)
        yield self.core(packets.ip(stranger4, own4, protocol, body, options=b"\x94\x04\0\0"))

    # -- forwarding --------------------------------------------------------------------------------------------

    def no_errors_about_errors(self):
        for src, dst in ((CUSTOMER4, CLOUD4), (CUSTOMER6, CLOUD6)):
            protocol = wire.ICMP if len(src) == 4 else wire.ICMPV6
            for kind in list(range(20)) + [30, 100, 126, 127, 128, 129, 130, 132, 138, 200, 255]:
                _, body = packets.icmp_error(src, dst, kind, b"abc")
                yield self.access(packets.ip(src, dst, protocol, body, ttl=1))
            yield self.access(packets.ip(src, dst, protocol, body[:0], ttl=1))
            yield self.access(packets.ip(src, dst, protocol, body[:1], ttl=1))
            yield self.access(packets.ip(src, dst, 200, b"", ttl=1))
            if len(src) == 16:
                _, body = packets.icmp_error(src, dst, 1, b"abc")
                for extension in (wire.V6_HOP, wire.V6_DEST):
                    yield self.access(packets.ip(src, dst, extension, bytes([protocol]) + HOP_BY_HOP[1:] + body, ttl=1))
                for word in (0, 1, 8, 9):
                    head = struct.pack("!BBHI", wire.UDP, 0, word, 5)
                    yield self.access(packets.ip(src, dst, wire.V6_FRAGMENT, head + b"x" * 40, ttl=1))
            else:
                for offset, more in ((0, True), (1, True), (1, False)):
                    yield self.access(packets.ip(src, dst, wire.UDP, b"x" * 40, ttl=1, df=False, offset=offset,
                                                 mf=more))

    def quotes_of_every_size(self):
        for size in (28, 100, 547, 548, 549, 1400):
            raw = packets.ip(CUSTOMER4, CLOUD4, wire.UDP, packets.udp(CUSTOMER4, CLOUD4, b"q" * (size - 28)), ttl=1)
            yield self.access(raw)
            yield self.access(raw + b"\0" * 40)
        for size in (48, 1231, 1232, 1233, 1500):
            yield self.access(packets.ip(CUSTOMER6, CLOUD6, wire.UDP,
                                         packets.udp(CUSTOMER6, CLOUD6, b"q" * (size - 48)), ttl=1))

    def errors_with_nowhere_to_go(self):
        """From the cloud, from sources that no tunnel leads to; the customer's own address as source among them."""
        for src in ("9.9.9.9", "10.0.0.77", "172.16.0.2", "172.16.0.1", "10.103.0.1"):
            raw = self.udp(wire.packed(src), CUSTOMER4, 60, ttl=1)
            yield self.cloud(raw)
            yield self.cloud(self.udp(wire.packed(src), wire.packed("9.8.7.6"), 60))

    def priority_tags(self):
        """VID 0 in every place, up to three times."""
        for src, dst in ((CUSTOMER4, CLOUD4), (NEAR4, EDGE4)):
            raw = packets.ip(src, dst, *packets.echo_request(src, dst, 3, b"abcdefgh"))
            for vids in ([100, 10], [100], [], [100, 10, 10], [100, 4095]):
                for places in itertools.product(range(4), repeat=len(vids) + 1):
                    if not 0 < sum(places) < 4:
                        continue
                    tags = []
                    for zeros, vid in itertools.zip_longest(places, vids):
                        tags += [0] * zeros + ([] if vid is None else [vid])
                    yield self.access(raw, vids=tags, tpids=[0x88A8] + [0x8100] * (len(tags) - 1))

    def priority_tags_on_the_core(self):
        own, gateway = self.tunnels["v4key"].port.mac, b"\2" * 6
        for name in ("v4key", "v6key"):
            tunnel = self.tunnels[name]
            outer = packets.ip(tunnel.remote, tunnel.local, wire.GRE,
                               packets.gre(tunnel.key, self.udp(CLOUD4, CUSTOMER4, 60)))
            for tcis in ([0xA000], [0, 0], [0, 0, 0], [1], [0, 1], [1, 0]):
                for tpid in wire.TPIDS:
                    frame = wire.ethernet(own, gateway, [(tpid, tci) for tci in tcis], packets.ethertype_of(outer),
                                          outer)
                    yield "core0", frame

    def extension_headers(self):
        """Chains of up to three headers before everything that is for the edge, and before what is only forwarded."""
        pool = {wire.V6_HOP: [b"\0\0\1\4\0\0\0\0", b"\0\0\5\2\0\0\1\0", b"\0\0\xc2\4\0\0\0\x50"],
                wire.V6_DEST: [b"\0\0\4\1\4\1\1\0", b"\0\0\x40\4\0\0\0\0", b"\0\0\x1e\6\0\0\0\0"],
                wire.V6_ROUTING: [b"\0\0\0\0\0\0\0\0", b"\0\0\0\1\0\0\0\0", b"\0\2\0\0" + b"\0" * 20],
                wire.V6_FRAGMENT: [b"\0\0\0\0\0\0\0\5", b"\0\0\0\1\0\0\0\5", b"\0\0\0\x08\0\0\0\5"],
                51: [b"\0\1\0\0\0\0\0\1\0\0\0\1", b"\0\x10\0\0\0\0\0\1\0\0\0\1"]}
        single = [(kind, head) for kind, heads in pool.items() for head in heads]
        chains = [[one] for one in single] + [list(two) for two in itertools.product(single, repeat=2)]
        chains += [[single[3]] * count for count in (7, 8, 9, 10)]
        gre6 = self.tunnels["v6key"]
        core6, stranger = wire.packed("2001:db8:ffff::1"), wire.packed("2001:db8:99::1")
        syn = packets.tcp(CUSTOMER6, CLOUD6, b"", 0x02, b"\x02\x04\xff\xff")
        for chain in chains:
            def before(src, dst, protocol, payload, chain=chain, **fields):
                for kind, head in reversed(chain):
                    protocol, payload = kind, bytes([protocol]) + head[1:] + payload
                return wire.ipv6(src, dst, protocol, payload, **fields)

            yield self.core(before(gre6.remote, gre6.local, wire.GRE,
                                   packets.gre(gre6.key, self.udp(CLOUD4, CUSTOMER4, 60))))
            yield self.core(before(stranger, core6, *packets.echo_request(stranger, core6, 3, b"abc")))
            yield self.access(before(NEAR6, EDGE6, *packets.echo_request(NEAR6, EDGE6, 3, b"abc")))
            yield self.access(before(CUSTOMER6, CLOUD6, wire.TCP, syn))
            yield self.access(before(CUSTOMER6, CLOUD6, wire.UDP, b"x" * 40, ttl=1))
            raw = bytearray(before(CUSTOMER6, CLOUD6, wire.UDP, b"x" * 40))
            raw[4:6] = b"\0\0"
            yield self.access(bytes(raw))
            yield self.cloud(bytes(raw[:8]) + CLOUD6 + CUSTOMER6 + bytes(raw[40:]))

    def sources_that_are_no_host(self):
        """Every address around both links, from the customer and from the cloud."""
        for last in range(10):
            four, six = bytes([172, 16, 0, last]), wire.packed("fd00:172::%x" % last)
            for src, cloud, own in ((four, CLOUD4, CUSTOMER4), (six, CLOUD6, CUSTOMER6)):
                yield self.access(self.udp(src, cloud, 60))
                yield self.access(self.udp(src, own, 60))
                yield self.cloud(self.udp(src, own, 60))
                yield self.cloud(self.udp(src, own, 60), "v6key")
                yield self.cloud(self.udp(src, own, 60, ttl=1))
                yield self.cloud(self.udp(src, cloud, 60))

    def udp(self, src, dst, size, **fields):
        return packets.ip(src, dst, wire.UDP, packets.udp(src, dst, packets.filler(0, size)), **fields)

    def options_of_fragments(self):
        pool = [b"\x94\x04\0\0", b"\x01\x01\x94\x04\0\0\0\0", b"\x44\x08\x05\0\0\0\0\0",
                b"\x9e\x03\x07\x44\x04\x05\0\0",
                b"\x01\x9e\x05abc\x94\x04\0\0\0", b"\0\x94\x04\0", b"\x9e\x28" + b"z" * 38, b"\x5e\x28" + b"z" * 38,
                b"\x9e\x26" + b"z" * 36 + b"\x01\x01", b"\x01" * 40, b"\0" * 40]
        for options in pool:
            options += b"\0" * (-len(options) % 4)
            for size in (1380, 1400, 1440, 1480, 1500):
                raw = self.udp(CUSTOMER4, CLOUD4, size, df=False, ident=size, options=options)
                yield self.access(raw)
            yield self.cloud(self.udp(CLOUD4, wire.packed("172.16.0.5"), 1330, df=False, ident=7, options=options))

    def fragments_of_fragments(self):
        for offset, more in ((0, True), (3, True), (3, False), (4000, True), (8000, False)):
            for size in (1465, 1472, 1560):
                body = packets.filler(0, size // 8 * 8 if more else size)
                yield self.access(packets.ip(CUSTOMER4, CLOUD4, wire.UDP, body, df=False, offset=offset, mf=more,
                                             ident=9))
                yield self.access(packets.ip(CUSTOMER4, wire.packed("10.101.0.1"), wire.UDP, body, df=True,
                                             offset=offset,
                                             mf=more, ident=9))

    def reserved_flag(self):
        for size in (100, 1500):
            raw = bytearray(self.udp(CUSTOMER4, CLOUD4, size, df=False, ident=77))
            raw[6] |= 0x80
            yield self.access(wire.with_ipv4_checksum(raw))

    def segments_to_clamp(self):
        mss = b"\x02\x04\xff\xff"
        for src, dst in ((CUSTOMER4, CLOUD4), (CUSTOMER6, CLOUD6)):
            for options in (b"", mss, mss + mss, b"\x01" * 4 + mss, b"\x02\x03\xff", b"\x02\x05\xff\xff\xff",
                            b"\0" + mss, b"\x08\x00" + mss, b"\x08\x01" + mss, b"\x08\x30" + mss, b"\x02\x04\xff",
                            b"\x01\x01\x01\x02", b"\x02\x04\x05\x00", b"\x02\x04\0\0",
                            b"\x13\x12" + b"m" * 16 + mss):
                for flags in (0x02, 0x12, 0x10, 0x06, 0xC2):
                    segment = packets.tcp(src, dst, b"data", flags, options)
                    yield self.access(packets.ip(src, dst, wire.TCP, segment))
                    yield self.cloud(packets.ip(dst, src, wire.TCP, packets.tcp(dst, src, b"", flags, options)))
            segment = packets.tcp(src, dst, b"", 0x02, mss)
            for offset in (13, 19, 20, 22, 23):
                yield self.access(packets.ip(src, dst, wire.TCP, segment[:offset]))
            for nibble in (0, 4, 5, 15):
                wrong = segment[:12] + bytes([nibble << 4]) + segment[13:]
                yield self.access(packets.ip(src, dst, wire.TCP, wrong))
            yield self.access(packets.ip(src, dst, wire.TCP, segment[:16] + b"\x12\x34" + segment[18:]))
            yield self.access(packets.ip(src, dst, wire.TCP, segment[:16] + b"\0\0" + segment[18:]))
            if len(src) == 4:
                yield self.access(packets.ip(src, dst, wire.TCP, segment, options=b"\x94\x04\0\0"))
                yield self.access(packets.ip(src, dst, wire.TCP, segment, df=False, mf=True))
                yield self.access(packets.ip(src, dst, wire.TCP, segment, df=False, offset=2))

    def outer_headers(self):
        """Extension headers, fragments and wrong lengths outside."""
        inner = self.udp(CLOUD4, CUSTOMER4, 60)
        for name in ("v6key", "v6none"):
            tunnel = self.tunnels[name]
            payload = packets.gre(tunnel.key, inner)
            for word in (0, 1, 8):
                head = struct.pack("!BBHI", wire.GRE, 0, word, 5)
                yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.V6_FRAGMENT, head + payload))
                head = struct.pack("!BBHI", wire.UDP, 0, word, 5)
                yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.V6_FRAGMENT, head + payload))
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.V6_FRAGMENT, head[:7]))
            yield self.core(packets.ip(tunnel.remote, LINK_LOCAL, wire.UDP, payload))
            echo = packets.echo_request(tunnel.remote, LINK_LOCAL, 3, b"abcdefgh")
            yield self.core(packets.ip(tunnel.remote, LINK_LOCAL, *echo))
        for name in ("v4key", "v4none"):
            tunnel = self.tunnels[name]
            payload = packets.gre(tunnel.key, inner)
            for offset in (0, 4):
                yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.UDP, payload, df=False, mf=True,
                                           offset=offset))
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE, payload, options=b"\x94\x04\0\0" * 10))
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE, payload) + b"\xEE" * 30)
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE, payload, ttl=0, df=False, ident=9))
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE,
                                       packets.gre(tunnel.key, b"", protocol=0x0800)))
            yield self.core(packets.ip(tunnel.remote, tunnel.local, wire.GRE, b""))

    def gre_in_gre(self):
        """The edge's own delivery packet once more inside: it is the customer's traffic, and is not opened twice."""
        tunnel = self.tunnels["v4key"]
        raw = self.udp(CLOUD4, CUSTOMER4, 30)
        for _ in range(20):
            raw = packets.ip(tunnel.remote, tunnel.local, wire.GRE, packets.gre(tunnel.key, raw))
            yield self.core(raw)
        raw = self.udp(CUSTOMER4, CLOUD4, 30)
        for _ in range(20):
            raw = packets.ip(CUSTOMER4, CLOUD4, wire.GRE, packets.gre(0x2A01, raw))
            yield self.access(raw)

    SUBJECTS = (echo_requests, large_echo_requests, link_local, never_forwarded, sources_that_are_no_host, neighbour_discovery,
                multicast_that_is_no_neighbour_discovery, arp, routing_protocols,
                core_addresses, no_errors_about_errors, quotes_of_every_size,
                errors_with_nowhere_to_go, options_of_fragments, fragments_of_fragments, reserved_flag,
                segments_to_clamp, priority_tags, priority_tags_on_the_core, extension_headers, outer_headers, gre_in_gre)
