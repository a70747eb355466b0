// GRE inside ESP, both ways: what is sealed, what is opened, and what never happens.
#include <random>

#include "tests/pipeline/sealed.hpp"

namespace peerlane::test {
namespace esp_test {

constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;

/// `output` is `ip` in the tunnel, sealed under `sa` with this number.
void expect_sealed(const Output& output, const Vpn& vpn, const Association& sa, std::uint64_t sequence,
                   const Packet& ip, unsigned tos = 0) {
    SCOPED_TRACE("sequence " + std::to_string(sequence));
    EXPECT_EQ(output.port, "core0");
    const auto esp = esp_in(output.frame);
    const auto got = unseal(sa, esp, static_cast<std::uint32_t>(sequence >> 32U));
    ASSERT_TRUE(got) << "not authentic, or badly padded: " << hex(output.frame);
    EXPECT_EQ(got->spi, sa.spi);
    EXPECT_EQ(got->sequence, static_cast<std::uint32_t>(sequence));
    EXPECT_EQ(got->next_header, vpn.next_header());
    EXPECT_EQ(hex(got->payload), hex(vpn.payload(vpn.delivery(true, ip, tos))));
    auto path = vpn.path();
    path.tos = tos;
    EXPECT_EQ(hex(output.frame), hex(sealed_frame(path, esp).octets()));
    if (row(sa.suite).authentication_key != 0) { return; }
    // lane ‖ counter, and the counter is the sequence number
    EXPECT_EQ(got->number(), std::uint64_t{sa.lane} << 56U | sequence);
}

/// Sums of what ESP carries.
std::uint64_t octets_of(const Vpn& vpn, const std::vector<Packet>& packets) {
    std::uint64_t sum = 0;
    for (const auto& packet : packets) { sum += vpn.payload(vpn.delivery(true, packet)).size(); }
    return sum;
}

TEST(Esp, EveryKindThereAndBack) {
    for (const auto& vpn : every_kind()) {
        SCOPED_TRACE(title(vpn));
        // With ESN over the edge of an epoch.
        const std::uint64_t base = vpn.esn ? 0xffff'fffdU : 0;
        const auto out = vpn.own(true);
        Edge edge(vpn_edge(vpn), {{out.out(), {.sequence = base}}, {vpn.own(false).in(), {.sequence = base}}});
        const std::vector<Packet> ups{up4(), up6(), Packet(up4()).tos(0xb9), Packet(up4()).tos(1)};
        const auto sent = edge.send(
            "access0", {from_contoso(ups[0]), from_contoso(ups[1]), from_contoso(ups[2]), from_contoso(ups[3])});
        ASSERT_EQ(sent.out.size(), ups.size());
        expect_sealed(sent.out[0], vpn, out, base + 1, hop(ups[0]));
        expect_sealed(sent.out[1], vpn, out, base + 2, hop(ups[1]));
        expect_sealed(sent.out[2], vpn, out, base + 3, hop(ups[2]), 0xb9);
        expect_sealed(sent.out[3], vpn, out, base + 4, hop(ups[3]), 1);
        EXPECT_EQ(edge.tunnel("prod", Link::primary, kUp), (Passed{4, 3 * 128 + 148}));
        EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{4, 3 * 128 + 148}));
        EXPECT_EQ(edge.sa(out.spi).packets, 4U);
        EXPECT_EQ(edge.sa(out.spi).sequence, base + 4);
        EXPECT_EQ(edge.sa(out.spi).bytes, octets_of(vpn, ups));

        const auto back = edge.send("core0", {vpn.down(base + 1, down4()), vpn.down(base + 2, down6()),
                                              vpn.down(base + 4, down4()), vpn.down(base + 3, down6())});
        expect_out(back, {output("access0", at_contoso(hop(down4()))), output("access0", at_contoso(hop(down6()))),
                          output("access0", at_contoso(hop(down4()))), output("access0", at_contoso(hop(down6())))});
        EXPECT_EQ(edge.tunnel("prod", Link::primary, kDown), (Passed{4, 2 * 128 + 2 * 148}));
        const auto in = edge.sa(0x2001);
        EXPECT_EQ(in.packets, 4U);
        EXPECT_EQ(in.sequence, base + 4);
        EXPECT_EQ(in.bytes, octets_of(vpn, {down4(), down4(), down6(), down6()}));
        EXPECT_EQ(in.replayed + in.late + in.lost + in.bad_icv + in.refused + in.expired, 0U);
        // And once more: all known.
        const auto again = edge.send("core0", {vpn.down(base + 1, down4()), vpn.down(base + 4, down4())});
        EXPECT_EQ(again.fates, (std::vector{Fate::esp_replayed, Fate::esp_replayed}));
        EXPECT_EQ(edge.sa(0x2001).replayed, 2U);
    }
}

TEST(Esp, EveryLengthAndNothingWrittenBeside) {
    for (const auto suite : kSuites) {
        for (const bool transport : {false, true}) {
            const Vpn vpn{.transport = transport, .suite = suite};
            SCOPED_TRACE(title(vpn));
            Edge edge(vpn_edge(vpn, "bandwidth: 100 Gbps"));
            std::vector<Packet> in;
            std::vector<Packet> ips;
            for (std::size_t size = 0; size < 70; ++size) {
                ips.push_back(Packet().ip4("10.0.0.1", "10.100.0.1").payload(size));
                in.push_back(from_contoso(ips.back()));
            }
            const auto sent = edge.send("access0", in);
            ASSERT_EQ(sent.out.size(), ips.size());
            for (std::size_t i = 0; i < ips.size(); ++i) {
                expect_sealed(sent.out[i], vpn, vpn.own(true), i + 1, hop(ips[i]));
            }
        }
    }
}

/// RFC 6040 §4.2, figure 4: what goes on of an inner ECN field and the outer one; nothing: dropped.
std::optional<unsigned> ecn_of(unsigned inner, unsigned outer) {
    if (outer == 3) { return inner == 0 ? std::nullopt : std::optional(3U); }
    return inner == 2 && outer == 1 ? 1U : inner;
}

TEST(Esp, CongestionMarksComeThroughBothHeaders) {
    for (const bool transport : {false, true}) {
        const Vpn vpn{.transport = transport};
        Edge edge(vpn_edge(vpn));
        std::uint64_t sequence = 0;
        for (unsigned bits = 0; bits < 64; ++bits) {
            const unsigned inner = bits & 3U;
            const unsigned delivery = transport ? 0 : bits >> 2U & 3U;
            SCOPED_TRACE(bits);
            auto path = vpn.path();
            path.tos = 0xb8 | bits >> 4U;
            const auto ip = Packet(down4()).tos(0x50 | inner);
            const auto payload = vpn.payload(vpn.delivery(false, ip, 0x28 | delivery));
            const auto sent = edge.send(
                "core0", {frame_from_peer(path, seal(vpn.own(false), ++sequence, payload, vpn.next_header()))});
            const auto merged = transport ? std::optional(bits >> 4U) : ecn_of(delivery, bits >> 4U);
            const auto left = merged ? ecn_of(inner, *merged) : std::nullopt;
            EXPECT_EQ(sent.fate(), left ? Fate::sent : Fate::ecn_mismatch);
            if (!left) { continue; }
            expect_out(sent, {output("access0", at_contoso(hop(Packet(ip).tos(0x50 | *left))))});
        }
    }
}

TEST(Esp, DscpOfItsOwn) {
    for (const bool transport : {false, true}) {
        const Vpn vpn{.transport = transport, .more = ", dscp: 46"};
        Edge edge(vpn_edge(vpn));
        for (unsigned tos = 0; tos < 256; ++tos) {
            const auto ip = Packet(up4()).tos(tos);
            const auto sent = edge.send("access0", {from_contoso(ip)});
            ASSERT_EQ(sent.fate(), Fate::sent);
            const auto esp = esp_in(sent.out[0].frame);
            auto path = vpn.path();
            path.tos = 46U << 2U | (tos & 3U);
            EXPECT_EQ(hex(sent.out[0].frame), hex(sealed_frame(path, esp).octets()));
            const auto got = unseal(vpn.own(true), esp);
            ASSERT_TRUE(got);
            EXPECT_EQ(hex(got->payload), hex(vpn.payload(vpn.delivery(true, hop(ip), tos)))) << "inside it is copied";
        }
    }
}

/// The least room with which a packet goes out; whatever is less is refused by `fate`, and the octets around it stay.
unsigned least_room(const Vpn& vpn, Fate fate, unsigned most, const std::function<Packet(unsigned)>& with_room) {
    Edge edge(vpn_edge(vpn));
    unsigned least = most + 1;
    for (unsigned room = 0; room <= most; ++room) {
        const auto sent = edge.send("access0", {with_room(room)});
        if (sent.fate() == Fate::sent) {
            least = std::min(least, room);
        } else {
            EXPECT_EQ(sent.fate(), fate) << room;
            EXPECT_EQ(least, most + 1) << "room " << room << " is too little, less was enough";
        }
    }
    return least;
}

TEST(Esp, RoomBeforeAndBehind) {
    const unsigned buffer = Edge(kPair).buffer_size();
    for (const auto& vpn : every_kind()) {
        if (vpn.esn) { continue; }
        SCOPED_TRACE(title(vpn));
        const auto before =
            least_room(vpn, Fate::no_headroom, 140, [](unsigned room) { return from_contoso(up4()).headroom(room); });
        EXPECT_LE(before, 128U) << "what a receive buffer has";
        // The frame without the customer's link header (22 octets), and the deepest there is before it.
        EXPECT_GE(before + 22, 14U + 20 + 8 + 8 + 8 + 4 + (vpn.transport ? 0U : 20U));
        const auto behind = least_room(vpn, Fate::no_tailroom, 40, [&](unsigned room) {
            const auto packet = from_contoso(up4());
            return Packet(packet).headroom(buffer - room - static_cast<unsigned>(packet.size()));
        });
        const auto payload = vpn.payload(vpn.delivery(true, up4())).size();
        const auto block = row(vpn.suite).block;
        EXPECT_EQ(behind, (block - (payload + 2) % block) % block + 2 + 16);
    }
}

TEST(Esp, TheLargestPacketAndOneOctetMore) {
    for (const auto& vpn : every_kind()) {
        SCOPED_TRACE(title(vpn));
        Edge edge(vpn_edge(vpn));
        const auto df = [](std::size_t size) {
            return from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").df().payload(size - 20));
        };
        const auto told = edge.send("access0", {df(1590)});
        ASSERT_EQ(told.fate(), Fate::too_big);
        ASSERT_EQ(told.out.size(), 1U);
        EXPECT_EQ(told.out[0].port, "access0");
        const auto& icmp = told.out[0].frame;  // two tags, IPv4, ICMP: the next hop's MTU (RFC 1191)
        const std::size_t mtu = static_cast<std::size_t>(icmp[22 + 20 + 6]) << 8U | icmp[22 + 20 + 7];
        const auto sent = edge.send("access0", {df(mtu), df(mtu + 1)});
        EXPECT_EQ(sent.fates, (std::vector{Fate::sent, Fate::too_big}));
        const auto length = sent.out[0].frame.size() - 14;
        EXPECT_LE(length, 1500U);
        EXPECT_GT(length + row(vpn.suite).block, 1500U) << "a block more would have fitted";
        // Cut, every piece is sealed by itself.
        const auto cut = edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1580))});
        ASSERT_EQ(cut.out.size(), 2U);
        Octets whole;
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_LE(cut.out[i].frame.size(), 1514U);
            const auto piece = unseal(vpn.own(true), esp_in(cut.out[i].frame));
            ASSERT_TRUE(piece);
            EXPECT_EQ(piece->sequence, 2 + i);
            const auto front = vpn.payload(vpn.delivery(true, Packet())).size() + 20;
            whole.insert(whole.end(), piece->payload.begin() + static_cast<std::ptrdiff_t>(front),
                         piece->payload.end());
        }
        EXPECT_EQ(hex(whole), hex(Packet().payload(1580).octets()));
        EXPECT_EQ(edge.tunnel("prod", Link::primary, kUp).packets, 3U);
        EXPECT_EQ(edge.sa(0x1001).packets, 3U);
    }
}

TEST(Esp, TheMssLeavesRoomForAllOfIt) {
    for (const auto& vpn : every_kind()) {
        SCOPED_TRACE(title(vpn));
        auto yaml = vpn_edge(vpn);
        yaml.replace(yaml.find("key: 0x2a01"), 11, "key: 0x2a01, mss_clamp: true");
        Edge edge(yaml);
        const auto told =
            edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").df().payload(1570))});
        ASSERT_EQ(told.fate(), Fate::too_big);
        const auto& icmp = told.out.at(0).frame;
        const unsigned mtu = icmp[22 + 20 + 6] << 8U | icmp[22 + 20 + 7];
        const auto syn = [](unsigned mss) {
            const Octets option{2, 4, static_cast<std::uint8_t>(mss >> 8U), static_cast<std::uint8_t>(mss)};
            return Packet().ip4("10.0.0.1", "10.100.0.1").tcp(2, option);
        };
        const auto sent = edge.send("access0", {from_contoso(syn(1460)), from_contoso(syn(900))});
        ASSERT_EQ(sent.out.size(), 2U);
        expect_sealed(sent.out[0], vpn, vpn.own(true), 1, hop(syn(mtu - 40)));
        expect_sealed(sent.out[1], vpn, vpn.own(true), 2, hop(syn(900)));
        Edge down(yaml);
        const auto back =
            down.send("core0", {vpn.down(1, Packet().ip4("10.100.0.1", "10.0.0.1").tcp(2, {2, 4, 5, 180}))});
        const unsigned clamped = mtu - 40;
        expect_out(back, {output("access0", at_contoso(hop(Packet()
                                                               .ip4("10.100.0.1", "10.0.0.1")
                                                               .tcp(2, {2, 4, static_cast<std::uint8_t>(clamped >> 8U),
                                                                        static_cast<std::uint8_t>(clamped)}))))});
    }
}

TEST(Esp, WhatTheEdgeSaysIntoTheTunnelIsSealed) {
    for (const auto& vpn : every_kind()) {
        SCOPED_TRACE(title(vpn));
        Edge edge(vpn_edge(vpn));
        const auto ping = Packet().ip4("10.100.0.1", "172.16.0.2").icmp(8).payload(72);
        const auto sent = edge.send("core0", {vpn.down(1, ping), vpn.down(2, Packet(down4()).ttl(1)),
                                              vpn.down(3, Packet(down6()).ttl(1)), vpn.down(4, down4("10.77.0.1"))});
        EXPECT_EQ(sent.fates, (std::vector{Fate::punted, Fate::ttl_expired, Fate::ttl_expired, Fate::no_route}));
        ASSERT_EQ(sent.out.size(), 4U);
        expect_sealed(sent.out[0], vpn, vpn.own(true), 1,
                      Packet().ip4("172.16.0.2", "10.100.0.1").df().icmp(0).payload(72));
        for (unsigned i = 1; i < 4; ++i) {
            EXPECT_EQ(sent.out[i].port, "core0");
            const auto answer = unseal(vpn.own(true), esp_in(sent.out[i].frame));
            ASSERT_TRUE(answer);
            EXPECT_EQ(answer->sequence, i + 1);
        }
        EXPECT_EQ(edge.port("core0").originated, 4U);
        EXPECT_EQ(edge.tunnel("prod", Link::primary, kUp).packets, 4U);
    }
}

TEST(Esp, OneBurstOfEverything) {
    const Vpn vpn;
    Edge edge(vpn_edge(vpn));
    std::vector<Packet> in;
    for (unsigned i = 0; i < 32; ++i) {
        switch (i % 5) {
            case 0:
                in.push_back(from_contoso(up4()));
                break;
            case 1:
                in.push_back(from_contoso(up4("10.101.0.1")));
                break;
            case 2:
                in.push_back(from_contoso(up4("10.102.0.1")));
                break;
            case 3:
                in.push_back(from_contoso(up4()).headroom(20));
                break;
            default:
                in.push_back(from_contoso(up4("10.100.0.1", "11.0.0.1")));
        }
    }
    const auto sent = edge.send("access0", in);
    const Vpn other{.suite = kOtherOut.suite};
    unsigned at = 0;
    std::uint64_t prod = 0;
    std::uint64_t others = 0;
    for (unsigned i = 0; i < 32; ++i) {
        const Fate fates[] = {Fate::sent, Fate::sent, Fate::sent, Fate::no_headroom, Fate::source_not_accepted};
        EXPECT_EQ(sent.fates[i], fates[i % 5]);
        if (i % 5 > 2) { continue; }
        const auto& output = sent.out.at(at++);
        EXPECT_EQ(output.slot, i);
        if (i % 5 == 0) { expect_sealed(output, vpn, vpn.own(true), ++prod, hop(up4())); }
        if (i % 5 == 1) {
            EXPECT_EQ(hex(output.frame), hex(Packet()
                                                 .ether(kGatewayMac, kCoreMac)
                                                 .ip4("192.0.2.1", "198.51.100.8")
                                                 .df()
                                                 .gre(1)
                                                 .then(hop(up4("10.101.0.1")))
                                                 .octets()));
        }
        if (i % 5 != 2) { continue; }
        const auto got = unseal(kOtherOut, esp_in(output.frame));
        ASSERT_TRUE(got);
        EXPECT_EQ(got->sequence, ++others);
    }
    EXPECT_EQ(sent.out.size(), at);
    // Down: two copies of each number, of two suites, and clear GRE between them.
    std::vector<Packet> down;
    const auto from_other = [](std::uint64_t sequence) {
        const auto delivery = Packet().ip4("198.51.100.9", "192.0.2.1").df().gre(2).then(down4()).octets();
        return frame_from_peer({.remote = "198.51.100.9"}, seal(kOtherIn, sequence, delivery, 4));
    };
    const auto clear = Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.8", "192.0.2.1").gre(1).then(down4());
    std::vector<Fate> fates;
    for (unsigned i = 0; i < 6; ++i) {
        for (const auto& packet :
             {vpn.down(i + 1, down4()), from_other(i + 1), clear, vpn.down(i + 1, down4()), from_other(i + 1)}) {
            down.push_back(packet);
        }
        fates.insert(fates.end(), {Fate::sent, Fate::sent, Fate::sent, Fate::esp_replayed, Fate::esp_replayed});
    }
    const auto back = edge.send("core0", down);
    EXPECT_EQ(back.fates, fates);
    for (const auto& output : back.out) { EXPECT_EQ(hex(output.frame), hex(at_contoso(hop(down4())).octets())); }
    EXPECT_EQ(edge.sa(0x2001).replayed, 6U);
    EXPECT_EQ(edge.sa(kOtherIn.spi).replayed, 6U);
}

TEST(Esp, NothingOfAProtectedTunnelLeavesInClear) {
    std::minstd_rand random(7);
    const auto draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    const unsigned buffer = Edge(kPair).buffer_size();
    unsigned sealed = 0;
    unsigned clear = 0;
    for (const auto& kind : every_kind()) {
        auto vpn = kind;
        if (draw(2) == 0) { vpn.more = ", lifetime: { hard: { packets: 40, bytes: 20 kB } }"; }
        SCOPED_TRACE(title(vpn));
        Edge edge(vpn_edge(vpn));
        std::uint64_t number = 0;
        for (unsigned round = 0; round < 6; ++round) {
            std::vector<Packet> up;
            std::vector<Packet> down;
            for (unsigned i = 0; i < 32; ++i) {
                const char* const networks[] = {"10.100.0.1", "10.101.0.1", "10.102.0.1", "172.16.0.2", "10.99.0.1"};
                Packet ip = Packet().ip4("10.0.0.1", networks[draw(5)]).ttl(draw(8) == 0 ? 1 : 64);
                if (draw(2) == 0) { ip.df(); }
                ip.icmp(8).payload(draw(1570));
                auto frame = from_contoso(ip);
                if (draw(6) == 0) { frame.headroom(draw(140)); }
                if (draw(6) == 0) { frame.headroom(buffer - static_cast<unsigned>(frame.size()) - draw(40)); }
                up.push_back(frame);
                const char* const hosts[] = {"10.0.0.1", "172.16.0.2", "10.77.0.1", "10.100.0.3"};
                down.push_back(vpn.down(
                    ++number, Packet().ip4("10.100.0.1", hosts[draw(4)]).ttl(1 + draw(2)).icmp(8).payload(draw(1300))));
            }
            edge.starve = draw(4) == 0;
            const bool full = draw(4) == 0;
            edge.refuse = [&](const Output&) { return full && draw(2) == 0; };
            for (const auto& sent : {edge.send("access0", up), edge.send("core0", down)}) {
                for (const auto& output : sent.out) {
                    if (output.port != "core0") { continue; }
                    const bool esp = !esp_in(output.frame).empty();
                    const bool of_clear = output.frame[12] == 0x08 && output.frame[33] == 8;  // to 198.51.100.8
                    EXPECT_NE(esp, of_clear) << hex(output.frame);
                    if (of_clear) { EXPECT_EQ(output.frame[14 + 20 + 8 + 17], 101) << "10.101.0.0/16 only"; }
                    (of_clear ? clear : sealed)++;
                }
            }
        }
    }
    EXPECT_GT(sealed, 2'000U);
    EXPECT_GT(clear, 1'000U);
}

}  // namespace esp_test
}  // namespace peerlane::test
