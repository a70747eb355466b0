// One customer floods by 400 links, each within its limits: what control hears of others, and what of theirs waits, is
// not less for it, and he is charged with what is dropped.
#include "tests/unit/local_case.hpp"

namespace peerlane::dataplane::test {
namespace local_share_test {

constexpr unsigned kLinksOfOne = 400;
constexpr const char* kVictim = "02:00:00:00:03:03";  // contoso's router

/// contoso: a pair. many: 400 circuits with the same addresses. Nobody's MAC is configured.
std::string crowd() {
    std::string text = R"(
ports:
  access0: { role: access, mtu: 1500 }
  core0: { role: core, mtu: 1600, address: 192.0.2.1/24, gateway: 192.0.2.254 }
  access1: { role: access, mtu: 1500 }
customers:
  - { name: contoso, circuits: [ { name: pair, links: { primary: access0, secondary: access1 }, bandwidth: 1 Gbps,
      peerings: [ { type: private, vlan: 100, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
      customer_prefixes: [10.0.0.0/16], virtual_networks: [ { name: n, prefixes: [10.100.0.0/16],
      tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 7 } } ] } ] } ] }
  - name: many
    circuits:
)";
    for (unsigned i = 0; i < kLinksOfOne; ++i) {
        const auto n = std::to_string(1000 + i);
        text +=
            "      - { name: c" + n + ", port: access0, bandwidth: 1 Gbps, peerings: [ { type: private, vlan: " + n +
            ", subnet: 172.16.0.0/30, customer_prefixes: [10.0.0.0/16], virtual_networks: [ { name: n, " +
            "prefixes: [10.100.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.8, key: " + n + " } } ] } ] }\n";
    }
    return text;
}
Packet behind(unsigned vlan, const Packet& body, const char* mac = kRouterMac) {
    return Packet().ether(kOwnMacs[kAccess], mac).tag(vlan).then(body);
}
Packet up(unsigned id) {
    return Packet().ip4("10.0.0.1", "10.100.0.1").id(id).udp().payload(40);
}
Packet down(const char* gateway, unsigned key) {
    const auto inner = Packet().ip4("10.100.0.1", "10.0.0.1").udp().payload(40);
    return from_gateway(Packet().ip4(gateway, "192.0.2.1").gre(key).then(inner));
}

class LocalShare : public Local {
  protected:
    [[nodiscard]] std::uint64_t lost(std::string_view customer, Fate reason) const {
        std::uint64_t sum = 0;
        for (const auto& one : snapshots.back()->names.circuits) {
            if (one.customer != customer) { continue; }
            for (unsigned cell = 0; cell < 4; ++cell) {
                sum += read(state->workers[0]
                                ->circuit_drops[one.slot * 4 + cell]
                                .packets[kCircuitReason[reason_index(reason)]]);
            }
        }
        return sum;
    }
    /// The same from each link of `many`.
    void flood(const Packet& body, const char* mac) {
        for (unsigned i = 0; i < kLinksOfOne; ++i) { feed(kAccess, behind(1000 + i, body, mac)); }
        poll();
    }
    /// Nobody has a place any more.
    void expect_free() {
        for (std::uint32_t peering = 0; peering <= kLinksOfOne; ++peering) {
            const auto payer = payer_of(*snapshots.back(), peering);
            for (const Shares* shares :
                 {&rings->to_control().shares(), &rings->from_control(0).shares(), &rings->held().shares()}) {
                ASSERT_EQ(shares->places(payer).circuit, 0U);
                ASSERT_EQ(shares->places(payer).customer, 0U);
            }
        }
        EXPECT_EQ(rings->held().used(), 0U);
    }
};

TEST_F(LocalShare, NeighboursOfOthersAreHeard) {
    start(crowd(), 1, 3);
    setups[0].local.taps = 1U << kAccess;
    constexpr unsigned kRounds = 8;
    for (unsigned round = 0; round < kRounds; ++round) {
        // Strangers, the routers themselves, and packets for the edge; control has no turn meanwhile.
        flood(arp(true, kOtherMac, "172.16.0.99", "172.16.0.2"), kOtherMac);
        flood(Packet().ip4("172.16.0.1", "172.16.0.2").udp(179, 179).payload(20), kRouterMac);
        flood(arp(true, kRouterMac, "172.16.0.1", "172.16.0.2"), kRouterMac);
        feed(kAccess, behind(100, arp(true, kVictim, "172.16.0.1", "172.16.0.2"), kVictim));
        feed(
            kSecond,
            Packet().ether("02:00:00:00:00:02", kVictim).tag(100).then(arp(true, kVictim, "172.16.0.5", "172.16.0.6")));
        feed(kCore, from_gateway(arp(true, peerlane::test::kGatewayMac, "192.0.2.254", "192.0.2.1")));
        poll();
    }
    EXPECT_GT(drops(Fate::punt_full), kRounds * kLinksOfOne);
    EXPECT_EQ(lost("many", Fate::punt_full), drops(Fate::punt_full));
    EXPECT_EQ(drops(Fate::punt_limited), 0U) << "each link keeps to its limits";
    EXPECT_EQ(lost("contoso", Fate::punt_full), 0U);
    settle_all();
    const auto answers = [&](unsigned port, const Octets& mac) {
        const auto out = take(port).neighbours;
        return std::ranges::count_if(
            out, [&](const Octets& frame) { return std::equal(mac.begin(), mac.end(), frame.begin()); });
    };
    EXPECT_EQ(answers(kAccess, {2, 0, 0, 0, 3, 3}), kRounds);
    EXPECT_EQ(answers(kSecond, {2, 0, 0, 0, 3, 3}), kRounds);
    EXPECT_EQ(answers(kCore, {2, 0, 0, 0, 0, 0xfe}), kRounds);
    expect_free();
}

TEST_F(LocalShare, PacketsOfOthersMayWait) {
    start(crowd(), 1, 3);
    settle_all();
    take(kAccess);
    // All wait for the gateway; then packets to routers that do not answer.
    constexpr unsigned kHis = 20;
    for (unsigned round = 0; round < 5; ++round) {
        flood(up(round), kRouterMac);
        if (round % 2 == 1) { serve(); }
    }
    for (unsigned i = 0; i < kLinksOfOne; ++i) { feed(kCore, down("198.51.100.8", 1000 + i)); }
    poll();
    const auto before = lost("many", Fate::no_neighbour);
    EXPECT_GT(before, 0U) << "more than his share";
    for (unsigned i = 0; i < kHis; ++i) { feed(kAccess, behind(100, up(i), kVictim)); }
    feed(kCore, down("198.51.100.7", 7));
    settle_all();
    EXPECT_EQ(lost("contoso", Fate::no_neighbour), 0U);
    feed_and_settle(kCore, answer_of_gateway());
    feed_and_settle(kAccess, behind(100, arp(false, kVictim, "172.16.0.1", "172.16.0.2"), kVictim));
    feed_and_settle(
        kSecond,
        Packet().ether("02:00:00:00:00:02", kVictim).tag(100).then(arp(false, kVictim, "172.16.0.5", "172.16.0.6")));
    std::size_t his = 0;
    for (const auto& frame : take(kCore).packets) { his += frame.at(33) == 7 ? 1U : 0U; }
    EXPECT_EQ(his, kHis) << "none is lost";
    EXPECT_EQ(take(kAccess).packets.size() + take(kSecond).packets.size(), 1U);
    EXPECT_EQ(lost("contoso", Fate::no_neighbour), 0U);
    // Routers that never answer let go of their packets in the end.
    for (unsigned second = 0; second < 8; ++second) {
        serve(1'000'000'000);
        settle_all();
    }
    EXPECT_EQ(lost("many", Fate::no_neighbour), drops(Fate::no_neighbour));
    expect_done();
    expect_free();
}

}  // namespace local_share_test
}  // namespace peerlane::dataplane::test
