// Packets that do not fit: fragmentation before encapsulation; segments that shall not become so large: the MSS clamp.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace size_test {

unsigned get16(const Octets& octets, std::size_t at) {
    return octets[at] << 8U | octets[at + 1];
}

/// The inner packet of a frame to the core over the keyed IPv4 tunnel (42), or to a customer with two tags (22).
Octets inside(const Output& output) {
    const std::size_t skip = output.port == "core0" ? 42 : 22;
    return {output.frame.begin() + static_cast<std::ptrdiff_t>(skip), output.frame.end()};
}

/// Puts pieces together again (RFC 791 §3.2) and checks each on the way: its length, checksum, flags, order. Returns
/// the payload, at its offset in the original datagram.
Octets reassembled(const std::vector<Octets>& pieces, unsigned mtu, unsigned first_offset, bool more_at_the_end) {
    Octets payload;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const Octets& piece = pieces[i];
        const std::size_t header = (piece[0] & 15U) * 4U;
        EXPECT_EQ(internet_checksum({piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(header)}), 0);
        EXPECT_LE(piece.size(), mtu);
        EXPECT_EQ(get16(piece, 2), piece.size());
        const unsigned flags = get16(piece, 6);
        const bool last = i + 1 == pieces.size();
        EXPECT_EQ((flags & 0x2000U) != 0, !last || more_at_the_end);
        EXPECT_EQ(flags & 0xc000U, 0U);
        EXPECT_EQ((flags & 0x1fffU) * 8, first_offset + payload.size());
        if (!last) { EXPECT_EQ((piece.size() - header) % 8, 0U); }
        if (!last) { EXPECT_GT(piece.size() + 8, mtu - 4) << "shorter than need be"; }
        EXPECT_EQ(get16(piece, 4), get16(pieces[0], 4));
        EXPECT_EQ(piece[8], pieces[0][8]);
        EXPECT_TRUE(std::equal(piece.begin() + 12, piece.begin() + 20, pieces[0].begin() + 12));
        payload.insert(payload.end(), piece.begin() + static_cast<std::ptrdiff_t>(header), piece.end());
    }
    return payload;
}

TEST(Fragment, OneIntoTwo) {
    const auto ip = Packet().ip4("10.0.0.1", "10.100.0.1").id(0x4711).tos(0x29).udp().payload(1572);
    const auto all = ip.octets();
    const auto piece = [&](std::size_t from, std::size_t to, unsigned fragment) {
        return Packet()
            .ip4("10.0.0.1", "10.100.0.1")
            .id(0x4711)
            .tos(0x29)
            .ttl(63)
            .protocol(17)
            .fragment(fragment)
            .payload(Octets(all.begin() + static_cast<std::ptrdiff_t>(20 + from),
                            all.begin() + static_cast<std::ptrdiff_t>(20 + to)));
    };
    check({{"DF 0",
            "access0",
            from_contoso(ip),
            Fate::sent,
            {output("core0", to_gateway("v4key", 0x29, piece(0, 1448, 0x2000))),
             output("core0", to_gateway("v4key", 0x29, piece(1448, 1580, 1448 / 8)))}}});
    Edge edge(kPair);
    edge.send("access0", {from_contoso(ip)});
    // The customer sent one packet of 1600; the tunnel carries two.
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_cloud).passed, (Passed{1, 1600}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, Direction::to_cloud), (Passed{2, 1620}));
    EXPECT_EQ(edge.peering("private", Link::primary, Direction::to_cloud), (Passed{1, 1600}));
    EXPECT_EQ(edge.port("access0").originated, 1U);
}

TEST(Fragment, NoneBeyondTheOffsetField) {
    // It ends beyond octet 65,535 of its datagram; a second piece would begin at a low offset again.
    const auto last = [](unsigned size) {
        return from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").fragment(8000).payload(size));
    };
    check({{"too far", "access0", last(1536), Fate::bad_header, {}, "contoso/pair"}});
    Edge edge(kPair);
    EXPECT_EQ(edge.send("access0", {last(1535)}).out.size(), 2U);
}

TEST(Fragment, EveryLengthAndOption) {
    // 148: router alert, copied. 7: record route, not copied. 131: source route, copied.
    const std::vector<Octets> options{
        {}, {148, 4, 0, 0}, {7, 7, 4, 0, 0, 0, 0, 0}, {1, 7, 3, 4, 131, 7, 4, 9, 9, 9, 9, 0}, {148, 99, 0, 0}};
    for (const auto& option : options) {
        for (const unsigned original : {0x0000U, 0x2000U, 0x0064U, 0x2064U}) {
            Edge edge(kPair);
            for (std::size_t length = 1466; length <= 1600; length += 7) {
                SCOPED_TRACE(testing::Message() << length << " options " << hex(option) << " flags " << original);
                const std::size_t size = (length - 20 - (option.size() + 3) / 4 * 4) &
                                         ((original & 0x2000U) != 0 ? ~std::size_t{7} : ~std::size_t{0});
                const auto ip =
                    Packet().ip4("10.0.0.1", "10.100.0.1").options(option).id(7).fragment(original).payload(size);
                const auto sent = edge.send("access0", {from_contoso(ip)});
                ASSERT_EQ(sent.fate(), Fate::sent);
                std::vector<Octets> pieces;
                for (const auto& out : sent.out) { pieces.push_back(inside(out)); }
                EXPECT_EQ(pieces.size(), ip.size() > 1472 ? 2U : 1U);
                const auto payload = Packet().payload(size).octets();
                EXPECT_EQ(reassembled(pieces, 1472, (original & 0x1fffU) * 8, (original & 0x2000U) != 0), payload);
            }
        }
    }
}

TEST(Fragment, OptionsOfLaterPieces) {
    const auto second = [](const Octets& options) {
        Edge edge(kPair);
        const auto sent =
            edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").options(options).payload(1500))});
        const auto piece = inside(sent.out.at(1));
        return Octets(piece.begin() + 20, piece.begin() + (piece[0] & 15) * 4);
    };
    EXPECT_EQ(second({148, 4, 0, 0}), (Octets{148, 4, 0, 0}));
    EXPECT_EQ(second({7, 7, 4, 0, 0, 0, 0, 0}), Octets{});
    EXPECT_EQ(second({1, 7, 3, 4, 131, 7, 4, 9, 9, 9, 9, 0}), (Octets{131, 7, 4, 9, 9, 9, 9, 0}));
    EXPECT_EQ(second({148, 99, 0, 0}), Octets{}) << "an option that runs past the header";
    EXPECT_EQ(second({0, 148, 4, 0}), Octets{}) << "after the end of the list";
}

TEST(Fragment, IgnoredDf) {
    const auto ip = Packet().ip4("10.0.0.1", "10.101.0.1").df().udp().payload(1572);
    Edge edge(kPair);
    const auto sent = edge.send("access0", {from_contoso(ip)});
    ASSERT_EQ(sent.out.size(), 2U);
    std::vector<Octets> pieces;
    for (const auto& out : sent.out) { pieces.emplace_back(out.frame.begin() + 38, out.frame.end()); }
    const auto whole = ip.octets();
    EXPECT_EQ(reassembled(pieces, 1476, 0, false), Octets(whole.begin() + 20, whole.end()));
}

TEST(Fragment, TowardsCustomers) {
    const auto ip = Packet().ip4("10.100.0.1", "172.16.0.5").id(3).udp().payload(1372);
    Edge edge(kPair);
    for (const auto& sent :
         {edge.send("core0", {from_gateway("v4key", ip)}),
          edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "172.16.0.5").udp().payload(1372))})}) {
        ASSERT_EQ(sent.out.size(), 2U);
        std::vector<Octets> pieces;
        for (const auto& out : sent.out) {
            EXPECT_EQ(out.port, "access1");
            EXPECT_EQ(get16(out.frame, 12), 0x9100U);
            pieces.push_back(inside(out));
        }
        EXPECT_EQ(reassembled(pieces, 1300, 0, false).size(), 1380U);
    }
    EXPECT_EQ(edge.tunnel("v4key", Link::secondary, Direction::to_customer), (Passed{2, 1420}));
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, Direction::to_customer).passed, (Passed{2, 2800}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_cloud).passed, (Passed{1, 1400}));
}

TEST(Fragment, IntoAsManyAsThereCanBe) {
    constexpr std::string_view kSmall = R"(
ports:
  access0: { role: access, mtu: 9600 }
  core0: { role: core, mtu: 1308, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
customers:
  - name: fabrikam
    circuits:
      - { name: single, port: access0, bandwidth: 1 Gbps, peerings: [
          { type: private, vlan: 100, subnet: 172.16.0.0/30, customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: prod, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 } } ] } ] }
)";
    Edge edge(kSmall);
    for (const auto& options : {Octets{}, Octets(40, 148)}) {
        Octets copied = options;
        if (!copied.empty()) { copied[1] = 40; }
        const auto ip = Packet().ip4("10.0.0.1", "10.100.0.1").options(copied).payload(9580 - copied.size());
        std::vector<Packet> burst(32, from_fabrikam(ip));
        const auto sent = edge.send("access0", burst);
        for (const auto fate : sent.fates) { EXPECT_EQ(fate, Fate::sent); }
        ASSERT_EQ(sent.out.size(), 32U * 8);
        for (std::size_t i = 0; i < sent.out.size(); i += 8) {
            std::vector<Octets> pieces;
            for (std::size_t k = i; k < i + 8; ++k) {
                EXPECT_EQ(sent.out[k].slot, i / 8);
                pieces.push_back(inside(sent.out[k]));
            }
            EXPECT_EQ(reassembled(pieces, 1280, 0, false), Packet().payload(9580 - copied.size()).octets());
        }
    }
}

TEST(Fragment, NoMemoryCostsNothing) {
    Edge edge(kPair);
    edge.starve = true;
    const auto sent =
        edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1500)), from_contoso(up4())});
    EXPECT_EQ(sent.fates, (std::vector{Fate::no_memory, Fate::sent}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_cloud).passed, (Passed{1, 128}));
    edge.starve = false;
    EXPECT_EQ(edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1500))}).out.size(),
              2U);
}

Packet syn(const Octets& options, std::string_view to = "10.100.0.1", unsigned flags = 2) {
    return Packet().ip4("10.0.0.1", to).tcp(flags, options);
}
Packet syn6(const Octets& options, std::string_view to = "fd00:100::1") {
    return Packet().ip6("fd00:10::1", to).tcp(2, options);
}

TEST(Mss, Clamped) {
    const auto sent = [](const char* name, const Packet& in, const Packet& out) {
        return Case{name, "access0", from_contoso(in), Fate::sent, {output("core0", to_gateway("v4key", 0, hop(out)))}};
    };
    const auto same = [&](const char* name, const Packet& in) { return sent(name, in, in); };
    constexpr std::uint8_t h = 1432 >> 8, l = 1432 & 0xff;    // 1500 - 28 - 40
    constexpr std::uint8_t h6 = 1412 >> 8, l6 = 1412 & 0xff;  // 1500 - 28 - 60
    check({
        sent("first option", syn({2, 4, 5, 180}), syn({2, 4, h, l})),
        sent("one more than fits", syn({2, 4, h, l + 1}), syn({2, 4, h, l})),
        same("just fits", syn({2, 4, h, l})),
        same("small", syn({2, 4, 2, 24})),
        sent("65535", syn({2, 4, 255, 255}), syn({2, 4, h, l})),
        sent("at an odd offset", syn({1, 2, 4, 5, 180, 0, 0, 0}), syn({1, 2, 4, h, l, 0, 0, 0})),
        sent("behind others", syn({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 3, 3, 7, 2, 4, 5, 180}),
             syn({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 3, 3, 7, 2, 4, h, l})),
        sent("SYN and ACK", syn({2, 4, 5, 180}, "10.100.0.1", 0x12), syn({2, 4, h, l}, "10.100.0.1", 0x12)),
        sent("IP options do not count (RFC 6691 §2)",
             Packet().ip4("10.0.0.1", "10.100.0.1").options({1, 1, 1, 0}).tcp(2, {2, 4, 5, 180}),
             Packet().ip4("10.0.0.1", "10.100.0.1").options({1, 1, 1, 0}).tcp(2, {2, 4, h, l})),
        same("no SYN", syn({2, 4, 5, 180}, "10.100.0.1", 0x10)),
        same("no options", syn({})),
        same("after the end of options", syn({0, 2, 4, 5, 180})),
        same("option length 0", syn({3, 0, 2, 4, 5, 180})),
        same("option length 1", syn({3, 1, 2, 4, 5, 180})),
        same("MSS of length 3", syn({2, 3, 5, 1})),
        same("runs past the header", syn({1, 1, 2, 4})),
        same("an option that runs past the header", syn({3, 40, 2, 4, 5, 180})),
        same("a kind without a length", syn({1, 1, 1, 2})),
        same("a first fragment", syn({2, 4, 5, 180}).fragment(0x2000)),
        same("UDP with a SYN's octets",
             Packet().ip4("10.0.0.1", "10.100.0.1").protocol(17).payload(syn({2, 4, 5, 180}).octets())),
        sent("IPv6", syn6({2, 4, 5, 180}), syn6({2, 4, h6, l6})),
        sent("IPv6 at an odd offset", syn6({1, 2, 4, 5, 180}), syn6({1, 2, 4, h6, l6})),
        {"what comes back has to fit the access port: 1300 - 40",
         "access1",
         from_contoso_secondary(syn({2, 4, 5, 180})),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(syn({2, 4, 1260 >> 8, 1260 & 0xff}))))}},
        {"and IPv6",
         "access1",
         from_contoso_secondary(syn6({2, 4, 5, 180})),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(syn6({2, 4, 1240 >> 8, 1240 & 0xff}))))}},
        {"not asked for",
         "access0",
         from_contoso(syn({2, 4, 5, 180}, "10.101.0.1")),
         Fate::sent,
         {output("core0", to_gateway("v4none", 46 << 2, hop(syn({2, 4, 5, 180}, "10.101.0.1"))))}},
    });
}

TEST(Mss, TruncatedSegments) {
    // The IP packet ends inside the TCP header, at every octet.
    const auto whole = syn({1, 1, 2, 4, 5, 180}).octets();
    Edge edge(kPair);
    for (std::size_t length = 20; length < whole.size(); ++length) {
        const auto ip = Packet()
                            .ip4("10.0.0.1", "10.100.0.1")
                            .protocol(6)
                            .payload(Octets(whole.begin() + 20, whole.begin() + static_cast<std::ptrdiff_t>(length)));
        expect_out(edge.send("access0", {from_contoso(ip)}), {output("core0", to_gateway("v4key", 0, hop(ip)))});
    }
}

TEST(Mss, AWrongChecksumStaysWrong) {
    Edge edge(kPair);
    for (const auto& in : {syn({2, 4, 5, 180}), syn({1, 2, 4, 5, 180})}) {
        for (const unsigned wrong : {1U, 0x100U, 0x7fffU}) {
            const auto right = inside(edge.send("access0", {from_contoso(in)}).out.at(0));
            const auto spoilt =
                inside(edge.send("access0", {from_contoso(Packet(in).wrong_checksum(wrong))}).out.at(0));
            EXPECT_NE(get16(spoilt, 36), get16(right, 36));
            auto same = spoilt;
            same[36] = right[36];
            same[37] = right[37];
            EXPECT_EQ(same, right) << "only the checksums differ";
        }
    }
}

TEST(Mss, FromTheCloud) {
    const auto from = [](const Octets& options, std::string_view to) {
        return Packet().ip4("10.100.0.1", to).tcp(0x12, options);
    };
    constexpr std::uint8_t h = 1432 >> 8, l = 1432 & 0xff;
    constexpr std::uint8_t hs = 1260 >> 8, ls = 1260 & 0xff;  // the secondary's 1300 - 40
    check({
        {"to the primary",
         "core0",
         from_gateway("v4key", from({2, 4, 5, 180}, "172.16.0.1")),
         Fate::sent,
         {output("access0", at_contoso(hop(from({2, 4, h, l}, "172.16.0.1"))))}},
        {"to the secondary",
         "core0",
         from_gateway("v4key", from({2, 4, 5, 180}, "172.16.0.5")),
         Fate::sent,
         {output("access1", at_contoso_secondary(hop(from({2, 4, hs, ls}, "172.16.0.5"))))}},
        {"not asked for",
         "core0",
         from_gateway("v4none", from({2, 4, 5, 180}, "172.16.0.1")),
         Fate::sent,
         {output("access0", at_contoso(hop(from({2, 4, 5, 180}, "172.16.0.1"))))}},
    });
}

}  // namespace size_test
}  // namespace peerlane::test
