// Who is charged, for what; and a case for every reason to drop.
#include <map>
#include <set>

#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace {

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
    // From the cloud, before a bucket is asked, the home link stands for the circuit.
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).dropped(Fate::ttl_expired), 1U);
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

/// One frame that ends for each reason; the fixture's switches where a frame alone cannot bring it about.
struct Cause {
    const char* port;
    Packet packet;
    enum class Trouble : std::uint8_t { none, no_buffers, transmitter_full } trouble = Trouble::none;
};

TEST(Counters, EveryReasonHasACase) {
    using enum Cause::Trouble;
    constexpr std::string_view kNarrow = R"(
ports:
  access0: { role: access, mtu: 1600, mac: "02:00:00:00:00:00" }
  core0: { role: core, mtu: 1500, mac: "02:00:00:00:00:01", address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
customers:
  - name: contoso
    circuits:
      - { name: pair, port: access0, service_vlan: 100, bandwidth: 2 Mbps, burst: 1600 B, peerings: [
          { type: private, vlan: 10, subnet: 172.16.0.0/30, customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: v4key, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01 } } ] } ] }
)";
    const auto gre = [] { return outer_from_gateway("v4key"); };
    const auto outer = [] { return Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.7", "192.0.2.1"); };
    const std::map<Fate, Cause> causes{
        {Fate::runt, {"access0", from_contoso(up4()).truncate(20)}},
        {Fate::chained, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(12'000)).segments(2)}},
        {Fate::not_for_us, {"access0", Packet().ether("02:00:00:00:00:77").tag(100).tag(10).then(up4())}},
        {Fate::bad_tag, {"access0", Packet().ether().tag(0).then(up4())}},
        {Fate::unknown_vlan, {"access0", Packet().ether().tag(5).then(up4())}},
        {Fate::multicast, {"access0", from_contoso(up4("224.0.0.1"))}},
        {Fate::not_ip, {"access0", from_contoso(up4()).ether_type(0x88cc)}},
        {Fate::truncated, {"access0", from_contoso(up4()).truncate(60)}},
        {Fate::bad_header, {"access0", from_contoso(Packet(up4()).version(5))}},
        {Fate::bad_checksum, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").wrong_checksum())}},
        {Fate::oversize, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1600))}},
        {Fate::martian, {"access0", from_contoso(up4("127.0.0.1"))}},
        {Fate::source_not_accepted, {"access0", from_contoso(up4("10.100.0.1", "11.0.0.1"))}},
        {Fate::no_route, {"access0", from_contoso(up4("203.0.113.1"))}},
        {Fate::ttl_expired, {"access0", from_contoso(Packet(up4()).ttl(1))}},
        {Fate::too_big, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").df().payload(1500))}},
        {Fate::policed, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1400))}},
        {Fate::no_neighbour, {"core0", gre().then(down4())}},
        {Fate::outer_not_ip, {"core0", gre().then(down4()).ether_type(0x8847)}},
        {Fate::outer_truncated, {"core0", gre().then(down4()).truncate(50)}},
        {Fate::outer_bad_header, {"core0", outer().version(7).gre(0x2a01).then(down4())}},
        {Fate::outer_bad_checksum, {"core0", outer().wrong_checksum().gre(0x2a01).then(down4())}},
        {Fate::outer_fragment, {"core0", outer().fragment(1).gre(0x2a01).then(down4())}},
        {Fate::gre_bad_header, {"core0", gre().gre_flags(1).then(down4())}},
        {Fate::gre_bad_checksum, {"core0", gre().gre_checksum().wrong_checksum().then(down4())}},
        {Fate::unknown_tunnel, {"core0", outer().gre(1).then(down4())}},
        {Fate::gre_protocol, {"core0", gre().gre_protocol(0x6558).then(down4())}},
        {Fate::ecn_mismatch, {"core0", outer().tos(3).gre(0x2a01).then(down4())}},
        {Fate::from_cloud_to_cloud, {"core0", gre().then(down4("10.100.0.2"))}},
        {Fate::no_headroom, {"access0", from_contoso(up4()).headroom(0)}},
        {Fate::no_memory, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1500)), no_buffers}},
        {Fate::tx_full, {"access0", from_contoso(up4()), transmitter_full}},
    };
    for (std::size_t reason = 0; reason < dataplane::kDropReasons; ++reason) {
        const auto fate = static_cast<Fate>(reason + dataplane::kFirstDrop);
        SCOPED_TRACE(name_of(fate));
        ASSERT_TRUE(causes.contains(fate)) << "no case";
        const Cause& cause = causes.at(fate);
        Edge edge(kNarrow);
        if (fate == Fate::policed) { edge.send(cause.port, {cause.packet}); }
        edge.starve = cause.trouble == no_buffers;
        if (cause.trouble == transmitter_full) {
            edge.refuse = [](const Output&) { return true; };
        }
        EXPECT_EQ(edge.send(cause.port, {cause.packet}).fate(), fate);
        const auto way = std::string_view(cause.port) == "core0" ? kDown : kUp;
        const bool charged = dataplane::kDropReason[reason].charge == dataplane::Charge::circuit;
        EXPECT_EQ(edge.circuit(kContoso, Link::primary, way).dropped(fate), charged ? 1U : 0U);
    }
}

TEST(Counters, ReasonsAreNamedOnceEach) {
    std::set<std::string_view> names;
    for (const auto& reason : dataplane::kDropReason) {
        EXPECT_TRUE(names.insert(reason.name).second) << reason.name;
        EXPECT_FALSE(reason.meaning.empty());
    }
}

}  // namespace
}  // namespace peerlane::test
