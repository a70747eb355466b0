// What comes out of tunnels: outer headers, the GRE header of RFC 2784 and RFC 2890, identity, ECN.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace decap_test {

const std::vector<Output> kSent{output("access0", at_contoso(hop(down4())))};

Packet v4key() {
    return outer_from_gateway("v4key");
}
Case sent(const char* name, const Packet& outer) {
    return {name, "core0", Packet(outer).then(down4()), Fate::sent, kSent};
}
Case dropped(const char* name, const Packet& outer, Fate fate, const char* circuit = "") {
    return {name, "core0", Packet(outer).then(down4()), fate, {}, circuit};
}
/// An outer header that the case completes.
Packet from4(std::string_view remote = "198.51.100.7", std::string_view local = "192.0.2.1") {
    return Packet().ether(kCoreMac, kGatewayMac).ip4(remote, local);
}

TEST(Decap, GreHeader) {
    std::vector<Case> cases{
        sent("plain", v4key()),
        sent("a right checksum", v4key().gre_checksum()),
        sent("a sequence number", v4key().gre_sequence(77)),
        sent("all three", v4key().gre_checksum().gre_sequence(0xffffffff)),
        sent("bits 6 to 12", v4key().gre_flags(0x03f8)),
        dropped("a wrong checksum", v4key().gre_checksum().wrong_checksum(), Fate::gre_bad_checksum),
        dropped("a wrong checksum of a keyless tunnel",
                outer_from_gateway("v4none").gre_checksum().wrong_checksum(0x8000), Fate::gre_bad_checksum),
        dropped("bit 1", v4key().gre_flags(0x4000), Fate::gre_bad_header),
        dropped("bit 4", v4key().gre_flags(0x0800), Fate::gre_bad_header),
        dropped("bit 5", v4key().gre_flags(0x0400), Fate::gre_bad_header),
        dropped("version 1", v4key().gre_flags(0x0001), Fate::gre_bad_header),
        dropped("version 2", v4key().gre_flags(0x0002), Fate::gre_bad_header),
        dropped("version 4", v4key().gre_flags(0x0004), Fate::gre_bad_header),
        dropped("IPv6 said to be inside", v4key().gre_protocol(0x86dd), Fate::gre_protocol, kContoso),
        dropped("bridged Ethernet", v4key().gre_protocol(0x6558), Fate::gre_protocol, kContoso),
        dropped("protocol 0", v4key().gre_protocol(0), Fate::gre_protocol, kContoso),
        {"IPv4 said to be inside",
         "core0",
         v4key().gre_protocol(0x0800).then(down6()),
         Fate::gre_protocol,
         {},
         kContoso},
        {"nothing inside", "core0", v4key().gre_protocol(0x0800), Fate::truncated, {}, kContoso},
    };
    for (unsigned bit = 3; bit <= 9; ++bit) { cases.push_back(sent("one ignored bit", v4key().gre_flags(1U << bit))); }
    check(cases);
}

TEST(Decap, ChecksumOfOddLengths) {
    Edge edge(kPair);
    for (std::size_t size = 0; size < 9; ++size) {
        const auto ip = Packet().ip4("10.100.0.1", "10.0.0.1").udp().payload(size);
        for (const char* network : {"v4key", "v4none", "v6key"}) {
            auto packet = outer_from_gateway(network).gre_checksum().then(ip).pad(6);
            expect_out(edge.send("core0", {packet}), {output("access0", at_contoso(hop(ip)))});
        }
    }
}

TEST(Decap, Identity) {
    const auto unknown = Fate::unknown_tunnel;
    check({
        dropped("another key", from4().gre(0x2a02), unknown),
        dropped("the key's octets swapped", from4().gre(0x012a0000), unknown),
        dropped("another remote", from4("198.51.100.8").gre(0x2a01), unknown),
        dropped("a local address of another family's tunnel", from4("198.51.100.7", "192.0.2.2").gre(0x2a01),
                Fate::not_for_us),
        {"key 0", "core0", from4().gre(0).then(down4()), Fate::sent, {output("access0", at_fabrikam(hop(down4())))}},
        {"no key", "core0", from4().gre().then(down4()), Fate::sent, kSent},
        {"IPv6, key 0", "core0", from_gateway("v6key", down4()), Fate::sent, kSent},
        {"IPv6, key 0 of the other local address",
         "core0",
         Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::7", "2001:db8:ffff::2").gre(0).then(down4()),
         unknown,
         {}},
        {"IPv6, no key at the keyed one",
         "core0",
         Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::7", "2001:db8:ffff::1").gre().then(down4()),
         unknown,
         {}},
        {"IPv6, no key", "core0", from_gateway("v6none", down4()), Fate::sent, kSent},
        {"an IPv4-mapped remote is no IPv4 remote",
         "core0",
         Packet().ether(kCoreMac, kGatewayMac).ip6("::ffff:198.51.100.7", "2001:db8:ffff::1").gre(0x2a01).then(down4()),
         Fate::outer_bad_header,
         {}},
        {"an IPv4 tunnel does not open to its addresses mapped",
         "core0",
         Packet().ether(kCoreMac, kGatewayMac).ip6("::ffff:198.51.100.7", "::ffff:192.0.2.1").gre(0x2a01).then(down4()),
         Fate::outer_bad_header,
         {}},
    });
}

TEST(Decap, OuterHeader) {
    const auto ip = down4();
    const auto gre = [](const Packet& outer) { return Packet(outer).gre(0x2a01).then(down4()); };
    const auto six = [] { return Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::7", "2001:db8:ffff::1"); };
    const auto drop = [](const char* name, const Packet& packet, Fate fate) {
        return Case{name, "core0", packet, fate, {}};
    };
    const Octets first_of_gre{47, 0, 0, 1, 0, 0, 0, 9, 0x20, 0, 8, 0, 0, 0, 0x2a, 1};
    const Octets later_of_udp{17, 0, 0, 8, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8};
    check({
        {"options", "core0", gre(from4().options({1, 1, 1, 0})), Fate::sent, kSent},
        {"most options", "core0", gre(from4().options(Octets(40, 1))), Fate::sent, kSent},
        {"padding", "core0", gre(from4()).pad(46), Fate::sent, kSent},
        {"TTL 1", "core0", gre(from4().ttl(1)), Fate::sent, kSent},
        {"DF and an ID", "core0", gre(from4().df().id(0x1234)), Fate::sent, kSent},
        drop("first fragment", gre(from4().fragment(0x2000)), Fate::outer_fragment),
        drop("later fragment", gre(from4().fragment(0x0003)), Fate::outer_fragment),
        drop("IPv6 fragment", six().protocol(44).payload(first_of_gre), Fate::outer_fragment),
        drop("a fragment to another host", gre(from4("198.51.100.7", "192.0.2.9").fragment(1)), Fate::not_for_us),
        drop("no room for the fragment header", six().protocol(44).payload(7), Fate::outer_truncated),
        drop("a piece of BGP to us", from4("192.0.2.254").tcp(2).fragment(0x2000), Fate::punted),
        drop("a piece of UDP to us", from4("192.0.2.254").protocol(17).payload(64).fragment(3), Fate::punted),
        drop("IPv6 piece of UDP to us", six().protocol(44).payload(later_of_udp), Fate::punted),
        drop("to a link-local address", Packet().ether(kCoreMac, kGatewayMac).ip6("fe80::fe", "fe80::1").tcp(2),
             Fate::punted),
        drop("an echo request to a link-local address",
             Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::9", "fe80::1").icmp6(128), Fate::punted),
        drop("version 5", gre(from4().version(5)), Fate::outer_bad_header),
        drop("4 words", gre(from4().header_words(4)), Fate::outer_bad_header),
        drop("total length 19", gre(from4().total_length(19)), Fate::outer_bad_header),
        drop("total length past the frame", gre(from4().total_length(157)), Fate::outer_truncated),
        drop("no room for GRE", gre(from4().total_length(23)), Fate::outer_truncated),
        drop("no room for the key", gre(from4().total_length(27)), Fate::outer_truncated),
        drop("no room for the checksum", from4().gre(0x2a01).gre_checksum().then(ip).truncate(14 + 20 + 8),
             Fate::outer_truncated),
        drop("a wrong checksum", gre(from4().wrong_checksum()), Fate::outer_bad_checksum),
        drop("a wrong checksum with options", gre(from4().options({1, 1, 1, 0}).wrong_checksum()),
             Fate::outer_bad_checksum),
        drop("IPv6 version", gre(six().version(5)), Fate::outer_bad_header),
        drop("IPv6 payload past the frame", gre(six().total_length(200)), Fate::outer_truncated),
        drop("IPv6 no room for GRE", six().protocol(47).payload(3), Fate::outer_truncated),
        drop("to another host", gre(from4("198.51.100.7", "192.0.2.9")), Fate::not_for_us),
        drop("to another IPv6 host",
             Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::7", "2001:db8:ffff::9").gre(0).then(ip),
             Fate::not_for_us),
        drop("to multicast", gre(from4("198.51.100.7", "224.0.0.5")), Fate::multicast),
        drop("to broadcast", gre(from4("198.51.100.7", "255.255.255.255")), Fate::multicast),
        drop("IPv6 multicast", Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8:cafe::7", "ff02::1").gre(0).then(ip),
             Fate::multicast),
        drop("MPLS", gre(from4()).ether_type(0x8847), Fate::outer_not_ip),
        drop("tagged",
             Packet().ether(kCoreMac, kGatewayMac).tag(5).ip4("198.51.100.7", "192.0.2.1").gre(0x2a01).then(ip),
             Fate::outer_not_ip),
        drop("ARP", Packet().ether(kCoreMac, kGatewayMac).ether_type(0x0806).payload(28), Fate::punted),
        drop("ARP to all", Packet().ether("ff:ff:ff:ff:ff:ff", kGatewayMac).ether_type(0x0806).payload(28),
             Fate::punted),
        drop("neighbour solicitation",
             Packet()
                 .ether("33:33:ff:00:00:01", kGatewayMac)
                 .ip6("fe80::fe", "ff02::1:ff00:1")
                 .ttl(255)
                 .icmp6(135, 0, 0)
                 .payload(16),
             Fate::punted),
        drop("IPv4 multicast MAC",
             Packet().ether("01:00:5e:00:00:05", kGatewayMac).ip4("192.0.2.254", "224.0.0.5").payload(8),
             Fate::multicast),
        drop("GRE to a core address without a tunnel", from4("192.0.2.254").gre(1).then(ip), Fate::unknown_tunnel),
    });
}

TEST(Decap, TruncatedAtEveryOctet) {
    for (const char* network : {"v4key", "v6key", "v4none"}) {
        const auto whole = from_gateway(network, down4());
        const std::size_t ip = network[1] == '6' ? 40 : 20;
        Edge edge(kPair);
        std::vector<Packet> cut;
        for (std::size_t length = 0; length < whole.size(); ++length) { cut.push_back(Packet(whole).truncate(length)); }
        const auto sent = edge.send("core0", cut);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            EXPECT_EQ(sent.fates[length], length < 14 ? Fate::runt : Fate::outer_truncated) << network << ' ' << length;
        }
        // The same, the outer length following: now it is the packet inside that ends early.
        const auto inside = down4().octets();
        std::vector<Packet> early;
        for (std::size_t length = 0; length < inside.size(); ++length) {
            early.push_back(outer_from_gateway(network).raw(
                Octets(inside.begin(), inside.begin() + static_cast<std::ptrdiff_t>(length)), 0x0800));
        }
        const auto fates = edge.send("core0", early).fates;
        for (std::size_t length = 0; length < inside.size(); ++length) {
            EXPECT_EQ(fates[length], Fate::truncated) << network << ' ' << length << ' ' << ip;
        }
    }
}

TEST(Decap, InnerHeader) {
    const auto drop = [](const char* name, const Packet& ip, Fate fate) {
        return Case{name, "core0", from_gateway("v4key", ip), fate, {}, kContoso};
    };
    check({
        {"padding inside the tunnel is cut", "core0",
         from_gateway("v4key", Packet().raw(Packet(down4()).pad(9).octets(), 0x0800)), Fate::sent, kSent},
        {"options",
         "core0",
         from_gateway("v4key", Packet(down4()).options({1, 1, 1, 0})),
         Fate::sent,
         {output("access0", at_contoso(hop(Packet(down4()).options({1, 1, 1, 0}))))}},
        drop("a wrong checksum", Packet().ip4("10.100.0.1", "10.0.0.1").wrong_checksum(), Fate::bad_checksum),
        drop("total length past the end", Packet(down4()).total_length(129), Fate::truncated),
        drop("4 words", Packet(down4()).header_words(4), Fate::bad_header),
        drop("IPv6 payload past the end", Packet(down6()).total_length(109), Fate::truncated),
        drop("from link-local", down6("fd00:10::1", "fe80::1"), Fate::martian),
    });
}

TEST(Decap, EcnTable) {
    // RFC 6040 Figure 4; -1: drop. Rows: inner Not-ECT, ECT(0), ECT(1), CE; columns: outer the same.
    constexpr unsigned kNot = 0, kEct1 = 1, kEct0 = 2, kCe = 3;
    constexpr unsigned order[] = {kNot, kEct0, kEct1, kCe};
    constexpr int table[4][4] = {
        {kNot, kNot, kNot, -1}, {kEct0, kEct0, kEct1, kCe}, {kEct1, kEct1, kEct1, kCe}, {kCe, kCe, kCe, kCe}};
    for (unsigned inner = 0; inner < 4; ++inner) {
        for (unsigned outer = 0; outer < 4; ++outer) {
            for (const char* network : {"v4key", "v6key"}) {
                for (const auto& ip : {down4(), down6()}) {
                    SCOPED_TRACE(testing::Message() << network << " inner " << inner << " outer " << outer);
                    // DSCPs differ: the inner one stays (RFC 2983 §3).
                    const auto in = Packet(ip).tos(0xb8 | order[inner]);
                    auto packet = Packet().ether(kCoreMac, kGatewayMac);
                    if (network[1] == '4') {
                        packet.ip4("198.51.100.7", "192.0.2.1").tos(0x28 | order[outer]).gre(0x2a01);
                    } else {
                        packet.ip6("2001:db8:cafe::7", "2001:db8:ffff::1").tos(0x28 | order[outer]).gre(0);
                    }
                    packet.then(in);
                    const int want = table[inner][outer];
                    if (want < 0) {
                        check({{"dropped", "core0", packet, Fate::ecn_mismatch, {}, kContoso}});
                    } else {
                        check({{"sent",
                                "core0",
                                packet,
                                Fate::sent,
                                {output("access0",
                                        at_contoso(hop(Packet(in).tos(0xb8 | static_cast<unsigned>(want)))))}}});
                    }
                }
            }
        }
    }
}

TEST(Decap, NestedManyTimes) {
    Packet nested = down4();
    nested = Packet().ip4("10.100.0.1", "10.0.0.1");
    for (int depth = 0; depth < 30; ++depth) { nested.gre(0x2a01).ip4("198.51.100.7", "192.0.2.1"); }
    auto inside = nested.octets();
    auto out = inside;
    out[8] = 63;
    const unsigned sum = (out[10] << 8U | out[11]) + 0x100U;
    out[10] = static_cast<std::uint8_t>((sum + (sum >> 16U)) >> 8U);
    out[11] = static_cast<std::uint8_t>(sum + (sum >> 16U));
    check({{"only the outermost is ours",
            "core0",
            from_gateway("v4key", Packet().raw(inside, 0x0800)),
            Fate::sent,
            {output("access0", at_contoso(Packet().raw(out, 0x0800)))}}});
}

}  // namespace decap_test
}  // namespace peerlane::test
