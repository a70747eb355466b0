// Who is charged, for what.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace counters_test {

constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;

TEST(Counters, CircuitsTunnelsPeeringsByLinkAndDirection) {
    Edge edge(kPair);
    edge.send("access0", {from_contoso(up4()), from_contoso(up6("fd00:102::1")), from_contoso(up4("10.101.0.1")),
                          from_fabrikam(up4())});
    edge.send("access1", {from_contoso_secondary(up4()), from_contoso_secondary(up4())});
    edge.send("core0", {from_gateway("v4key", down4()), from_gateway("v4key", down4("172.16.0.5")),
                        from_gateway("prod", down4()), from_gateway("v6key", down6())});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{3, 128 + 148 + 128}));
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kUp).passed, (Passed{2, 256}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).passed, (Passed{2, 128 + 148}));
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).passed, (Passed{1, 128}));
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).passed, (Passed{1, 128 + 18})) << "l2";
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kDown).passed, (Passed{1, 128 + 18}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kUp), (Passed{1, 128}));
    EXPECT_EQ(edge.tunnel("v4key", Link::secondary, kUp), (Passed{2, 256}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kDown), (Passed{1, 128}));
    EXPECT_EQ(edge.tunnel("v4key", Link::secondary, kDown), (Passed{1, 128}));
    EXPECT_EQ(edge.tunnel("v6key", Link::primary, kUp), (Passed{1, 148}));
    EXPECT_EQ(edge.tunnel("v6key", Link::primary, kDown), (Passed{1, 148}));
    EXPECT_EQ(edge.tunnel("v4none", Link::primary, kUp), (Passed{1, 128}));
    EXPECT_EQ(edge.tunnel("v6none", Link::primary, kUp), (Passed{0, 0}));
    EXPECT_EQ(edge.peering("private", Link::secondary, kUp), (Passed{2, 256}));
    EXPECT_EQ(edge.port("access0").received, 4U);
    EXPECT_EQ(edge.port("access0").sent, 4U) << "booked where it came in";
    EXPECT_EQ(edge.port("access0").transmitted, 3U) << "booked where it left";
    EXPECT_EQ(edge.port("access1").transmitted, 1U);
    EXPECT_EQ(edge.port("core0").transmitted, 6U);
}

TEST(Counters, AnswersAreTalliedOnTheirWay) {
    Edge edge(kPair);
    edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8).payload(72))});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).passed, (Passed{1, 100}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{0, 0})) << "punted";
    edge.send("core0", {from_gateway("v4key", Packet().ip4("10.100.0.1", "172.16.0.2").icmp(8).payload(72))});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{1, 100}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kUp), (Passed{1, 100}));
    EXPECT_EQ(edge.port("access0").originated, 1U);
    EXPECT_EQ(edge.port("core0").originated, 1U);
}

TEST(Counters, DropsOnTheLinkTheyCameInBy) {
    Edge edge(kPair);
    edge.send("access1", {from_contoso_secondary(up4("10.100.0.1", "11.0.0.1"))});
    edge.send("core0",
              {from_gateway("v4key", Packet(down4("172.16.0.5")).ttl(1)), from_gateway("v4key", down4("10.77.0.1"))});
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kUp).dropped(Fate::source_not_accepted), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).dropped(Fate::source_not_accepted), 0U);
    // From the cloud the home link stands for the circuit until there is a route.
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).dropped(Fate::ttl_expired), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).dropped(Fate::no_route), 1U);
}

TEST(Counters, ATransmitterThatIsFull) {
    Edge edge(kPair);
    edge.refuse = [](const Output& output) { return output.reply || output.slot == 1; };
    const auto sent =
        edge.send("access0", {from_contoso(up4()), from_contoso(up4()), from_contoso(Packet(up4()).ttl(1))});
    EXPECT_EQ(sent.fates, (std::vector{Fate::sent, Fate::tx_full, Fate::ttl_expired}));
    EXPECT_EQ(sent.out.size(), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{1, 128}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).passed, (Passed{0, 0}));
    EXPECT_EQ(edge.port("access0").originated, 1U);
    EXPECT_EQ(edge.drops(Fate::tx_full), 2U);
    // One piece of two.
    unsigned outputs = 0;
    edge.refuse = [&](const Output&) { return outputs++ == 1; };
    EXPECT_EQ(edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1580))}).out.size(),
              1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{2, 128 + 1600}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kUp).packets, 2U) << "what left through the tunnel";
    EXPECT_EQ(edge.drops(Fate::tx_full), 3U);
}

TEST(Counters, SurviveAReloadAndStartAnewForTheNew) {
    Edge edge(kPair);
    edge.send("access0", {from_contoso(up4()), from_fabrikam(up4()), from_contoso(up4("10.100.0.1", "11.0.0.1"))});
    std::string without(kPair);
    without.resize(without.find("  - name: fabrikam"));
    edge.reload(without);
    EXPECT_EQ(edge.send("access0", {from_fabrikam(up4())}).fate(), Fate::unknown_vlan);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{1, 128}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).dropped(Fate::source_not_accepted), 1U);
    edge.reload(kPair);
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).passed, (Passed{0, 0})) << "it comes back as a new one";
    edge.send("access0", {from_contoso(up4()), from_fabrikam(up4())});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{2, 256}));
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).passed, (Passed{1, 146}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kUp), (Passed{2, 256}));
}

}  // namespace counters_test
}  // namespace peerlane::test
