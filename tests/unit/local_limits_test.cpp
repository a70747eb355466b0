// Floods: of ARP, of packets for the edge itself, of packets for who does not answer. What they cost is bounded, who
// floods pays for it, and nobody else notices.
#include "tests/unit/local_case.hpp"

namespace peerlane::dataplane::test {
namespace local_limits_test {

// By default, on one link in a second: ARP of anybody, ARP of the neighbour there, what is for the edge itself.
constexpr unsigned kAsk = 100, kFromNeighbour = kAsk + 40, kPunt = 1'000;
// Of one circuit on the way to control: no more than are left, and a known neighbour's messages are no part of what is
// kept for them.
constexpr unsigned kKnownInRing = kToControl / 2;
constexpr unsigned kInRing = (kToControl - kToControlReserve) / 2;

Packet question(const char* mac = kRouterMac) {
    return arp(true, mac, "172.16.0.1", "172.16.0.2");
}
Packet strangers_question() {
    return arp(true, "02:00:00:00:03:03", "172.16.0.99", "172.16.0.2");
}
Packet to_edge(unsigned id) {
    return Packet().ip4("172.16.0.1", "172.16.0.2").id(id).udp(179, 179).payload(20);
}
Packet up(unsigned id, const char* to = "10.101.0.1") {
    return Packet().ip4("10.0.0.1", to).id(id).udp().payload(40);
}
Packet clear_down(unsigned id) {
    return from_gateway(Packet()
                            .ip4("198.51.100.8", "192.0.2.1")
                            .gre(1)
                            .then(Packet().ip4("10.100.0.1", "10.0.0.1").id(id).udp().payload(40)));
}
Packet fabrikams_down(unsigned id) {
    return from_gateway(Packet()
                            .ip4("198.51.100.10", "192.0.2.1")
                            .gre(7)
                            .then(Packet().ip4("10.100.0.1", "10.0.0.1").id(id).udp().payload(40)));
}

class Limits : public Local {
  protected:
    void know_all() {
        feed(kAccess, by_fabrikam(arp(false, kOtherMac, "172.16.0.1", "172.16.0.2")));
        feed_and_settle(kCore, answer_of_gateway());
        take(kCore);
        take(kAccess);
    }
    /// In portions, so that the wire holds them.
    void flood(unsigned port, const Packet& packet, unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            feed(port, packet);
            if (i % 1'000 == 999) { poll(); }
        }
        poll();
    }
    [[nodiscard]] unsigned to_control() { return rings->to_control().waiting(); }
};

TEST_F(Limits, ArpOfOnePeering) {
    start();
    know_all();
    const auto free_before = rte_mempool_avail_count(pool);
    constexpr unsigned kFlood = 20'000;
    flood(kAccess, from_router(question()), kFlood);
    EXPECT_EQ(to_control(), kFromNeighbour) << "control's work, however many come";
    EXPECT_EQ(rte_mempool_avail_count(pool), free_before - kFromNeighbour) << "and the memory";
    EXPECT_EQ(drops(Fate::punt_limited), kFlood - kFromNeighbour);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::punt_limited), kFlood - kFromNeighbour);
    EXPECT_EQ(charged("fabrikam", Direction::to_cloud, Fate::punt_limited), 0U);
    EXPECT_EQ(local->neighbours().all().size(), 6U) << "no message makes a neighbour";
    settle_all();
    EXPECT_EQ(take(kAccess).neighbours.size(), kFromNeighbour) << "each question answered";
    // Another peering's question, and its traffic.
    feed(kAccess, by_fabrikam(question(kOtherMac)));
    feed_and_settle(kCore, fabrikams_down(1));
    const auto out = take(kAccess);
    EXPECT_EQ(out.packets.size(), 1U);
    ASSERT_EQ(out.neighbours.size(), 1U);
    EXPECT_EQ(Octets(out.neighbours[0].begin(), out.neighbours[0].begin() + 6), Octets({2, 0, 0, 0, 2, 2}));
    EXPECT_EQ(drops(Fate::punt_limited), kFlood - kFromNeighbour);
    // When the bucket has filled again, contoso is heard again.
    clock = {rte_rdtsc() - (std::uint64_t{1} << 33U), std::uint64_t{1} << 31U};  // 4.3 s later
    feed_and_settle(kAccess, from_router(question()));
    EXPECT_EQ(take(kAccess).neighbours.size(), 1U);
    expect_done();
}

TEST_F(Limits, ArpOnTheCore) {
    start();
    know_all();
    flood(kCore, from_gateway(arp(true, kOtherMac, "192.0.2.9", "192.0.2.77")), 1'000);
    EXPECT_EQ(to_control(), kAsk) << "the gateway's answer was none of them";
    EXPECT_EQ(drops(Fate::punt_limited), 1'000 - kAsk);
    // In the midst of it the gateway is heard, at a rate of its own.
    settle_all();
    take(kCore);
    feed_and_settle(kCore, from_gateway(arp(true, peerlane::test::kGatewayMac, "192.0.2.254", "192.0.2.1")));
    EXPECT_EQ(take(kCore).neighbours.size(), 1U);
    EXPECT_EQ(drops(Fate::punt_limited), 1'000 - kAsk);
    for (const auto* customer : {"contoso", "fabrikam"}) {
        EXPECT_EQ(charged(customer, Direction::to_customer, Fate::punt_limited), 0U);
    }
    feed_and_settle(kAccess, from_router(question()));
    EXPECT_EQ(take(kAccess).neighbours.size(), 1U);
    expect_done();
}

TEST_F(Limits, OneLinkOfAPair) {
    // Strangers behind one link, by ARP and by what is for the edge itself: the other link has limits of its own.
    start(R"(
edge: { icmp_errors_per_second: 0 }
ports:
  access0: { role: access, mtu: 1500 }
  core0: { role: core, mtu: 1600, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1500 }
customers:
  - { name: contoso, circuits: [ { name: pair, links: { primary: access0, secondary: access1 }, bandwidth: 1 Gbps,
      peerings: [ { type: private, vlan: 100, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
      customer_prefixes: [10.0.0.0/16], virtual_networks: [ { name: n, prefixes: [10.100.0.0/16],
      tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 7 } } ] } ] } ] }
)",
          1, 3);
    const auto behind = [](unsigned port, const char* mac, const Packet& body) {
        return Packet().ether(port == kAccess ? kOwnMacs[kAccess] : "02:00:00:00:00:02", mac).tag(100).then(body);
    };
    for (auto& setup : setups) { setup.local.taps = 1U << kAccess | 1U << kSecond; }
    constexpr unsigned kFlood = 5'000;
    flood(kAccess, behind(kAccess, kOtherMac, strangers_question()), kFlood);
    EXPECT_EQ(to_control(), kAsk);
    settle_all();
    flood(kAccess, behind(kAccess, kRouterMac, to_edge(1)), kFlood);
    EXPECT_EQ(to_control(), kInRing) << "its share of the ring";
    EXPECT_EQ(drops(Fate::punt_full), kPunt - kInRing);
    EXPECT_EQ(drops(Fate::punt_limited), 2 * kFlood - kAsk - kPunt);
    settle_all();
    feed(kSecond, behind(kSecond, kOtherMac, arp(true, kOtherMac, "172.16.0.99", "172.16.0.6")));
    feed(kSecond, behind(kSecond, kRouterMac, Packet().ip4("172.16.0.5", "172.16.0.6").udp(179, 179).payload(20)));
    poll();
    EXPECT_EQ(to_control(), 2U) << "both come through";
    EXPECT_EQ(drops(Fate::punt_limited), 2 * kFlood - kAsk - kPunt);
    settle_all();
    expect_done();
}

TEST_F(Limits, TheNeighbourIsHeardAboveStrangers) {
    start();
    know_all();
    flood(kAccess, from_router(strangers_question()), 5'000);
    EXPECT_EQ(to_control(), kAsk);
    EXPECT_EQ(drops(Fate::punt_limited), 5'000 - kAsk);
    settle_all();
    take(kAccess);
    feed_and_settle(kAccess, from_router(question()));
    EXPECT_EQ(take(kAccess).neighbours.size(), 1U);
    EXPECT_EQ(drops(Fate::punt_limited), 5'000 - kAsk);
    expect_done();
}

TEST_F(Limits, WhatIsForTheEdgeItself) {
    start(edge_text({}, "{ icmp_errors_per_second: 0 }"));
    know_all();
    for (unsigned i = 0; i < 50; ++i) { feed(kAccess, from_router(to_edge(i))); }
    poll();
    EXPECT_EQ(to_control(), 0U) << "nobody listens: not control's business";
    EXPECT_EQ(sum(kAccess, &PortCounters::punted), 51U);
    setups[0].local.taps = 1U << kAccess;
    flood(kAccess, from_router(to_edge(1)), 5'000);
    EXPECT_EQ(to_control(), kInRing);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::punt_full), kPunt - kInRing);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::punt_limited), 5'000 - kPunt);
    // ARP has a limit of its own, and so has fabrikam.
    settle_all();
    feed(kAccess, from_router(question()));
    feed(kAccess, by_fabrikam(to_edge(1)));
    poll();
    EXPECT_EQ(to_control(), 2U);
    settle_all();
    EXPECT_EQ(take(kAccess).neighbours.size(), 1U);
    // An echo request is answered by the worker, and costs nothing of it.
    feed_and_settle(kAccess, by_fabrikam(Packet().ip4("172.16.0.1", "172.16.0.2").icmp(8).payload(20)));
    EXPECT_EQ(take(kAccess).packets.size(), 1U);
    EXPECT_EQ(drops(Fate::punt_limited), 5'000 - kPunt);
    expect_done();
}

TEST_F(Limits, AShareOfTheRingToControl) {
    start(edge_text({}, "{ punts_per_second: 1000000 }"));
    know_all();
    flood(kAccess, from_router(question()), 3'000);
    EXPECT_EQ(to_control(), kKnownInRing);
    EXPECT_EQ(drops(Fate::punt_full), 3'000 - kKnownInRing);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::punt_full), 3'000 - kKnownInRing);
    EXPECT_EQ(drops(Fate::punt_limited), 0U);
    // What would have to wait does not, as its circuit has no place left; another's question is heard.
    feed(kAccess, by_fabrikam(question(kOtherMac)));
    feed(kCore, clear_down(1));
    feed(kCore, fabrikams_down(2));
    poll();
    EXPECT_EQ(to_control(), kKnownInRing + 1);
    EXPECT_EQ(charged("fabrikam", Direction::to_cloud, Fate::punt_full), 0U);
    EXPECT_EQ(charged("contoso", Direction::to_customer, Fate::no_neighbour), 1U);
    EXPECT_EQ(take(kAccess).packets.size(), 1U) << "what needs no control goes on";
    settle_all();
    const auto out = take(kAccess).neighbours;
    ASSERT_FALSE(out.empty());
    const auto his = std::ranges::count_if(out, [](const Octets& frame) { return frame[4] == 2 && frame[5] == 2; });
    EXPECT_EQ(his, 1);
    expect_done();
}

TEST_F(Limits, PacketsForWhoDoesNotAnswer) {
    start();
    know_all();
    const auto free_before = rte_mempool_avail_count(pool);
    // Control has no turn for a while: what is on its way to it is all there is.
    flood(kCore, clear_down(1), 3'000);
    EXPECT_EQ(held(kCore), kInRing);
    EXPECT_EQ(drops(Fate::no_neighbour), 3'000 - kInRing);
    EXPECT_EQ(rte_mempool_avail_count(pool), free_before - kInRing);
    // 32 wait; the others go back as far as the ring takes them at once, the rest when it has room, and end by name.
    while (to_control() != 0) { serve(); }
    EXPECT_EQ(local->neighbours().held(), kMostHeldByOne);
    EXPECT_EQ(held(kCore), kInRing);
    settle_all();
    EXPECT_EQ(held(kCore), kMostHeldByOne);
    EXPECT_EQ(drops(Fate::no_neighbour), 3'000 - kMostHeldByOne);
    EXPECT_EQ(rte_mempool_avail_count(pool), free_before - kMostHeldByOne);
    // From here on the workers drop by themselves, whatever comes; another customer loses nothing meanwhile.
    for (unsigned i = 0; i < 1'000; ++i) {
        for (unsigned k = 0; k < 5; ++k) { feed(kCore, clear_down(k)); }
        feed(kCore, fabrikams_down(i));
        if (i % 100 == 99) {
            poll();
            EXPECT_EQ(to_control(), 0U);
        }
    }
    EXPECT_EQ(take(kAccess).packets.size(), 1'000U);
    EXPECT_EQ(drops(Fate::no_neighbour), 8'000 - kMostHeldByOne);
    EXPECT_EQ(charged("contoso", Direction::to_customer, Fate::no_neighbour), 8'000 - kMostHeldByOne);
    EXPECT_EQ(charged("fabrikam", Direction::to_customer, Fate::no_neighbour), 0U);
    feed_and_settle(kAccess, answer_of_router());
    EXPECT_EQ(take(kAccess).packets.size(), kMostHeldByOne);
    expect_done();
}

TEST_F(Limits, AWorkerThatIsBehind) {
    // More go back to a worker than its ring takes: none is lost.
    start();
    know_all();
    for (unsigned i = 0; i < 900; ++i) { feed(kCore, clear_down(i)); }
    poll();
    EXPECT_EQ(held(kCore), kInRing);
    EXPECT_EQ(drops(Fate::no_neighbour), 900 - kInRing);
    feed(kAccess, answer_of_router());
    poll();
    while (to_control() != 0) { serve(); }
    constexpr unsigned kBack = (kFromControl - kFromControlReserve) / 2;
    EXPECT_EQ(rings->from_control(0).waiting(), kBack);
    EXPECT_EQ(held(kCore), kInRing);
    settle_all();
    serve();
    settle_all();
    const auto out = take(kAccess).packets;
    ASSERT_EQ(out.size(), kInRing);
    // Those that found no room went back before the answer came; those that waited, behind it.
    for (unsigned i = 0; i < kInRing; ++i) {
        const auto id = static_cast<unsigned>(out[i][22 + 4] << 8U | out[i][22 + 5]);
        ASSERT_EQ(id, (i + kMostHeldByOne) % kInRing);
    }
    EXPECT_EQ(dropped(), 900 - kInRing);
    expect_done();
}

TEST_F(Limits, NoRoomForTheNote) {
    start();
    feed(kAccess, from_router(up(1)).headroom(kNoteRoom - 1));
    feed(kAccess, from_router(question()).headroom(kNoteRoom - 1));
    feed(kAccess, from_router(up(2)).headroom(kNoteRoom));
    poll();
    EXPECT_EQ(drops(Fate::no_headroom), 2U);
    EXPECT_EQ(held(kAccess), 1U);
    settle_all();
    feed_and_settle(kCore, answer_of_gateway());
    // It waited, and is too close to the start of its buffer for its encapsulation all the same, or not: by name.
    EXPECT_EQ(take(kCore).packets.size() + drops(Fate::no_headroom), 3U);
    expect_done();
}

/// A device has it beside the frame, which is to wait, or to be heard.
TEST_F(Limits, NoRoomForTheTag) {
    start();
    setups[0].inlets[kAccess].strips = true;
    for (const auto& packet : {from_router(up(1)), from_router(question())}) {
        ASSERT_EQ(rte_ring_enqueue(wires[kAccess].in[0], peerlane::test::crowded(pool, packet.octets())), 0);
        ++fed;
    }
    settle_all();
    EXPECT_EQ(drops(Fate::no_headroom), 2U);
    expect_done();
}

}  // namespace local_limits_test
}  // namespace peerlane::dataplane::test
