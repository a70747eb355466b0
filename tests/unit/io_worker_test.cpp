#include "tests/unit/io_worker_case.hpp"

namespace peerlane::dataplane {
namespace {

TEST_F(Workers, EveryPacketIsCountedOnceAndSentOnce) {
    start(1);
    ASSERT_EQ(feed(100), 100U);
    poll(0);
    EXPECT_EQ(take_all(), 100U);
    EXPECT_EQ(sum(kAccess, &PortCounters::received), 100U);
    EXPECT_EQ(sum(kCore, &PortCounters::transmitted), 100U);
    expect_conservation();
    const auto& own = *state->workers[0];
    EXPECT_EQ(read(own.packets), 100U);
    EXPECT_EQ(read(own.bursts), 4U);  // 32, 32, 32, 4
    EXPECT_GT(read(own.busy_cycles), 0U);
}

TEST_F(Workers, WhatAPortRefusesIsDroppedByName) {
    start(1, 16);  // room for 15
    ASSERT_EQ(feed(32), 32U);
    poll(0);
    EXPECT_EQ(take_all(), 15U);
    EXPECT_EQ(sum(kCore, &PortCounters::transmitted), 15U);
    EXPECT_EQ(read(state->workers[0]->drops[reason_index(Fate::tx_full)]), 17U);
    expect_conservation();
}

TEST_F(Workers, ADevicesWordIsTakenForAChecksumOnlyWhereItVerifiesThem) {
    start(1);
    auto wrong = frame();
    wrong[kIp + 10] ^= 1U;
    const auto fates = [&](bool vouches, const std::vector<std::uint8_t>& octets, std::uint64_t flags,
                           std::uint32_t type = 0) {
        setups[0].inlets[kAccess].vouches = vouches;
        const auto before = dropped(Fate::bad_checksum);
        EXPECT_EQ(feed(octets, 3, flags, type), 3U);
        poll(0);
        const auto taken = take_all();
        EXPECT_EQ(taken + dropped(Fate::bad_checksum) - before, 3U);
        return taken;
    };
    constexpr auto kGood = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    EXPECT_EQ(fates(true, wrong, kGood), 3U) << "the device was not believed";
    EXPECT_EQ(fates(true, wrong, 0), 0U);
    EXPECT_EQ(fates(true, wrong, RTE_MBUF_F_RX_IP_CKSUM_BAD), 0U);
    EXPECT_EQ(fates(true, wrong, RTE_MBUF_F_RX_IP_CKSUM_NONE), 0U);
    EXPECT_EQ(fates(true, frame(), RTE_MBUF_F_RX_IP_CKSUM_BAD), 3U) << "software knows better";
    // What it says is about the header inside, or about one of two.
    EXPECT_EQ(fates(true, wrong, kGood | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD), 0U);
    EXPECT_EQ(fates(true, wrong, kGood, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_GRE), 0U);
    EXPECT_EQ(fates(false, wrong, kGood), 0U) << "nobody asked the device";
}

TEST_F(Workers, ATagThatTheDeviceTookOffIsReadBesideTheFrame) {
    start(1);
    const auto stripped = frame_without(1);
    setups[0].inlets[kAccess].strips = true;
    ASSERT_EQ(feed(stripped, 5, kStripped) + feed(7) + feed(stripped, 2), 14U);
    // What comes without its tag and without a word of it is one VLAN short.
    expect_outcome(12, Fate::unknown_vlan, 2);
    // Of a device that does not strip the flag is somebody else's, from before.
    setups[0].inlets[kAccess].strips = false;
    ASSERT_EQ(feed(frame(), 3, kStripped) + feed(stripped, 4, kStripped), 7U);
    expect_outcome(3, Fate::unknown_vlan, 4);
}

TEST_F(Workers, AFrameThatHasLostBothTagsIsNobodys) {
    start(1);
    setups[0].inlets[kAccess].strips = true;
    constexpr auto kLost = RTE_MBUF_F_RX_QINQ_STRIPPED;
    ASSERT_EQ(feed(frame_without(1), 2, kLost) + feed(frame_without(2), 3, kStripped | kLost), 5U);
    expect_outcome(0, Fate::bad_tag, 5);
}

/// In two segments, the first without room for the tag that was taken off.
TEST_F(Workers, ATaggedFrameOnTheCoreIsNoTunnelsIfItsTagIsGone) {
    start(1);
    setups[0].inlets[kCore].strips = true;
    auto* first = rte_pktmbuf_alloc(pool);
    auto* second = rte_pktmbuf_alloc(pool);
    ASSERT_TRUE(first != nullptr && second != nullptr);
    const auto octets = frame();
    first->data_off = 0;
    std::memcpy(rte_pktmbuf_append(first, 14), octets.data(), 14);
    std::memcpy(rte_pktmbuf_append(second, 40), octets.data() + 14, 30);
    ASSERT_EQ(rte_pktmbuf_chain(first, second), 0);
    first->ol_flags |= kStripped;
    ASSERT_EQ(rte_ring_enqueue(ports[kCore].in, first), 0);
    poll(0);
    EXPECT_EQ(dropped(Fate::runt), 1U);
    EXPECT_EQ(sum(kCore, &PortCounters::dropped), 1U);
}

TEST_F(Workers, ATagIsPutBackAsItWas) {
    start(1);
    auto* packet = rte_pktmbuf_alloc(pool);
    ASSERT_NE(packet, nullptr);
    PortInfo port;
    port.inner_tpids = ether::tpid_bit(0x8100) | ether::tpid_bit(0x88a8);
    const auto put_back = [&](std::vector<std::uint8_t> octets, std::uint16_t service, std::uint16_t single) {
        port.service_tpid = service;
        port.single_tpid = single;
        rte_pktmbuf_reset(packet);
        packet->vlan_tci = static_cast<std::uint16_t>(octets[14] << 8U | octets[15]);
        octets.erase(octets.begin() + 12, octets.begin() + 16);
        std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(octets.size())), octets.data(),
                    octets.size());
        packet->ol_flags = kStripped;
        EXPECT_TRUE(put_back_tag(*packet, port));
        EXPECT_EQ(packet->ol_flags, 0U);
        EXPECT_EQ(packet->data_len, packet->pkt_len);
        const auto* start = rte_pktmbuf_mtod(packet, const std::uint8_t*);
        return std::vector<std::uint8_t>(start, start + packet->data_len);
    };
    auto two = frame();
    two[14] = 0xe0;  // its priority
    EXPECT_EQ(put_back(two, 0x88a8, 0x9100), two);
    two[12] = 0x91, two[13] = 0;
    EXPECT_EQ(put_back(two, 0x9100, 0x8100), two);
    two[16] = 0x88, two[17] = 0xa8;
    EXPECT_EQ(put_back(two, 0x9100, 0x8100), two) << "another inner TPID that is accepted";
    auto one = frame();
    one.erase(one.begin() + 12, one.begin() + 16);
    EXPECT_EQ(put_back(one, 0x88a8, 0x8100), one) << "a single tag";
    ASSERT_NE(rte_pktmbuf_prepend(packet, rte_pktmbuf_headroom(packet)), nullptr);
    EXPECT_FALSE(put_back_tag(*packet, port)) << "no room";
    packet->data_len = 13;
    EXPECT_FALSE(put_back_tag(*packet, port)) << "no frame";
    rte_pktmbuf_free(packet);
}

TEST_F(Workers, APortWithoutADeviceIsLeftAlone) {
    start(1);
    ASSERT_EQ(feed(40), 40U);
    ports[kAccess].number->store(kNoDevice);
    poll(0);
    EXPECT_EQ(sum(kAccess, &PortCounters::received), 0U);
    ports[kAccess].number->store(ports[kAccess].device);
    ports[kCore].number->store(kNoDevice);
    poll(0);
    EXPECT_EQ(take_all(), 0U);
    EXPECT_EQ(dropped(Fate::link_down), 40U);
    ports[kCore].number->store(ports[kCore].device);
    ASSERT_EQ(feed(40), 40U);
    poll(0);
    EXPECT_EQ(take_all(), 40U);
    expect_conservation();
}

TEST_F(Workers, WhatAnInterfaceTakesNoMoreIsDroppedByName) {
    start(1);
    LimitedDevice limited{std::uint32_t{ports[kCore].device} << 16U | (14 + 20 + 8 + 28 - 1)};  // as in take_all()
    setups[0].outlets[kCore].limited = &limited;
    ports[kCore].number->store(kNoDevice);
    ASSERT_EQ(feed(4), 4U);
    expect_outcome(0, Fate::tx_failed, 4);
    ++limited;
    expect_outcome(feed(5), Fate::tx_failed, 0);
}

TEST_F(Workers, WaitingForQuietOutlastsEveryUseOfADevice) {
    start(2);
    setups[1].sleeps = true;
    std::thread threads[] = {run(0), run(1)};
    for (int turn = 0; turn < 200; ++turn) {
        feed(8);
        ports[kCore].number->store(kNoDevice);
        publication->wait_for_quiet();
        take_all();
        EXPECT_EQ(take_all(), 0U) << "somebody still sends";
        ports[kCore].number->store(ports[kCore].device);
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    expect_conservation();
}

TEST_F(Workers, WhatIsReceivedBeforeTheEndIsSent) {
    start(1);
    ASSERT_EQ(feed(500), 500U);
    stop = true;
    run(0).join();
    EXPECT_EQ(take_all(), 500U);
    expect_conservation();
}

TEST_F(Workers, TwoWorkersShareAQueueOfAPort) {
    start(2);
    std::thread threads[] = {run(0), run(1)};
    unsigned fed = 0;
    unsigned taken = 0;
    while (taken < 20'000) {
        if (fed < 20'000 && fed - taken < 512) { fed += feed(std::min(64U, 20'000 - fed)); }
        taken += take_all();
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    EXPECT_EQ(taken + take_all(), 20'000U);
    EXPECT_EQ(sum(kAccess, &PortCounters::sent), 20'000U);
    expect_conservation();
}

TEST_F(Workers, NothingIsLostWhileSnapshotsComeAndGo) {
    start(2);
    setups[1].sleeps = true;
    std::thread threads[] = {run(0), run(1)};
    unsigned fed = 0;
    unsigned taken = 0;
    for (int step = 0; step < 50; ++step) {
        for (int i = 0; i < 8 && fed - taken < 512; ++i) { fed += feed(32); }
        publish(step % 2 == 0 ? "300 Gbps" : "400 Gbps", "100 MB");
        taken += take_all();
    }
    while (taken < fed) { taken += take_all(); }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    EXPECT_EQ(sum(kAccess, &PortCounters::received), fed);
    EXPECT_EQ(sum(kAccess, &PortCounters::sent), fed);
    expect_conservation();
}

TEST_F(Workers, ASleeperStillSettlesTheBucketsOfEachSnapshot) {
    start(1);
    setups[0].sleeps = true;
    const auto bucket = [&] {
        return meter::load(state->circuit_buckets[circuit_cell(0, Link::primary, Direction::to_cloud)]);
    };
    const auto full = bucket().level;
    std::thread thread = run(0);
    publication->wait_for_workers();
    // Each is settled when publish() returns, else the next would settle from a rate that was never in force.
    publish("400 Gbps", "50 MB");
    EXPECT_EQ(bucket().level, full / 2);
    publish("400 Gbps", "25 MB");
    EXPECT_EQ(bucket().level, full / 4);
    stop = true;
    thread.join();
}

}  // namespace
}  // namespace peerlane::dataplane
