// ESP that is not as it should be.
#include "tests/pipeline/sealed.hpp"

namespace peerlane::test {
namespace esp_bad_test {

TEST(EspBad, WhatIsNotTheTunnelsIsRefused) {
    for (const auto& vpn : every_kind()) {
        SCOPED_TRACE(title(vpn));
        Edge edge(vpn_edge(vpn));
        const auto good = seal(vpn.own(false), 1, vpn.payload(vpn.delivery(false, down4())), vpn.next_header());
        auto other_way = vpn.path();
        other_way.udp = !other_way.udp;
        auto elsewhere = vpn.path();
        elsewhere.remote = elsewhere.remote.find(':') == std::string::npos ? "198.51.100.8" : "2001:db8:cafe::8";
        const auto swapped = seal(vpn.own(false), 1, vpn.payload(vpn.delivery(false, down4())),
                                  vpn.transport ? 4
                                  : vpn.tunnel6 ? 4
                                                : 47);
        const auto clear = Packet().ether(kCoreMac, kGatewayMac).then(vpn.delivery(false, down4()));
        const auto sent = edge.send("core0", {clear, frame_from_peer(other_way, good), frame_from_peer(elsewhere, good),
                                              frame_from_peer(vpn.path(), swapped), frame_from_peer(vpn.path(), good)});
        const auto wrong = vpn.transport || !vpn.tunnel6 ? Fate::esp_next_header : Fate::esp_inner_bad;
        EXPECT_EQ(sent.fates, (std::vector{Fate::clear_refused, Fate::esp_encapsulation, Fate::esp_wrong_tunnel, wrong,
                                           Fate::esp_replayed}))
            << "the fourth was authentic: its number is used";
        EXPECT_TRUE(sent.out.empty());
    }
}

TEST(EspBad, EveryBitFlippedIsRefused) {
    const Vpn vpn;
    Edge edge(vpn_edge(vpn));
    const auto frame = vpn.down(3, down4()).octets();  // no single bit makes a 0 of it
    std::vector<Octets> frames;
    for (std::size_t bit = 34 * 8; bit < frame.size() * 8; ++bit) {
        frames.push_back(frame);
        frames.back()[bit / 8] = static_cast<std::uint8_t>(frame[bit / 8] ^ (1U << (bit % 8)));
    }
    const auto sent = edge.send_frames("core0", frames);
    EXPECT_TRUE(sent.out.empty());
    for (std::size_t bit = 0; bit < sent.fates.size(); ++bit) {
        EXPECT_EQ(sent.fates[bit], bit < 32 ? Fate::esp_unknown_spi : Fate::esp_bad_icv) << "bit " << bit;
    }
    EXPECT_EQ(edge.sa(0x2001).bad_icv, sent.fates.size() - 32);
    EXPECT_EQ(edge.sa(0x2001).packets, 0U);
    EXPECT_EQ(edge.send_frames("core0", {frame}).fate(), Fate::sent) << "no number was used up";
}

TEST(EspBad, ShortOrOdd) {
    for (const auto suite : kSuites) {
        const Vpn vpn{.suite = suite};
        SCOPED_TRACE(row(suite).name);
        Edge edge(vpn_edge(vpn));
        const auto whole = seal(vpn.own(false), 1, vpn.payload(vpn.delivery(false, down4())), 4);
        const std::size_t least = 8U + row(suite).iv + 16U + 2U;
        for (std::size_t length = 0; length <= whole.size(); ++length) {
            const auto cut =
                frame_from_peer(vpn.path(), Octets(whole.begin(), whole.begin() + static_cast<long>(length)));
            const auto fate = edge.send("core0", {cut}).fate();
            const bool blocks = (length - (least - 2)) % row(suite).block == 0;
            EXPECT_EQ(fate, length < least           ? Fate::esp_truncated
                            : !blocks                ? Fate::esp_not_blocks
                            : length != whole.size() ? Fate::esp_bad_icv
                                                     : Fate::sent)
                << length;
        }
    }
}

TEST(EspBad, AWrongEpoch) {
    for (const auto suite : kSuites) {
        const Vpn vpn{.suite = suite, .esn = true};
        SCOPED_TRACE(row(suite).name);
        constexpr std::uint64_t kTop = (std::uint64_t{3} << 32U) + 5'000;
        constexpr std::uint64_t kEpoch = std::uint64_t{1} << 32U;
        Edge edge(vpn_edge(vpn), {{vpn.own(false).in(), {.sequence = kTop}}});
        const auto sent = edge.send(
            "core0", {vpn.down(kTop + 1 - kEpoch, down4()), vpn.down(kTop + 1 + kEpoch, down4()),
                      vpn.down(kTop + 1, down4()), vpn.down(kTop - 1'000, down4()), vpn.down(kTop - 2'000, down4()),
                      vpn.down(kTop - 2'000 + kEpoch, down4()), vpn.down(kTop + 2, down4())});
        EXPECT_EQ(sent.fates, (std::vector{Fate::esp_bad_icv, Fate::esp_bad_icv, Fate::sent, Fate::esp_replayed,
                                           Fate::esp_bad_icv, Fate::sent, Fate::esp_late}))
            << "far below the window is the next epoch";
        EXPECT_EQ(edge.sa(0x2001).sequence, kTop + kEpoch - 2'000);
    }
}

TEST(EspBad, PaddingAndTrafficPadding) {
    for (const auto suite : kSuites) {
        const Vpn vpn{.suite = suite};
        SCOPED_TRACE(row(suite).name);
        Edge edge(vpn_edge(vpn));
        std::uint64_t sequence = 0;
        const auto fate = [&](Octets payload, const Trailer& trailer) {
            return edge
                .send("core0", {frame_from_peer(vpn.path(), seal(vpn.own(false), ++sequence, payload, 4, trailer))})
                .fate();
        };
        // More than the least is a sender's right, up to 255 octets (RFC 4303 §2.4).
        auto inside = vpn.payload(vpn.delivery(false, down4()));
        for (unsigned pad = 0; pad < 256; ++pad) {
            if ((inside.size() + pad + 2) % row(suite).block != 0) { continue; }
            Octets padding;
            for (unsigned i = 1; i <= pad; ++i) { padding.push_back(static_cast<std::uint8_t>(i)); }
            EXPECT_EQ(fate(inside, {padding, std::nullopt}), Fate::sent) << pad;
            for (const unsigned wrong : {0U, pad / 2, pad - 1}) {
                if (pad == 0) { continue; }
                auto changed = padding;
                changed[wrong] ^= 0x80U;
                EXPECT_EQ(fate(inside, {changed, std::nullopt}), Fate::esp_bad_padding) << pad << ' ' << wrong;
            }
        }
        // So is any number of octets behind the IP packet (§2.7).
        inside.insert(inside.end(), 300, 0x77);
        EXPECT_EQ(fate(inside, {}), Fate::sent);
    }
}

TEST(EspBad, Inside) {
    struct Wrong {
        const char* name;
        Packet delivery;
        Fate fate;
    };
    const auto four = [] { return Packet().ip4("198.51.100.7", "192.0.2.1"); };
    const auto six = [] { return Packet().ip6("2001:db8:cafe::7", "2001:db8:ffff::1"); };
    const auto cut = Fate::esp_inner_truncated;
    const auto bad = Fate::esp_inner_bad;
    for (const bool tunnel6 : {false, true}) {
        const Vpn vpn{.tunnel6 = tunnel6};
        std::vector<Wrong> cases;
        const auto outer = [&] { return tunnel6 ? six() : four(); };
        const auto add = [&](const char* name, const Packet& delivery, Fate fate) {
            cases.push_back({name, Packet(delivery).gre(0x2a01).then(down4()), fate});
        };
        // In IPv4 the total length, in IPv6 that of what follows.
        add("longer than what came", outer().total_length(tunnel6 ? 137 : 157), cut);
        add("no room for GRE", outer().total_length(tunnel6 ? 3 : 23), cut);
        add("another version", outer().version(5), bad);
        add("not GRE", outer().protocol(17), bad);
        add("ESP again", outer().protocol(50), bad);
        add("not the tunnel's",
            tunnel6 ? Packet().ip6("2001:db8:cafe::8", "2001:db8:ffff::1") : Packet().ip4("198.51.100.77", "192.0.2.1"),
            Fate::esp_wrong_tunnel);
        cases.push_back({"another key", outer().gre(1).then(down4()), Fate::esp_wrong_tunnel});
        cases.push_back({"no key", outer().gre().then(down4()), Fate::esp_wrong_tunnel});
        cases.push_back({"a GRE version", outer().gre(0x2a01).gre_flags(1).then(down4()), Fate::gre_bad_header});
        cases.push_back({"well", outer().gre(0x2a01).then(down4()), Fate::sent});
        if (tunnel6) {
            add("a fragment", outer().protocol(44), bad);
            add("a mapped address", Packet().ip6("::ffff:198.51.100.7", "::ffff:192.0.2.1"), bad);
        } else {
            add("a fragment", outer().fragment(0x2000), bad);
            add("a wrong checksum", outer().wrong_checksum(), bad);
            add("four words", outer().header_words(4), bad);
            add("options", outer().options({1, 1, 1, 0}), Fate::sent);
        }
        Edge edge(vpn_edge(vpn));
        std::uint64_t sequence = 0;
        for (const auto& [name, delivery, fate] : cases) {
            SCOPED_TRACE(name);
            const auto esp = seal(vpn.own(false), ++sequence, delivery.octets(), vpn.next_header());
            EXPECT_EQ(edge.send("core0", {frame_from_peer(vpn.path(), esp)}).fate(), fate);
        }
        EXPECT_EQ(edge.sa(0x2001).packets, cases.size()) << "all were authentic";
    }
}

TEST(EspBad, InUdp) {
    const Vpn vpn{.udp = true};
    for (const bool six : {false, true}) {
        auto kind = vpn;
        kind.outer6 = six;
        SCOPED_TRACE(title(kind));
        Edge edge(vpn_edge(kind));
        const auto outer = [&] {
            const auto packet = Packet().ether(kCoreMac, kGatewayMac);
            return six ? Packet(packet).ip6("2001:db8:cafe::7", "2001:db8:ffff::1")
                       : Packet(packet).ip4("198.51.100.7", "192.0.2.1");
        };
        const auto esp = seal(kind.own(false), 1, kind.payload(kind.delivery(false, down4())), 4);
        const auto unsummed = [&](std::size_t more) {
            const auto length = 8 + esp.size() + more;
            return outer()
                .raw({0x11, 0x94, 0x11, 0x94, static_cast<std::uint8_t>(length >> 8U),
                      static_cast<std::uint8_t>(length), 0, 0},
                     17)
                .payload(esp);
        };
        const auto sent = edge.send(
            "core0",
            {outer().udp(4500, 4500).raw(Octets(4)).payload(esp), outer().udp(4500, 4500).payload(Octets{0xff}),
             outer().udp(4500, 4500).wrong_checksum().payload(esp), unsummed(1), outer().udp(500, 500).payload(esp),
             outer().udp(4500, 4500).payload(Octets{0, 0, 0}), outer().udp(40'000, 4500).payload(esp), unsummed(0)});
        EXPECT_EQ(sent.fates, (std::vector{Fate::punted, Fate::nat_keepalive, Fate::outer_bad_checksum,
                                           Fate::outer_truncated, Fate::punted, Fate::esp_truncated, Fate::sent,
                                           six ? Fate::outer_bad_checksum : Fate::esp_replayed}));
    }
}

/// What may be ESP ends here; the rest is for the system to put together.
TEST(EspBad, Fragments) {
    Edge edge(vpn_edge({}));
    constexpr unsigned kFirst = 0x2000;
    const auto four = [] { return Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.7", "192.0.2.1"); };
    const auto six = [](unsigned next, const Octets& behind) {
        Octets piece{static_cast<std::uint8_t>(next), 0, 0, 1, 0, 0, 0, 9};
        piece.insert(piece.end(), behind.begin(), behind.end());
        return Packet()
            .ether(kCoreMac, kGatewayMac)
            .ip6("2001:db8:cafe::7", "2001:db8:ffff::1")
            .protocol(44)
            .payload(piece);
    };
    const Octets udp{0x11, 0x94, 0x11, 0x94, 0, 48, 0, 0, 0, 0, 0, 1};  // to 4500, with an SPI
    const Octets cut(udp.begin(), udp.end() - 1);
    const Octets esp(40, 1);
    const auto sent = edge.send(
        "core0", {four().raw(esp, 50).fragment(kFirst), four().raw(esp, 50).fragment(5),
                  four().udp(4500, 4500).payload(esp).fragment(kFirst), four().udp(4500, 4500).payload(esp).fragment(5),
                  four().udp(4500, 4500).payload(Octets(40)).fragment(kFirst),
                  four().udp(500, 500).payload(esp).fragment(kFirst), six(50, udp), six(17, udp), six(17, cut)});
    EXPECT_EQ(sent.fates,
              (std::vector{Fate::outer_fragment, Fate::outer_fragment, Fate::outer_fragment, Fate::punted, Fate::punted,
                           Fate::punted, Fate::outer_fragment, Fate::outer_fragment, Fate::punted}));
}

}  // namespace esp_bad_test
}  // namespace peerlane::test
