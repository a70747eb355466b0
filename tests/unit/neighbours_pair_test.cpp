// Neighbours of circuit pairs, whose silence is noticed within a second; and what reloads keep, renew and forget.
#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

constexpr Ip4 kSecond4{0xac100005}, kSecondEdge4{0xac100006};
const Place kPrimary{kA0, {{0x8100, 400}, {0x8100, 10}}}, kSecondary{kA1, kPrimary.tags};

Customer pair() {
    return {.name = "tailspin",
            .tags = "service_vlan: 400, ",
            .way = "links: { primary: a0, secondary: a1 }",
            .subnet = R"(subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
            subnets6: { primary: "fd00:172::/126" })"};
}

class Pair : public Neighbourhood {
  protected:
    void SetUp() override { publish(ports() + text(pair())); }
    [[nodiscard]] unsigned alive_bits(const Place& place) const { return state.links_alive[attachment_at(place)]; }
    bool answer_second(bool request = false) {
        const Mac own{{0x02, 0, 0, 0, 0, 0xa1}};
        return arp(kSecondary, {request, kOther, kSecond4, own, kSecondEdge4});
    }
    /// Until the links have these bits; how long it took.
    Nanoseconds until(unsigned primary, unsigned secondary) {
        const auto start = now;
        while (now < start + 10'000 * kMs && (alive_bits(kPrimary) != primary || alive_bits(kSecondary) != secondary)) {
            tick(25 * kMs);
        }
        return now - start;
    }
    void answer_all() {
        answer4(kPrimary);
        answer6(kPrimary);
        answer_second();
    }
};

constexpr unsigned kBoth = alive::kV4 | alive::kV6;

TEST_F(Pair, LivesByAnswers) {
    EXPECT_EQ(alive_bits(kPrimary), kBoth) << "until control knows otherwise";
    tick();
    EXPECT_EQ(alive_bits(kPrimary), 0U);
    EXPECT_EQ(alive_bits(kSecondary), 0U);
    answer4(kPrimary);
    tick();
    EXPECT_EQ(alive_bits(kPrimary), alive::kV4) << "each family for itself";
    answer6(kPrimary);
    answer_second();
    tick();
    EXPECT_EQ(alive_bits(kPrimary), kBoth);
    EXPECT_EQ(alive_bits(kSecondary), kBoth) << "where one has no subnet the other's router takes its packets";
    EXPECT_EQ(four(kSecondary, kSecond4).plan.also, neighbour::customer(attachment_at(kSecondary), true));
    EXPECT_EQ(word(four(kSecondary, kSecond4).plan.also), (Word{kOther, true, false}));
}

TEST_F(Pair, SilenceIsNoticedWithinASecond) {
    tick();
    answer_all();
    tick();
    ASSERT_EQ(alive_bits(kPrimary) & alive_bits(kSecondary), kBoth);
    // For three seconds everybody answers whatever he is asked: nothing changes.
    for (int i = 0; i < 120; ++i) {
        tick(25 * kMs);
        for (const auto& one : taken()) {
            if (one.port == kA1) { answer_second(); }
            if (one.port == kA0 && one.octets[20] == 0x08) { answer4(kPrimary); }
            if (one.port == kA0 && one.octets[20] == 0x86) { answer6(kPrimary); }
        }
        ASSERT_EQ(alive_bits(kPrimary) & alive_bits(kSecondary), kBoth) << i;
    }
    EXPECT_GE(neighbours.counts(kA1).asked, 15U) << "every 150 ms";
    EXPECT_LE(neighbours.counts(kA1).asked, 22U);
    answer_all();
    const auto silent = until(0, 0);
    EXPECT_LT(silent, 1'000 * kMs);
    EXPECT_GE(silent, 600 * kMs) << "but not for three answers lost";
    EXPECT_TRUE(word4(kPrimary).known) << "a packet that has no other way may still try";
    pass(2'000 * kMs);
    EXPECT_FALSE(word4(kPrimary).known);
    answer_second();
    tick();
    EXPECT_EQ(alive_bits(kSecondary), kBoth) << "back as soon as it answers";
    EXPECT_EQ(alive_bits(kPrimary), 0U);
}

TEST_F(Pair, WhoIsHeardButDoesNotHear) {
    tick();
    answer_all();
    tick();
    until(0, 0);
    for (int second = 0; second < 10; ++second) {
        EXPECT_TRUE(answer_second(true)) << "it is answered";
        EXPECT_TRUE(word(four(kSecondary, kSecond4).plan.word).known);
        for (int i = 0; i < 40; ++i) {
            tick(25 * kMs);
            ASSERT_EQ(alive_bits(kSecondary), 0U) << "and yet nothing goes by a link that brings no answer";
        }
    }
}

TEST_F(Pair, PortsGoDown) {
    tick();
    answer_all();
    tick();
    up[kA0] = false;
    tick(25 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), 0U);
    EXPECT_EQ(alive_bits(kSecondary), kBoth);
    up[kA0] = true;
    taken();
    tick(25 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), 0U) << "not before somebody answers there";
    EXPECT_GE(taken().size(), 2U) << "who is asked at once";
    answer4(kPrimary);
    answer6(kPrimary);
    tick(25 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), kBoth);
}

TEST_F(Pair, WithAConfiguredMacFollowsThePort) {
    auto one = pair();
    one.subnet += R"(, customer_mac: "02:00:00:00:01:01")";
    publish(ports() + text(one));
    pass(5'000 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), kBoth);
    up[kA0] = false;
    tick(25 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), 0U);
    up[kA0] = true;
    tick(25 * kMs);
    EXPECT_EQ(alive_bits(kPrimary), kBoth);
}

class Reload : public Neighbourhood {};

TEST_F(Reload, KeepsWhatStays) {
    publish(ports() + text({}));
    tick();
    answer4({});
    neighbours.hold(six().plan.word, packets.data());
    now += 7'000 * kMs;
    publish(ports() + text({.name = "fabrikam", .tags = "service_vlan: 200, "}) + text({}));
    EXPECT_EQ(four().state, Is::reachable);
    EXPECT_EQ(four().confirmed, now - 7'000 * kMs);
    EXPECT_EQ(word4(), (Word{kRouter, true, false}));
    EXPECT_EQ(six().asked, 1U);
    EXPECT_EQ(six().held.size(), 1U);
    EXPECT_TRUE(released.empty());
    const Place fabrikam{kA0, {{0x8100, 200}, {0x8100, 10}}};
    EXPECT_EQ(four(fabrikam).state, Is::incomplete);
    taken();
    tick();
    EXPECT_EQ(taken().size(), 4U) << "fabrikam, in both families; contoso's IPv6 and the gateway, seven seconds later";
    answer6({});
    EXPECT_EQ(released_now(), 1U);
}

TEST_F(Reload, AnotherAddressIsAnotherNeighbour) {
    publish(ports() + text({}));
    tick();
    answer4({});
    answer6({});
    const auto index = four().plan.word;
    publish(ports() + text({.subnet = R"(subnet: 172.16.0.4/30, subnet6: "fd00:172::/126")"}));
    EXPECT_EQ(four({}, kSecond4).plan.word, index);
    EXPECT_EQ(word(index), (Word{{}, false, true})) << "not his predecessor's";
    EXPECT_TRUE(word6().known) << "the other family's stays";
    EXPECT_FALSE(answer4({})) << "who is nobody now";
    EXPECT_FALSE(word(index).known);
    answer4({}, kOther, kSecond4, kSecondEdge4);
    EXPECT_EQ(word(index).mac, kOther);
}

TEST_F(Reload, WhoIsGoneLeavesNothing) {
    // Of one family only, so that he has both words.
    publish(ports() + text({.subnet = "subnet: 172.16.0.0/30"}) + text({.name = "fabrikam", .tags = "", .vlan = 30}));
    answer4({});
    const auto first = four().plan.word;
    const auto second = four().plan.also;
    ASSERT_NE(second, neighbour::kNobody);
    ASSERT_TRUE(word(first).known && word(second).known);
    const Place fabrikam{kA0, {{0x8100, 30}}};
    const auto third = six(fabrikam).plan.word;
    neighbours.hold(third, packets.data());
    neighbours.hold(third, &packets[1]);
    publish(ports() + text({.name = "northwind", .tags = "", .vlan = 31}));
    EXPECT_EQ(released_now(), 2U) << "to begin again, and find their way or none";
    EXPECT_EQ(neighbours.held(), 0U);
    for (const auto index : {first, second, third}) { EXPECT_EQ(state.neighbours[index], 0U); }
    neighbours.hold(third, packets.data());
    EXPECT_EQ(released_now(), 1U);
    // And whoever gets his slot begins as a stranger.
    for (int i = 0; i < 4; ++i) {
        publish(ports() + text({.name = "n" + std::to_string(i), .tags = "", .vlan = 32 + i}));
        for (const auto& one : neighbours.all()) { EXPECT_FALSE(word(one.plan.word).known); }
    }
}

TEST_F(Reload, ConfiguredAndLearntInTurn) {
    publish(ports() + text({.subnet = "subnet: 172.16.0.0/30"}));
    answer4({});
    const auto index = four().plan.word;
    neighbours.hold(index, packets.data());
    EXPECT_EQ(released_now(), 1U);
    const auto fixed = text({.subnet = R"(subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:02:02")"});
    publish(ports() + fixed);
    EXPECT_EQ(four().state, Is::configured);
    EXPECT_EQ(four().mac, kOther);
    EXPECT_EQ(state.neighbours[index], 0U) << "what was learnt is not left for later";
    answer4({});
    EXPECT_EQ(four().mac, kOther);
    publish(ports() + text({.subnet = "subnet: 172.16.0.0/30"}));
    EXPECT_EQ(four().state, Is::incomplete);
    EXPECT_EQ(word4(), (Word{{}, false, true}));
}

TEST_F(Reload, WhoeverBecomesOneOfAPairIsAskedAtOnce) {
    auto one = pair();
    one.way = "links: { primary: a0 }";
    one.subnet = "subnets: { primary: 172.16.0.0/30 }";
    publish(ports() + text(one));
    tick();
    answer4(kPrimary);
    pass(1'000 * kMs);
    taken();
    publish(ports() + text(pair()));
    tick();
    EXPECT_EQ(four(kPrimary).state, Is::probe) << "though he was confirmed a second ago";
    EXPECT_EQ(state.links_alive[attachment_at(kPrimary)] & alive::kV4, alive::kV4);
}

TEST_F(Reload, NeighboursOfTheCore) {
    publish(ports() + text({.remote = "192.0.2.5"}));
    arp(kCore, {false, kOther, kGateway4, kCoreMac, kCore4});
    arp(kCore, {false, kRouter, kNear4, kCoreMac, kCore4});
    const auto near = four(kCore, kNear4).plan.word;
    EXPECT_EQ(word(near).mac, kRouter) << "a tunnel's end in the port's own subnet";
    EXPECT_EQ(word(four(kCore, kGateway4).plan.word).mac, kOther);
    EXPECT_NE(near, four(kCore, kGateway4).plan.word);
    publish(ports() + text({}));
    EXPECT_EQ(state.neighbours[near], 0U);
    EXPECT_TRUE(word(four(kCore, kGateway4).plan.word).known);
    EXPECT_THROW(static_cast<void>(four(kCore, kNear4)), std::out_of_range);
}

}  // namespace
}  // namespace peerlane::dataplane::test
