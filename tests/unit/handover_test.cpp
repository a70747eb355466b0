// What lands on the worker without the SA goes to the one that has it, once, in order.
#include "tests/unit/handover_case.hpp"

namespace peerlane::dataplane::handover_test {
namespace {

TEST_F(Handover, ToTheWorkerWithTheLane) {
    start(1);
    for (unsigned i = 0; i < 100; ++i) { ASSERT_TRUE(feed(kAccess, 1, up(i))); }
    poll(1);
    EXPECT_TRUE(take(kCore).empty());
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 0U) << "whoever has it counts it";
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 100U);
    for (unsigned i = 0; i < 100; ++i) {
        EXPECT_EQ(sent[i].worker, 0U);
        EXPECT_EQ(opened(sent[i], 1), i) << "the order of the flow";
    }
    EXPECT_EQ(count(0, kAccess, &PortCounters::received), 100U);
    EXPECT_EQ(read(state->workers[1]->tallies[tally::tunnel(0, Link::primary, Direction::to_cloud)].packets), 0U);
    EXPECT_EQ(read(state->workers[0]->tallies[tally::tunnel(0, Link::primary, Direction::to_cloud)].packets), 100U);
    expect_conservation(100);
}

TEST_F(Handover, OnlyWhatMust) {
    start(1);
    // One burst: clear, protected, refused, and frames of both ports on the same ring.
    for (unsigned i = 0; i < 8; ++i) {
        ASSERT_TRUE(feed(kAccess, 1, up(i)));
        ASSERT_TRUE(feed(kAccess, 1, up(i, "10.101.0.1")));
        ASSERT_TRUE(feed(kAccess, 1, up(i, "10.99.0.1", "11.0.0.1")));
        ASSERT_TRUE(feed(kCore, 1, down(i + 1)));
    }
    poll(1);
    auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 8U);
    for (const auto& one : sent) { EXPECT_TRUE(test::esp_in(one.frame).empty()); }
    EXPECT_EQ(drops(1, Fate::source_not_accepted), 8U);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 16U);
    EXPECT_EQ(count(1, kCore, &PortCounters::received), 0U);
    poll(0);
    sent = take(kCore);
    ASSERT_EQ(sent.size(), 8U);
    for (unsigned i = 0; i < 8; ++i) { EXPECT_EQ(opened(sent[i], 1), i); }
    EXPECT_EQ(take(kAccess).size(), 8U);
    EXPECT_EQ(count(0, kAccess, &PortCounters::received), 8U);
    EXPECT_EQ(count(0, kCore, &PortCounters::received), 8U);
    expect_conservation(32);
}

TEST_F(Handover, NoRoomForTheTag) {
    start(1);
    setups[1].inlets[kAccess].strips = true;
    ASSERT_EQ(rte_ring_enqueue(wires[kAccess].in[1], test::crowded(pool, up())), 0);
    poll(1);
    EXPECT_EQ(drops(1, Fate::no_headroom), 1U);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 1U);
    poll(0);
    EXPECT_TRUE(take(kCore).empty());
    expect_conservation(1);
}

TEST_F(Handover, TwoLanesNeedNone) {
    start(2);
    for (unsigned i = 0; i < 64; ++i) { ASSERT_TRUE(feed(kAccess, i % 2, up(i))); }
    poll(1);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 32U);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 64U);
    for (const auto& one : sent) { EXPECT_EQ(opened(one, 2) % 2, one.worker); }
    EXPECT_EQ(last[0], 32U);
    EXPECT_EQ(last[1], 32U);
    EXPECT_EQ(ivs.size(), 64U) << "the same numbers in two lanes of one key";
    expect_conservation(64);
}

TEST_F(Handover, TheNextSaIsAnotherWorkers) {
    start(1, true);
    for (const bool first : {true, false}) {
        for (unsigned i = 0; i < 10; ++i) { ASSERT_TRUE(feed(kAccess, 0, up(i))); }
        poll(0);
        const auto here = take(kCore);
        ASSERT_EQ(here.size(), first ? 10U : 0U) << "what the first SA may send";
        poll(1);
        const auto there = take(kCore);
        ASSERT_EQ(there.size(), first ? 0U : 10U);
        for (unsigned i = 0; i < there.size(); ++i) {
            EXPECT_EQ(there[i].worker, 1U);
            const auto got = test::unseal(kNext, test::esp_in(there[i].frame));
            ASSERT_TRUE(got) << i;
            EXPECT_EQ(got->sequence, i + 1);
        }
    }
    expect_conservation(20);
}

TEST_F(Handover, AFullRing) {
    start(1);
    constexpr unsigned kPackets = 5'000;
    for (unsigned fed = 0; fed < kPackets;) {
        while (fed < kPackets && feed(kAccess, 1, up(fed))) { ++fed; }
        poll(1);
    }
    const auto share = kHandoverRoom / 2;  // another circuit finds the other half
    const auto full = kPackets - share;
    EXPECT_EQ(drops(1, Fate::handover_full), full);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), full);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), share);
    for (unsigned i = 0; i < sent.size(); ++i) { EXPECT_EQ(opened(sent[i], 1), i) << "the first ones"; }
    expect_conservation(kPackets);
}

TEST_F(Handover, AnSpiOfTheOtherWorker) {
    start(1);
    // Copies on both workers: one passes, whoever comes first.
    for (unsigned i = 1; i <= 40; ++i) {
        ASSERT_TRUE(feed(kCore, 1, down(i)));
        ASSERT_TRUE(feed(kCore, 0, down(i)));
    }
    auto forged = down(41);
    forged.back() ^= 1U;
    ASSERT_TRUE(feed(kCore, 1, forged));
    poll(1);
    EXPECT_TRUE(take(kAccess).empty());
    poll(0);
    const auto got = take(kAccess);
    ASSERT_EQ(got.size(), 40U);
    for (const auto& one : got) {
        EXPECT_EQ(one.worker, 0U);
        EXPECT_EQ(one.frame, at_contoso(test::hop(test::down4())).octets());
    }
    EXPECT_EQ(drops(0, Fate::esp_replayed), 40U);
    EXPECT_EQ(drops(0, Fate::esp_bad_icv), 1U);
    expect_conservation(81);
}

TEST_F(Handover, WhatTheEdgeMakesWithoutALane) {
    start(1);
    // From the clear tunnel, its TTL at an end, and the way back is a tunnel whose lane is the other worker's.
    const auto expired = Packet()
                             .ether(test::kCoreMac, test::kGatewayMac)
                             .ip4("198.51.100.8", "192.0.2.1")
                             .gre(1)
                             .then(test::down4().ttl(1))
                             .octets();
    ASSERT_TRUE(feed(kCore, 1, expired));
    ASSERT_TRUE(feed(kCore, 0, expired));
    poll(1);
    EXPECT_TRUE(take(kCore).empty()) << "neither sealed nor in clear";
    EXPECT_EQ(drops(1, Fate::no_lane), 1U);
    EXPECT_EQ(count(1, kCore, &PortCounters::originated), 1U);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].worker, 0U);
    opened(sent[0], 1);
    expect_conservation(2);
}

class Running : public Handover, public testing::WithParamInterface<unsigned> {};

TEST_P(Running, NothingLostNoIvTwiceAndOrderKept) {
    constexpr unsigned kPackets = 20'000;
    constexpr unsigned kFlows = 6;
    const auto lanes = GetParam();
    start(lanes);
    std::thread threads[2];
    for (unsigned i = 0; i < 2; ++i) {
        threads[i] = std::thread([this, i] { worker_loop(*workers[i], setups[i], *publication, clock, stop); });
    }
    unsigned next[kFlows]{};
    unsigned seen[kFlows]{};
    unsigned fed = 0;
    unsigned taken = 0;
    const auto look = [&] {
        for (const auto& one : take(kCore)) {
            const auto id = opened(one, lanes);
            ASSERT_LT(source, kFlows);
            EXPECT_EQ(id, seen[source]++) << "of flow " << source;
            ++taken;
        }
    };
    while (taken < kPackets) {
        // A flow stays on its queue.
        for (unsigned i = 0; i < 32 && fed < kPackets && fed - taken < 1'000; ++i) {
            const unsigned flow = fed % kFlows;
            if (!feed(kAccess, flow % 2, up(next[flow], "10.100.0.1", "10.0.0." + std::to_string(flow)))) { break; }
            ++next[flow];
            ++fed;
        }
        look();
        if (HasFatalFailure()) { break; }
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    look();
    EXPECT_EQ(taken, kPackets);
    EXPECT_EQ(ivs.size(), kPackets);
    if (lanes == 1) { EXPECT_EQ(count(1, kAccess, &PortCounters::received), 0U); }
    expect_conservation(kPackets);
}

INSTANTIATE_TEST_SUITE_P(Lanes, Running, testing::Values(1U, 2U));

}  // namespace
}  // namespace peerlane::dataplane::handover_test
