// What neighbours, and others, say: what is believed, what is answered, what is nobody's concern.
#include <algorithm>

#include "dataplane/control/neighbour_frames.hpp"
#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

using Kind = NdMessage::Kind;

const Place kContoso;
const Place kFabrikam{kA0, {{0x8100, 200}, {0x8100, 10}}};
const Place kNorthwind{kA0, {{0x8100, 30}}};
constexpr Ip6 kAllNodes{0xff02'0000'0000'0000, 1};

class Claims : public Neighbourhood {
  protected:
    void SetUp() override {
        publish(ports() + text({}) + text({.name = "fabrikam", .tags = "service_vlan: 200, "}) +
                text({.name = "northwind", .tags = "", .vlan = 30}) +
                text({.name = "wingtip",
                      .tags = "service_vlan: 300, ",
                      .subnet = R"(subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:01:01")"}));
    }
    /// The one frame sent since.
    Octets one_sent(std::uint8_t port = kA0) {
        const auto all = taken();
        EXPECT_EQ(all.size(), 1U);
        if (all.size() != 1) { return {}; }
        EXPECT_EQ(all[0].port, port);
        return all[0].octets;
    }
    void learn_all() {
        for (const auto* place : {&kContoso, &kFabrikam, &kNorthwind}) {
            answer4(*place);
            answer6(*place);
        }
        tick();  // the gateway's question
        taken();
    }
    /// Nothing of contoso's, fabrikam's or northwind's has changed.
    void expect_unmoved(const Mac& mac = kRouter) {
        for (const auto* place : {&kContoso, &kFabrikam, &kNorthwind}) {
            EXPECT_EQ(word4(*place), (Word{mac, true, false}));
            EXPECT_EQ(word6(*place), (Word{mac, true, false}));
            EXPECT_EQ(four(*place).changes + six(*place).changes, 0U);
        }
    }
};

TEST_F(Claims, QuestionsForTheEdgeAreAnsweredWithTheirPriorities) {
    auto place = kContoso;
    place.tags[0][1] = 5U << 13U | 100U;
    place.tags[1][1] = 3U << 13U | 10U;
    EXPECT_TRUE(arp(place, {true, kRouter, kCustomer4, {}, kEdge4}));
    // scapy: Ether(dst='02:00:00:00:01:01', src='02:00:00:00:00:a0')/Dot1Q(prio=5, vlan=100)/Dot1Q(prio=3, vlan=10)/
    // ARP(op='is-at', hwsrc='02:00:00:00:00:a0', psrc='172.16.0.2', hwdst='02:00:00:00:01:01', pdst='172.16.0.1')
    EXPECT_EQ(one_sent(), from_hex("0200000001010200000000a08100a0648100600a0806 0001080006040002 "
                                   "0200000000a0ac100002 020000000101ac100001"));
    EXPECT_TRUE(nd(place, {Kind::solicitation, kCustomer6, solicited_node(kEdge6), kEdge6, kRouter}));
    // scapy: … Dot1Q(prio=5, vlan=100)/Dot1Q(prio=3, vlan=10)/IPv6(src='fd00:172::2', dst='fd00:172::1', hlim=255)/
    // ICMPv6ND_NA(R=1, S=1, O=1, tgt='fd00:172::2')/ICMPv6NDOptDstLLAddr(lladdr='02:00:00:00:00:a0')
    EXPECT_EQ(one_sent(), from_hex("0200000001010200000000a08100a0648100600a86dd 6000000000203aff "
                                   "fd000172000000000000000000000002 fd000172000000000000000000000001 "
                                   "880097a5e0000000 fd000172000000000000000000000002 02010200000000a0"));
    auto single = kNorthwind;
    single.tags[0][1] = 6U << 13U | 30U;
    EXPECT_TRUE(arp(single, {true, kRouter, kCustomer4, {}, kEdge4}));
    // scapy: Ether(dst='02:00:00:00:01:01', src='02:00:00:00:00:a0')/Dot1Q(prio=6, vlan=30)/ARP(op='is-at', …)
    EXPECT_EQ(one_sent(), from_hex("0200000001010200000000a08100c01e0806 0001080006040002 0200000000a0ac100002 "
                                   "020000000101ac100001"));
    EXPECT_TRUE(arp(kCore, {true, kOther, kGateway4, {}, kCore4}));
    EXPECT_EQ(one_sent(kC0), from_hex("0200000002020200000000c00806 0001080006040002 0200000000c0c0000201 "
                                      "020000000202c00002fe"));
    EXPECT_EQ(neighbours.counts(kA0).answered, 3U);
    EXPECT_EQ(neighbours.counts(kC0).answered, 1U);
}

TEST_F(Claims, OtherTpidsAreAnsweredWithOurs) {
    for (const std::uint16_t tpid : {std::uint16_t{0x8100}, std::uint16_t{0x88a8}, std::uint16_t{0x9100}}) {
        EXPECT_TRUE(arp({kA0, {{tpid, 0xe064}, {0x8100, 0x200a}}}, {true, kRouter, kCustomer4, {}, kEdge4}));
        const auto octets = one_sent();
        EXPECT_EQ(Octets(octets.begin() + 12, octets.begin() + 20), from_hex("8100e0648100200a"));
    }
}

TEST_F(Claims, TheTpidHeardLastIsSentBackWhereItIsToBe) {
    const auto yaml = ports() + text(Customer{}) + text({.name = "fabrikam", .tags = "service_vlan: 200, "});
    auto hearing = yaml;
    hearing.replace(hearing.find(R"(mac: "02:00:00:00:00:a0")"), 0, "service_tpid: auto, ");
    const auto asked = [&](const std::string& now_valid, std::uint16_t tpid) {
        publish(now_valid);
        sent.clear();
        EXPECT_TRUE(arp({}, {true, kRouter, kCustomer4, {}, kEdge4}));
        const auto octets = one_sent();
        EXPECT_EQ(Octets(octets.begin() + 12, octets.begin() + 14),
                  (Octets{static_cast<std::uint8_t>(tpid >> 8U), static_cast<std::uint8_t>(tpid)}));
        pass(10'000 * kMs);
        bool questions = false;
        for (const auto& one : taken()) {
            const bool contosos = one.port == kA0 && one.octets[15] == 100;
            questions |= contosos;
            if (one.port != kA0) { continue; }
            EXPECT_EQ(one.octets[12] << 8U | one.octets[13], contosos ? tpid : 0x8100);
        }
        EXPECT_TRUE(questions);
    };
    asked(hearing, 0x8100);
    state.heard_tpids[attachment_at({})] = 0x8100'9100;
    asked(yaml, 0x8100);
    asked(hearing, 0x9100);
}

TEST_F(Claims, LinkLocalAddressOfThePort) {
    const Ip6 own = link_local(kAccessMac);
    const Ip6 his = link_local(kRouter);
    EXPECT_TRUE(nd(kContoso, {Kind::solicitation, his, solicited_node(own), own, kRouter}));
    // scapy: … IPv6(src='fe80::ff:fe00:a0', dst='fe80::ff:fe00:101', hlim=255)/
    // ICMPv6ND_NA(R=1, S=1, O=1, tgt='fe80::ff:fe00:a0')/ICMPv6NDOptDstLLAddr(lladdr='02:00:00:00:00:a0')
    EXPECT_EQ(one_sent(), from_hex("0200000001010200000000a0810000648100000a86dd 6000000000203aff "
                                   "fe80000000000000000000fffe0000a0 fe80000000000000000000fffe000101 "
                                   "8800983fe0000000 fe80000000000000000000fffe0000a0 02010200000000a0"));
    EXPECT_FALSE(nd(kCore, {Kind::solicitation, his, solicited_node(own), own, kRouter})) << "another port's";
    EXPECT_TRUE(
        nd(kCore, {Kind::solicitation, his, solicited_node(link_local(kCoreMac)), link_local(kCoreMac), kRouter}));
    EXPECT_EQ(one_sent(kC0).size(), 14U + 72);
}

TEST_F(Claims, WhoAsksWhetherTheAddressIsFree) {
    // RFC 5227 §2.1.1: to him; RFC 4861 §7.2.4: to all nodes, unsolicited.
    EXPECT_TRUE(arp(kContoso, {true, kRouter, {}, {}, kEdge4}));
    const auto answer = one_sent();
    EXPECT_EQ(Octets(answer.begin(), answer.begin() + 6), from_hex("020000000101"));
    EXPECT_TRUE(nd(kContoso, {Kind::solicitation, {}, solicited_node(kEdge6), kEdge6, {}}));
    // scapy: Ether(dst='33:33:00:00:00:01', src='02:00:00:00:00:a0')/Dot1Q(vlan=100)/Dot1Q(vlan=10)/
    // IPv6(src='fd00:172::2', dst='ff02::1', hlim=255)/ICMPv6ND_NA(R=1, S=0, O=1, tgt='fd00:172::2')/
    // ICMPv6NDOptDstLLAddr(lladdr='02:00:00:00:00:a0')
    EXPECT_EQ(one_sent(), from_hex("3333000000010200000000a0810000648100000a86dd 6000000000203aff "
                                   "fd000172000000000000000000000002 ff020000000000000000000000000001 "
                                   "8800d715a0000000 fd000172000000000000000000000002 02010200000000a0"));
    EXPECT_FALSE(four().confirmed != 0 || word4().known || word6().known) << "who asks has no address yet";
}

TEST_F(Claims, QuestionsForOthersAreNot) {
    EXPECT_FALSE(arp(kContoso, {true, kRouter, kCustomer4, {}, {0xac100003}}));
    EXPECT_FALSE(arp(kContoso, {true, kRouter, {0xac100003}, {}, kCore4})) << "no address of this peering";
    EXPECT_FALSE(arp(kCore, {true, kOther, kGateway4, {}, kEdge4})) << "nor this one of the core's";
    EXPECT_FALSE(nd(kContoso, {Kind::solicitation, kCustomer6, solicited_node(kCustomer6), kCustomer6, kOther}));
    EXPECT_TRUE(taken().empty());
    EXPECT_FALSE(word6().known) << "RFC 4861 §7.2.3: discarded whole";
    EXPECT_EQ(neighbours.counts(kA0).ignored, 2U) << "the first is from a neighbour";
}

TEST_F(Claims, GratuitousArpOfNeighboursOnly) {
    // An announcement as a request and as a reply (RFC 5227 §3), of somebody who was not known.
    EXPECT_FALSE(arp(kContoso, {true, kRouter, kCustomer4, {}, kCustomer4}));
    EXPECT_EQ(word4(), (Word{kRouter, true, false}));
    EXPECT_EQ(four().state, Is::probe) << "he can be heard; whether he hears is asked";
    tick();
    auto all = taken();
    EXPECT_TRUE(std::ranges::any_of(all, [](const auto& one) { return destination(one) == kRouter; })) << "at once";
    answer4(kContoso);
    EXPECT_EQ(four().state, Is::reachable);
    EXPECT_FALSE(arp(kContoso, {false, kOther, kCustomer4, kEverybody, kCustomer4}));
    EXPECT_EQ(word4(), (Word{kOther, true, false})) << "another router has taken over: used at once";
    EXPECT_EQ(four().state, Is::probe);
    EXPECT_EQ(four().changes, 1U);
    // Strangers of the subnet, and of anywhere.
    const auto learnt = neighbours.counts(kA0).learnt;
    for (const Ip4 address : {Ip4{0xac100003}, Ip4{0x0a000001}, Ip4{0}, Ip4{0xffffffff}, kGateway4}) {
        EXPECT_FALSE(arp(kContoso, {true, kRouter, address, {}, address}));
    }
    EXPECT_EQ(neighbours.counts(kA0).learnt, learnt);
    EXPECT_EQ(neighbours.all().size(), 8U) << "no message makes a neighbour";
}

TEST_F(Claims, NobodySpeaksForAnotherPeering) {
    learn_all();
    // The same addresses, from tags that nobody has, from another port, from the core, and from the core to it.
    const Place elsewhere[] = {
        {kA0, {{0x8100, 100}, {0x8100, 11}}}, {kA0, {{0x8100, 100}}}, {kA1, kContoso.tags}, {kA0, {}}, kCore};
    for (const auto& place : elsewhere) {
        answer4(place, kOther);
        arp(place, {true, kOther, kCustomer4, {}, kEdge4});
        answer6(place, kOther);
    }
    for (const auto* place : {&kContoso, &kFabrikam, &kNorthwind}) {
        arp(*place, {true, kOther, kGateway4, {}, kCore4});
        answer4(*place, kOther, kGateway4, kCore4);
    }
    EXPECT_TRUE(taken().empty());
    expect_unmoved();
    EXPECT_FALSE(word(four(kCore, kGateway4).plan.word).known);
    // In his own he may.
    answer4(kFabrikam, kOther);
    EXPECT_EQ(word4(kContoso).mac, kRouter);
    EXPECT_EQ(word4(kFabrikam).mac, kOther);
    EXPECT_EQ(word4(kNorthwind).mac, kRouter);
    EXPECT_EQ(word6(kFabrikam).mac, kRouter);
}

TEST_F(Claims, WhoeverUsesAnAddressOfTheEdge) {
    learn_all();
    EXPECT_TRUE(arp(kContoso, {true, kOther, kEdge4, {}, kEdge4})) << "defended";
    auto answer = one_sent();
    EXPECT_EQ(Octets(answer.begin(), answer.begin() + 12), from_hex("0200000002020200000000a0"));
    EXPECT_EQ(Octets(answer.begin() + 28, answer.begin() + 40), from_hex("0002 0200000000a0 ac100002"));
    EXPECT_FALSE(arp(kContoso, {false, kOther, kEdge4, kRouter, kCustomer4}));
    EXPECT_FALSE(nd(kContoso, {Kind::advertisement, kEdge6, kAllNodes, kEdge6, kOther}));
    EXPECT_EQ(neighbours.counts(kA0).conflicts, 3U);
    EXPECT_TRUE(taken().empty());
    expect_unmoved();
}

TEST_F(Claims, OurOwnMacAndGroupMacs) {
    for (const Mac& mac : {kAccessMac, kEverybody, Mac{}, Mac{{0x01, 0, 0x5e, 0, 0, 1}}}) {
        EXPECT_FALSE(arp(kContoso, {true, mac, kCustomer4, {}, kEdge4})) << "a loop, or nonsense";
        EXPECT_FALSE(answer4(kContoso, mac));
        EXPECT_FALSE(answer6(kContoso, mac));
        EXPECT_FALSE(word4().known || word6().known);
    }
    NdMessage asks{Kind::solicitation, kCustomer6, solicited_node(kEdge6), kEdge6, {}};
    EXPECT_FALSE(nd(kContoso, asks, kEverybody)) << "answered to nobody";
    EXPECT_TRUE(taken().empty());
    // Without an option the answer goes where the frame came from, and nothing is learnt of it.
    EXPECT_TRUE(nd(kContoso, asks, kOther));
    const auto answer = one_sent();
    EXPECT_EQ(Octets(answer.begin(), answer.begin() + 6), from_hex("020000000202"));
    EXPECT_FALSE(word6().known);
}

TEST_F(Claims, FlagsOfAdvertisements) {  // RFC 4861 §7.2.5
    tick();
    EXPECT_FALSE(answer6(kContoso, std::nullopt));
    EXPECT_EQ(six().state, Is::incomplete) << "known to nobody: no address, no entry";
    answer6(kContoso, kRouter, true, false);
    EXPECT_EQ(six().state, Is::reachable) << "without override where there is nothing to override";
    const auto aged = [&] {
        pass(30'000 * kMs);
        ASSERT_EQ(six().state, Is::probe);
        taken();
    };
    aged();
    answer6(kContoso, std::nullopt, true);
    EXPECT_EQ(six().state, Is::reachable) << "the one known holds";
    aged();
    answer6(kContoso, kRouter, true, false);
    EXPECT_EQ(six().state, Is::reachable) << "the same";
    aged();
    answer6(kContoso, kRouter, false, true);
    EXPECT_EQ(six().state, Is::probe) << "unsolicited: says nothing of whether he hears";
    answer6(kContoso, std::nullopt, false);
    EXPECT_EQ(six().state, Is::probe);
    answer6(kContoso, kOther, true, false);
    EXPECT_EQ(six().state, Is::probe) << "without override another MAC is none";
    EXPECT_EQ(word6().mac, kRouter);
    answer6(kContoso);
    // A stranger without override puts a known one in doubt: he is asked at once, as who he was.
    answer6(kContoso, kOther, false, false);
    EXPECT_EQ(word6(), (Word{kRouter, true, false}));
    EXPECT_EQ(six().due, now);
    answer6(kContoso);
    answer6(kContoso, kOther, false, true);
    EXPECT_EQ(word6(), (Word{kOther, true, false})) << "with override it is taken, and asked";
    EXPECT_EQ(six().state, Is::probe);
    answer6(kContoso, kRouter, true, true);
    EXPECT_EQ(word6(), (Word{kRouter, true, false}));
    EXPECT_EQ(six().state, Is::reachable);
    EXPECT_EQ(six().changes, 2U);
}

TEST_F(Claims, ConfiguredMacsStay) {
    const Place wingtip{kA0, {{0x8100, 300}, {0x8100, 10}}};
    const auto index = four(wingtip).plan.word;
    for (const bool request : {true, false}) { arp(wingtip, {request, kOther, kCustomer4, {}, kEdge4}); }
    arp(wingtip, {true, kOther, kCustomer4, {}, kCustomer4});
    EXPECT_EQ(four(wingtip).state, Is::configured);
    EXPECT_EQ(four(wingtip).mac, kRouter);
    EXPECT_EQ(state.neighbours[index], 0U) << "the templates have it";
    EXPECT_EQ(taken().size(), 1U) << "but he is answered";
    neighbours.hold(index, packets.data());
    EXPECT_EQ(released_now(), 1U);
    pass(60'000 * kMs);
    for (const auto& one : taken()) {
        EXPECT_NE(Octets(one.octets.begin() + 14, one.octets.begin() + 16), from_hex("012c"));
    }
}

TEST_F(Claims, EveryTruncation) {
    Octets arp_body(kArpLength);
    write_arp(arp_body.data(), {false, kOther, kCustomer4, kAccessMac, kEdge4});
    Octets nd_body(kNdMaxLength);
    NdMessage said{Kind::advertisement, kCustomer6, kEdge6, kCustomer6, kOther};
    said.solicited = said.override_entry = true;
    nd_body.resize(write_nd(nd_body.data(), said));
    learn_all();
    for (const auto& whole : {frame(kContoso, kAccessMac, kOther, 0x0806, arp_body),
                              frame(kContoso, kAccessMac, kOther, 0x86dd, nd_body)}) {
        for (std::size_t length = 0; length < whole.size(); ++length) {
            EXPECT_FALSE(receive(kA0, Octets(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)),
                                 attachment_at(kContoso)));
        }
    }
    expect_unmoved();
    EXPECT_TRUE(taken().empty());
}

}  // namespace
}  // namespace peerlane::dataplane::test
