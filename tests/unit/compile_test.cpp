// Model to snapshot: what a reload keeps, shares, changes and forgets.
#include "dataplane/tables/compile.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::string_view kPorts = R"(
ports:
  a0: { role: access, mtu: 1500 }
  c0: { role: core, mtu: 1600, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  a1: { role: access, mtu: 1500 }
customers:
)";
std::string customer(const std::string& name, int vlan, const std::string& bandwidth = "10 Mbps",
                     const std::string& prefix = "10.100.0.0/16") {
    return "  - { name: " + name + ", circuits: [ { name: x, port: a0, bandwidth: " + bandwidth +
           ", burst: 64 kB, peerings: [ { type: private, vlan: " + std::to_string(vlan) +
           ", subnet: 172.16.0.0/30, customer_prefixes: [10.0.0.0/16], virtual_networks: [ { name: n, prefixes: [" +
           prefix + "], tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: " + std::to_string(vlan) +
           " } } ] } ] } ] }\n";
}

/// A circuit over two access ports, or one half of it.
std::string circuit_over(const std::string& links) {
    return "  - { name: p, circuits: [ { name: x, links: { " + links + R"( }, bandwidth: 10 Mbps, peerings: [
    { type: private, vlan: 30, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
      subnets6: { primary: "fd00:172::/126", secondary: "fd00:172::4/126" },
      customer_prefixes: [10.0.0.0/16, "fd00:10::/48"],
      virtual_networks: [ { name: n, prefixes: [10.100.0.0/16, "fd00:100::/48"],
                            tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 30 } } ] } ] } ] }
)";
}

class Compile : public testing::Test {
  protected:
    const Snapshot& publish(const std::string& customers, Nanoseconds now = 0) {
        snapshots_.push_back(built(customers, now));
        state_.commit();
        return *snapshots_.back();
    }
    /// Compiled, and never published: what came after it failed.
    void abandon(const std::string& customers) { built(customers, 0); }
    std::unique_ptr<Snapshot> built(const std::string& customers, Nanoseconds now) {
        auto loaded = config::load_text(std::string(kPorts) + customers, "test.yaml");
        EXPECT_TRUE(loaded.ok());
        CompileOptions options;
        options.now = now;
        return compile(loaded.model, state_, snapshots_.empty() ? nullptr : snapshots_.back().get(), options);
    }
    static std::uint32_t slot(const Snapshot& snapshot, std::string_view name) {
        for (const auto& circuit : snapshot.names.circuits) {
            if (circuit.customer == name) { return circuit.slot; }
        }
        return ~0U;
    }
    State state_{1};
    std::vector<std::unique_ptr<Snapshot>> snapshots_;
};

TEST_F(Compile, SharesWhatDidNotChange) {
    const auto& first = publish(customer("a", 10) + customer("b", 11));
    const auto& second = publish(customer("b", 11) + customer("a", 10, "10 Mbps", "10.101.0.0/16"));
    for (const char* name : {"a", "b"}) { EXPECT_EQ(slot(first, name), slot(second, name)); }
    const auto a = second.names.circuits[1].slot;
    const auto b = second.names.circuits[0].slot;
    EXPECT_EQ(first.vrfs[b], second.vrfs[b]);
    EXPECT_NE(first.vrfs[a], second.vrfs[a]);
    EXPECT_EQ(first.vrfs[a]->routes6, second.vrfs[a]->routes6) << "the other family's table";
    EXPECT_TRUE(second.retunes.empty());
}

TEST_F(Compile, KeepsBucketLevelsAndRetunes) {
    const auto& first = publish(customer("a", 10) + customer("b", 11), 1000);
    const auto cell = circuit_cell(slot(first, "a"), Link::primary, Direction::to_cloud);
    EXPECT_EQ(state_.circuit_buckets[cell].bucket.level, 64'000 * meter::kUnitsPerByte);
    state_.circuit_buckets[cell].bucket.level = 7;
    const auto& second = publish(customer("a", 10, "20 Mbps") + customer("b", 11), 2000);
    EXPECT_EQ(state_.circuit_buckets[cell].bucket.level, 7U) << "the worker settles it, not the compiler";
    ASSERT_EQ(second.retunes.size(), 2U) << "both directions of one link";
    EXPECT_EQ(second.retunes[0].bucket, cell);
    EXPECT_EQ(second.retunes[0].from.rate, 10'000'000U);
    EXPECT_EQ(second.retunes[0].to.rate, 20'000'000U);
}

TEST_F(Compile, ForgetsCountersOfTheNewOnly) {
    const auto& first = publish(customer("a", 10) + customer("b", 11));
    const auto a = slot(first, "a");
    const auto b = slot(first, "b");
    const auto cell = [](std::uint32_t of) { return circuit_cell(of, Link::primary, Direction::to_cloud); };
    for (const auto of : {a, b}) { state_.workers[0]->circuit_drops[cell(of)].packets[0] = 5; }
    publish(customer("a", 10));
    publish(customer("a", 10));
    publish(customer("a", 10));
    const auto& last = publish(customer("a", 10) + customer("c", 11));
    EXPECT_EQ(slot(last, "c"), b) << "reused";
    EXPECT_EQ(state_.workers[0]->circuit_drops[cell(a)].packets[0], 5U);
    EXPECT_EQ(state_.workers[0]->circuit_drops[cell(b)].packets[0], 0U);
}

TEST_F(Compile, AFailedCompilationChangesNothing) {
    publish(customer("a", 10));
    auto loaded = config::load_text(std::string(kPorts) + customer("b", 11), "test.yaml");
    ASSERT_TRUE(loaded.ok());
    compile(loaded.model, state_, snapshots_.back().get(), {});  // and thrown away
    const auto& again = publish(customer("a", 10));
    EXPECT_EQ(slot(again, "a"), slot(*snapshots_.front(), "a"));
    EXPECT_TRUE(again.retunes.empty());
}

TEST_F(Compile, TunnelMtuIsWhatIsLeft) {
    const auto& snapshot = publish(customer("a", 10));
    const auto tunnel = snapshot.names.tunnels[0].slot;
    EXPECT_EQ(snapshot.tunnels[tunnel].mtu, 1600 - 20 - 8);
    EXPECT_EQ(snapshot.tunnels[tunnel].header_length, 14 + 20 + 8);
}

TEST_F(Compile, OnlyAPairsPrefixesAskForALink) {
    using enum route::Kind;
    constexpr auto both = route::kAcceptPrimary | route::kAcceptSecondary;
    struct Expected {
        std::string links;
        route::Kind kind;
        std::uint32_t link;  // of the index
    };
    for (const auto& [links, kind, link] :
         {Expected{"primary: a0, secondary: a1", pair, 0}, Expected{"secondary: a1, primary: a0", pair, 0},
          Expected{"primary: a0", customer, 0}, Expected{"secondary: a1", customer, 1}}) {
        SCOPED_TRACE(links);
        const auto& snapshot = publish(circuit_over(links));
        const auto peering = snapshot.names.peerings[0].slot;
        const auto& vrf = *snapshot.vrfs[peering];
        const auto prefix = route::make(kind, peering * kLinks + link) | both;
        EXPECT_EQ(table::find(vrf.routes4.get(), Ip4{0x0a00'0001}), prefix);
        EXPECT_EQ(table::find(vrf.routes6.get(), Ip6{0xfd00'0010'0000'0000, 1}), prefix);
        const auto tunnel = table::find(vrf.routes4.get(), Ip4{0x0a64'0001});
        EXPECT_EQ(route::kind(tunnel), route::Kind::tunnel);
        if (kind != pair) { continue; }
        for (const auto side : {Link::primary, Link::secondary}) {
            const std::uint32_t at = raw(side);
            const auto connected = route::make(customer, peering * kLinks + at) | route::accept_bit(side);
            EXPECT_EQ(table::find(vrf.routes4.get(), Ip4{0xac10'0001 + 4 * at}), connected);
            EXPECT_EQ(table::find(vrf.routes6.get(), Ip6{0xfd00'0172'0000'0000, 1 + 4 * at}), connected);
            EXPECT_EQ(state_.links_alive[peering * kLinks + at], alive::kV4 | alive::kV6) << "until control knows";
        }
    }
}

TEST_F(Compile, WhatIsKnownOfLinksOutlivesAReload) {
    const auto both = "primary: a0, secondary: a1";
    const auto index = publish(circuit_over(both)).names.peerings[0].slot * kLinks;
    state_.links_alive[index] = 0;
    const auto& again = publish(circuit_over(both) + customer("b", 11));
    EXPECT_EQ(again.names.peerings[0].slot * kLinks, index);
    EXPECT_EQ(state_.links_alive[index], 0);
    EXPECT_EQ(state_.links_alive[index + 1], alive::kV4 | alive::kV6);
}

TEST_F(Compile, MarksOutliveReloadsThatFailed) {
    const auto mark = [](const Snapshot& snapshot, std::size_t i) {
        return snapshot.peerings[snapshot.names.peerings[i].slot].mark;
    };
    const auto first = mark(publish(customer("a", 10)), 0);
    const auto three = customer("a", 10) + customer("b", 11) + customer("c", 12);
    abandon(three);
    const auto& now = publish(three);  // b and c are not new, and were in no snapshot before
    EXPECT_EQ(mark(now, 0), first);
    EXPECT_NE(mark(now, 1), first);
    EXPECT_NE(mark(now, 2), first);
    EXPECT_NE(mark(now, 1), mark(now, 2));
    EXPECT_NE(mark(now, 1), 0U);
    const auto second = mark(now, 1);
    EXPECT_EQ(mark(publish(three), 1), second);
}

TEST_F(Compile, MacsOfDevicesAndOfReplay) {
    auto loaded = config::load_text(kPorts, "test.yaml");
    const auto replay = compile(loaded.model, state_, nullptr, {});
    EXPECT_EQ(to_string(replay->ports[1].mac_address), "02:00:00:00:00:01");
    EXPECT_EQ(replay->ports[1].mac_mask, 0U) << "any is ours";
    CompileOptions live;
    live.device_macs = {*parse_mac("02:00:00:00:0a:00"), *parse_mac("02:00:00:00:0a:01"),
                        *parse_mac("02:00:00:00:0a:02")};
    ASSERT_EQ(live.device_macs.size(), loaded.model.ports.size());
    const auto run = compile(loaded.model, state_, nullptr, live);
    EXPECT_EQ(to_string(run->ports[1].mac_address), "02:00:00:00:0a:01");
    EXPECT_EQ(run->ports[1].mac, 0x010a'0000'0002U);
    EXPECT_EQ(run->ports[1].mac_mask, 0xffff'ffff'ffffU);
}

}  // namespace
}  // namespace peerlane::dataplane
