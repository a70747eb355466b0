// Packets that wait for their next hop: on every way, in order, counted once, and nowhere else after a reload.
#include "tests/unit/local_case.hpp"

namespace peerlane::dataplane::test {
namespace local_test {

using peerlane::test::hop;

constexpr Nanoseconds kSecond = 1'000'000'000;

/// The customer's packet number `id`: to the clear tunnel, the protected one, or back to itself.
Packet up(unsigned id, const char* to = "10.101.0.1") {
    return Packet().ip4("10.0.0.1", to).id(id).udp().payload(40);
}
Packet down(unsigned id) {
    return Packet().ip4("10.100.0.1", "10.0.0.1").id(id).udp().payload(40);
}
Packet clear_down(unsigned id) {
    return from_gateway(Packet().ip4("198.51.100.8", "192.0.2.1").gre(1).then(down(id)));
}
Packet in_clear(unsigned id) {
    return Packet()
        .ether(peerlane::test::kGatewayMac, kOwnMacs[kCore])
        .ip4("192.0.2.1", "198.51.100.8")
        .df()
        .gre(1)
        .then(hop(up(id)));
}
Packet at_router(const Packet& ip, const char* mac = kRouterMac) {
    return Packet().ether(mac, kOwnMacs[kAccess]).tag(100).tag(10).then(ip);
}

std::vector<Octets> frames(const std::vector<Packet>& packets) {
    std::vector<Octets> all;
    for (const auto& one : packets) { all.push_back(one.octets()); }
    return all;
}

TEST_F(Local, ToCloudForTheGateway) {
    start();
    for (unsigned i = 0; i < 10; ++i) { feed(kAccess, from_router(up(i))); }
    poll();
    EXPECT_EQ(held(kAccess), 10U);
    EXPECT_EQ(sum(kAccess, &PortCounters::received), 10U);
    serve();
    EXPECT_EQ(local->neighbours().held(), 10U);
    poll();
    auto out = take(kCore);
    EXPECT_TRUE(out.packets.empty());
    ASSERT_EQ(out.neighbours.size(), 2U) << "the gateway is asked for, in both families";
    feed_and_settle(kCore, answer_of_gateway());
    out = take(kCore);
    ASSERT_EQ(out.packets.size(), 10U);
    for (unsigned i = 0; i < 10; ++i) { EXPECT_EQ(out.packets[i], in_clear(i).octets()) << i; }
    feed_and_settle(kAccess, from_router(up(10)));
    EXPECT_EQ(take(kCore).packets, frames({in_clear(10)})) << "known from now on";
    EXPECT_EQ(dropped(), 0U);
    const auto tally = read(state->workers[0]->tallies[tally::tunnel(1, Link::primary, Direction::to_cloud)].packets);
    EXPECT_EQ(tally, 11U) << "each once";
    expect_done();
}

TEST_F(Local, ToCloudIntoEsp) {
    start();
    for (unsigned i = 0; i < 5; ++i) { feed(kAccess, from_router(up(i, "10.100.0.1"))); }
    settle_all();
    EXPECT_EQ(held(kAccess), 5U);
    feed_and_settle(kCore, answer_of_gateway());
    const auto out = take(kCore).packets;
    ASSERT_EQ(out.size(), 5U);
    for (unsigned i = 0; i < 5; ++i) {
        EXPECT_EQ(Octets(out[i].begin(), out[i].begin() + 6), Octets({2, 0, 0, 0, 0, 0xfe}));
        const auto got = peerlane::test::unseal(Vpn{}.own(true), peerlane::test::esp_in(out[i]));
        ASSERT_TRUE(got);
        EXPECT_EQ(got->sequence, i + 1) << "numbered when it goes, not when it comes";
        EXPECT_EQ(got->payload, Vpn{}.payload(Vpn{}.delivery(true, hop(up(i, "10.100.0.1")))));
    }
    expect_done();
}

TEST_F(Local, ToCustomerInClearAndFromEsp) {
    start();
    for (unsigned i = 0; i < 4; ++i) {
        feed(kCore, clear_down(2 * i));
        feed(kCore, Vpn{}.down(i + 1, down(2 * i + 1)));
    }
    feed(kCore, Vpn{}.down(1, down(1)));  // a copy, while the original waits
    settle_all();
    EXPECT_EQ(held(kCore), 8U);
    EXPECT_EQ(drops(Fate::esp_replayed), 1U);
    EXPECT_TRUE(take(kAccess).packets.empty());
    feed_and_settle(kAccess, answer_of_router(kOtherMac));
    const auto out = take(kAccess).packets;
    ASSERT_EQ(out.size(), 8U);
    for (unsigned i = 0; i < 8; ++i) { EXPECT_EQ(out[i], at_router(hop(down(i)), kOtherMac).octets()) << i; }
    feed_and_settle(kCore, Vpn{}.down(2, down(3)));
    EXPECT_EQ(drops(Fate::esp_replayed), 2U) << "opened once, when it came";
    EXPECT_EQ(dropped(), 2U);
    expect_done();
}

TEST_F(Local, BackToTheCustomer) {
    start();
    for (unsigned i = 0; i < 3; ++i) { feed(kAccess, from_router(up(i, "10.0.0.9"))); }
    settle_all();
    EXPECT_EQ(held(kAccess), 3U);
    feed_and_settle(kAccess, answer_of_router());
    const auto out = take(kAccess).packets;
    ASSERT_EQ(out.size(), 3U);
    for (unsigned i = 0; i < 3; ++i) { EXPECT_EQ(out[i], at_router(hop(up(i, "10.0.0.9"))).octets()); }
    expect_done();
}

TEST_F(Local, NobodyAnswers) {
    start();
    for (unsigned i = 0; i < 3; ++i) {
        feed(kAccess, from_router(up(i)));
        feed(kCore, clear_down(i));
    }
    settle_all();
    EXPECT_EQ(held(kAccess) + held(kCore), 6U);
    for (int i = 0; i < 2; ++i) {
        serve(kSecond);
        poll();
        EXPECT_EQ(held(kAccess) + held(kCore), 6U);
    }
    serve(kSecond);
    poll();
    EXPECT_EQ(drops(Fate::no_neighbour), 12U) << "the errors about them can go nowhere either";
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::no_neighbour), 3U);
    EXPECT_EQ(charged("contoso", Direction::to_customer, Fate::no_neighbour), 3U);
    feed_and_settle(kCore, clear_down(9));
    EXPECT_EQ(drops(Fate::no_neighbour), 14U) << "nothing waits for who does not answer";
    EXPECT_TRUE(take(kAccess).packets.empty() && take(kCore).packets.empty());
    expect_done();
}

/// What control makes is on its way to a worker while a reload gives the tags to somebody else, or to nobody.
TEST_F(Local, FramesOfItsOwnLeaveOnlyWithTheTagsOfTheSamePeering) {
    start();
    const auto renamed = [](const std::string& before, const std::string& to) {
        auto text = edge_text();
        for (auto at = text.find(before); at != std::string::npos; at = text.find(before)) {
            text.replace(at, before.size(), to);
        }
        return text;
    };
    settle_all();
    EXPECT_EQ(take(kAccess).neighbours.size(), 4U) << "two customers are asked for, two families each";
    serve(kSecond);
    publish(renamed("contoso", "wingtip"));
    poll();
    EXPECT_EQ(drops(Fate::tags_reassigned), 2U) << "contoso's questions are not wingtip's";
    EXPECT_EQ(take(kAccess).neighbours.size(), 2U) << "fabrikam's";
    const auto originated = sum(kAccess, &PortCounters::originated);
    feed(kAccess, from_router(arp(true, kRouterMac, "172.16.0.1", "172.16.0.2")));
    poll();
    serve();
    publish(renamed("vlan: 10\n", "vlan: 12\n"));
    poll();
    EXPECT_GT(sum(kAccess, &PortCounters::originated), originated);
    EXPECT_EQ(drops(Fate::tags_reassigned), 2U + 5U) << "an answer, two questions and two announcements for nobody";
    EXPECT_TRUE(take(kAccess).neighbours.empty());
    settle_all();
    expect_done();
}

TEST_F(Local, EachFamilyAndEachCustomerWaitsForItsOwn) {
    start();
    feed(kCore, clear_down(1));
    feed(kCore, Vpn{}.down(1, Packet().ip6("fd00:100::1", "fd00:10::1").udp().payload(40)));
    feed(kCore, from_gateway(Packet().ip4("198.51.100.10", "192.0.2.1").gre(7).then(down(2))));
    settle_all();
    EXPECT_EQ(held(kCore), 3U);
    feed_and_settle(kAccess, by_fabrikam(arp(false, kOtherMac, "172.16.0.1", "172.16.0.2")));
    auto out = take(kAccess).packets;
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0], Packet().ether(kOtherMac, kOwnMacs[kAccess]).tag(100).then(hop(down(2))).octets());
    EXPECT_EQ(held(kCore), 2U);
    feed_and_settle(kAccess, answer_of_router());
    EXPECT_EQ(take(kAccess).packets, frames({at_router(hop(down(1)))}));
    EXPECT_EQ(held(kCore), 1U);
    // IPv6, by its own question.
    const auto asks = Packet().ip6("fd00:172::1", "fd00:172::2").ttl(255).icmp6(135, 0, 0).payload([] {
        auto octets = peerlane::test::address("fd00:172::2");
        const Octets option{1, 1, 2, 0, 0, 0, 1, 1};
        octets.insert(octets.end(), option.begin(), option.end());
        return octets;
    }());
    feed_and_settle(kAccess, from_router(asks));
    out = take(kAccess).packets;
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(held(kCore), 0U);
    EXPECT_EQ(dropped(), 0U);
    expect_done();
}

TEST_F(Local, AReloadThatKeepsTheTunnelKeepsThePackets) {
    start();
    feed(kAccess, from_router(up(1)));
    feed(kCore, clear_down(2));
    feed(kCore, Vpn{}.down(1, down(3)));
    settle_all();
    publish(edge_text({}, "{ icmp_errors_per_second: 7 }", false));
    settle_all();
    EXPECT_EQ(held(kAccess) + held(kCore), 3U);
    feed_and_settle(kAccess, answer_of_router());
    feed_and_settle(kCore, answer_of_gateway());
    EXPECT_EQ(take(kCore).packets, frames({in_clear(1)}));
    EXPECT_EQ(take(kAccess).packets, frames({at_router(hop(down(2))), at_router(hop(down(3)))}));
    EXPECT_EQ(dropped(), 0U);
    expect_done();
}

/// Everything of contoso's that waits, and after a reload its neighbours answer.
class Reloaded : public Local {
  protected:
    /// What is nobody's is on nobody's account: not the old owner's, who is gone, nor the new one's, nor whosever
    /// circuit had the packet's place in the burst before.
    void expect_nobody_charged() const {
        for (const auto& worker : state->workers) {
            for (std::uint32_t cell = 0; cell < state->circuits.end() * 4; ++cell) {
                for (const auto count : worker->circuit_drops[cell].packets) { EXPECT_EQ(count, 0U) << cell; }
            }
        }
    }
    void wait_and_reload(const std::string& yaml) {
        start();
        feed(kAccess, from_router(up(1)));
        feed(kAccess, from_router(up(2, "10.100.0.1")));
        feed(kAccess, from_router(up(3, "10.0.0.9")));
        feed(kCore, clear_down(4));
        feed(kCore, Vpn{}.down(1, down(5)));
        settle_all();
        ASSERT_EQ(held(kAccess) + held(kCore), 5U);
        publish(yaml);
        settle_all();
        feed_and_settle(kAccess, answer_of_router());
        feed_and_settle(kCore, answer_of_gateway());
    }
};

TEST_F(Reloaded, OtherKeys) {
    // The same SPIs, tunnels and tags; the keys are others. What was opened under the old one goes nowhere.
    wait_and_reload(edge_text({.outbound = {{.spi = 0x1001, .mark = 11}}, .inbound = {{.spi = 0x2001, .mark = 12}}}));
    EXPECT_EQ(drops(Fate::no_neighbour), 1U);
    EXPECT_EQ(dropped(), 1U);
    EXPECT_EQ(take(kAccess).packets.size(), 2U);
    const auto out = take(kCore).packets;
    ASSERT_EQ(out.size(), 2U);
    EXPECT_TRUE(peerlane::test::unseal({.spi = 0x1001, .mark = 11}, peerlane::test::esp_in(out[1]))) << "the new key";
    expect_done();
}

TEST_F(Reloaded, ProtectedNoMore) {
    wait_and_reload(edge_text({.clear = true}));
    EXPECT_EQ(dropped(), 1U) << "what came by ESP belongs to no clear tunnel";
    EXPECT_EQ(drops(Fate::no_neighbour) + drops(Fate::esp_wrong_tunnel), 1U);
    expect_done();
}

TEST_F(Reloaded, TheCustomerIsGone) {
    auto yaml = edge_text();
    const auto begin = yaml.find("  - name: contoso");
    yaml.erase(begin, yaml.find("  - { name: fabrikam") - begin);
    wait_and_reload(yaml);
    EXPECT_EQ(drops(Fate::unknown_vlan), 3U + 1) << "and the router's own answer";
    EXPECT_EQ(drops(Fate::unknown_tunnel), 1U);
    EXPECT_EQ(drops(Fate::no_neighbour), 1U) << "from ESP";
    EXPECT_TRUE(take(kAccess).packets.empty()) << "nothing to fabrikam, who has the same addresses";
    EXPECT_TRUE(take(kCore).packets.empty());
    expect_done();
}

TEST_F(Reloaded, TheTunnelIsAnothersNow) {
    // Fabrikam's tunnel has the identity and the SPI that contoso's had, under a key of its own.
    auto yaml = edge_text({.outbound = {{.spi = 0x1001, .mark = 11}}, .inbound = {{.spi = 0x2001, .mark = 12}}});
    const auto swap = [&](std::string_view a, std::string_view b) { yaml.replace(yaml.find(a), a.size(), b); };
    swap("name: contoso", "name: stranger");
    swap("service_vlan: 100", "service_vlan: 101");
    start();
    feed(kCore, Vpn{}.down(1, down(5)));
    settle_all();
    publish(yaml);
    settle_all();
    for (const auto* mac : {kRouterMac, kOtherMac}) {
        feed_and_settle(
            kAccess,
            Packet().ether(kOwnMacs[kAccess], mac).tag(101).tag(10).then(arp(false, mac, "172.16.0.1", "172.16.0.2")));
    }
    EXPECT_TRUE(take(kAccess).packets.empty());
    EXPECT_EQ(drops(Fate::no_neighbour), 1U);
    expect_done();
}

TEST_F(Reloaded, TagsAndKeyAreAnothersNow) {
    // The same octets on every wire, but another customer has them.
    auto yaml = edge_text();
    const std::string_view name = "name: contoso";
    yaml.replace(yaml.find(name), name.size(), "name: stranger");
    wait_and_reload(yaml);
    EXPECT_EQ(drops(Fate::no_neighbour), 5U) << "contoso's packets are not the stranger's";
    expect_nobody_charged();
    EXPECT_TRUE(take(kAccess).packets.empty());
    EXPECT_TRUE(take(kCore).packets.empty());
    feed(kAccess, from_router(up(6)));
    feed_and_settle(kCore, clear_down(7));
    EXPECT_EQ(take(kAccess).packets.size(), 1U);
    EXPECT_EQ(take(kCore).packets.size(), 1U);
    EXPECT_EQ(dropped(), 5U);
    expect_done();
}

TEST_F(Reloaded, ManyTimesWhileItWaits) {
    start();
    feed(kCore, Vpn{}.down(1, down(1)));
    settle_all();
    // Slots of SAs go round meanwhile: the packet's is another key's by then.
    for (unsigned i = 0; i < 8; ++i) {
        publish(edge_text(
            {.outbound = {{.spi = 0x1001, .mark = 20 + 2 * i}}, .inbound = {{.spi = 0x2001, .mark = 21 + 2 * i}}}));
        settle_all();
        EXPECT_EQ(held(kCore), 1U);
    }
    feed_and_settle(kAccess, answer_of_router());
    EXPECT_TRUE(take(kAccess).packets.empty());
    EXPECT_EQ(dropped(), 1U);
    expect_done();
}

TEST_F(Local, BackToTheWorkerThatHadThem) {
    start(edge_text(), 2);
    for (unsigned i = 0; i < 6; ++i) { feed(kCore, clear_down(i), i % 2); }
    settle_all();
    EXPECT_EQ(held(kCore), 6U);
    feed_and_settle(kAccess, answer_of_router());
    EXPECT_EQ(take(kAccess).packets.size(), 6U);
    for (const auto& worker : state->workers) {
        EXPECT_EQ(worker->ports[kCore].sent, 3U + worker->ports[kCore].originated);
    }
    expect_done();
}

TEST_F(Local, TheEndComesWhileTheyWait) {
    start();
    for (unsigned i = 0; i < 5; ++i) { feed(kCore, clear_down(i)); }
    settle_all();
    for (unsigned i = 0; i < 5; ++i) { feed(kAccess, from_router(up(i))); }
    poll();
    EXPECT_EQ(held(kCore) + held(kAccess), 10U);
}  // TearDown() misses no buffer

}  // namespace local_test
}  // namespace peerlane::dataplane::test
