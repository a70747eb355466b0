// Both links of a pair: which flow takes which, what happens when one dies, and that each link has buckets and counters
// of its own.
#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/tables/state.hpp"
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace pair_test {

using dataplane::alive::kV4;
using dataplane::alive::kV6;

constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;
constexpr std::uint8_t kBoth = kV4 | kV6;

/// Flow number `i`.
Packet flow(unsigned i, bool six) {
    return six ? Packet().ip6("fd00:100::1", "fd00:10::1").udp(1000 + i).payload(60, i)
               : Packet().ip4("10.100.0.1", "10.0.0.1").udp(1000 + i).payload(60, i);
}
std::vector<Packet> from_cloud(unsigned flows, bool six) {
    std::vector<Packet> packets;
    for (unsigned i = 0; i < flows; ++i) { packets.push_back(from_gateway("v4key", flow(i, six))); }
    return packets;
}
Output at(Link link, const Packet& ip) {
    return link == Link::primary ? output("access0", at_contoso(ip)) : output("access1", at_contoso_secondary(ip));
}
Link link_of(const Output& out) {
    EXPECT_TRUE(out.port == "access0" || out.port == "access1") << out.port;
    return out.port == "access0" ? Link::primary : Link::secondary;
}
/// The link of each packet sent, in order.
std::vector<Link> links_of(const Sent& sent) {
    std::vector<Link> links;
    for (const auto& out : sent.out) { links.push_back(link_of(out)); }
    return links;
}
std::size_t count(const std::vector<Link>& links, Link link) {
    return static_cast<std::size_t>(std::count(links.begin(), links.end(), link));
}

TEST(Pair, TheHashSaysWhich) {
    // CRC-32C of addresses, protocol and ports, made by another program: its lowest bit.
    struct Known {
        Packet ip;
        Link link;
    };
    const std::vector<Known> known{
        {Packet().ip4("10.100.0.1", "10.0.0.1").udp(1000, 2000).payload(20), Link::primary},
        {Packet().ip4("10.100.0.1", "10.0.0.1").udp(1001, 2000).payload(20), Link::primary},
        {Packet().ip4("10.100.0.1", "10.0.0.1").tcp(0x10).payload(20), Link::secondary},
        {Packet().ip4("10.100.0.1", "10.0.0.1").icmp(8).payload(20), Link::secondary},
        {Packet().ip4("10.100.0.1", "10.0.0.2").icmp(8).payload(20), Link::primary},
        {Packet().ip6("fd00:100::1", "fd00:10::1").udp(1000, 2000).payload(20), Link::primary},
        {Packet().ip6("fd00:100::1", "fd00:10::1").udp(1000, 2001).payload(20), Link::secondary},
        {Packet().ip6("fd00:100::1", "fd00:10::1").icmp6(128).payload(20), Link::secondary},
    };
    Edge edge(kPair);
    for (const auto& [ip, link] : known) {
        expect_out(edge.send("core0", {from_gateway("v4key", ip)}), {at(link, hop(ip))});
    }
}

TEST(Pair, BothLinksCarryFlows) {
    constexpr unsigned kFlows = 200;
    for (const bool six : {false, true}) {
        SCOPED_TRACE(six ? "IPv6" : "IPv4");
        Edge edge(kPair);
        const auto sent = edge.send("core0", from_cloud(kFlows, six));
        ASSERT_EQ(sent.out.size(), kFlows);
        const auto links = links_of(sent);
        for (unsigned i = 0; i < kFlows; ++i) { EXPECT_EQ(sent.out[i], at(links[i], hop(flow(i, six)))) << i; }
        const std::uint64_t length = six ? 40 + 8 + 60 : 20 + 8 + 60;
        for (const auto link : {Link::primary, Link::secondary}) {
            const auto packets = count(links, link);
            EXPECT_GT(packets, kFlows * 45 / 100);
            const Passed passed{packets, packets * length};
            EXPECT_EQ(edge.circuit(kContoso, link, kDown).passed, passed);
            EXPECT_EQ(edge.tunnel("v4key", link, kDown), passed);
            EXPECT_EQ(edge.port(link == Link::primary ? "access0" : "access1").transmitted, packets);
        }
        EXPECT_EQ(links_of(edge.send("core0", from_cloud(kFlows, six), 3)), links) << "wherever bursts end";
    }
}

TEST(Pair, EveryCombinationOfLivesAndDeaths) {
    constexpr unsigned kFlows = 32;
    for (const bool six : {false, true}) {
        Edge edge(kPair);
        const std::uint8_t family = six ? kV6 : kV4;
        const auto preferred = links_of(edge.send("core0", from_cloud(kFlows, six)));
        for (unsigned lives = 0; lives < 16; ++lives) {
            SCOPED_TRACE(testing::Message() << "IPv" << (six ? 6 : 4) << ", lives " << lives);
            const auto first = static_cast<std::uint8_t>(lives & 3U), second = static_cast<std::uint8_t>(lives >> 2U);
            edge.set_alive(kContoso, "private", Link::primary, first);
            edge.set_alive(kContoso, "private", Link::secondary, second);
            const bool one = (first & family) != 0, two = (second & family) != 0;
            auto expected = preferred;
            if (one != two) { expected.assign(kFlows, one ? Link::primary : Link::secondary); }
            EXPECT_EQ(links_of(edge.send("core0", from_cloud(kFlows, six))), expected);
        }
    }
}

TEST(Pair, FlowsMoveAndComeBack) {
    // Packets of a flow leave in the order they came in, on the one link or the other.
    constexpr unsigned kFlows = 50;
    Edge edge(kPair);
    const auto before = links_of(edge.send("core0", from_cloud(kFlows, false)));
    for (const auto dead : {Link::primary, Link::secondary}) {
        const auto left = dead == Link::primary ? Link::secondary : Link::primary;
        edge.set_alive(kContoso, "private", dead, 0);
        const auto sent = edge.send("core0", from_cloud(kFlows, false));
        EXPECT_EQ(count(links_of(sent), left), kFlows);
        for (unsigned i = 0; i < kFlows; ++i) { EXPECT_EQ(sent.out[i], at(left, hop(flow(i, false)))); }
        edge.set_alive(kContoso, "private", dead, kBoth);
        EXPECT_EQ(links_of(edge.send("core0", from_cloud(kFlows, false))), before);
    }
}

TEST(Pair, FragmentsTakeTheLinkOfTheirPacket) {
    Edge edge(kPair);
    for (unsigned host = 1; host < 30; ++host) {
        const auto piece = [&](unsigned fragment, unsigned mark) {
            return from_gateway("v4key", Packet()
                                             .ip4("10.100.0.1", "10.0.0." + std::to_string(host))
                                             .udp(mark, 7 * mark)
                                             .payload(200, mark)
                                             .fragment(fragment));
        };
        const auto links = links_of(edge.send("core0", {piece(0x2000, 1), piece(0x201a, 2), piece(0x0034, 3)}));
        EXPECT_EQ(count(links, links[0]), 3U);
    }
    // What the edge cuts itself goes one way as well: the secondary's MTU is 1300.
    edge.set_alive(kContoso, "private", Link::primary, 0);
    const auto sent = edge.send("core0", {from_gateway("v4key", Packet().ip4("10.100.0.1", "10.0.0.1").payload(1400))});
    EXPECT_EQ(links_of(sent), (std::vector{Link::secondary, Link::secondary}));
    EXPECT_EQ(edge.tunnel("v4key", Link::primary, kDown).packets + edge.tunnel("v4key", Link::secondary, kDown).packets,
              29U * 3 + 2);
}

TEST(Pair, BackToTheCustomer) {
    constexpr unsigned kFlows = 60;
    for (const bool six : {false, true}) {
        Edge edge(kPair);
        const auto up = [&](unsigned i) {
            return six ? Packet().ip6("fd00:10::1", "fd00:10::9").udp(i).payload(30)
                       : Packet().ip4("10.0.0.1", "10.0.9.9").udp(i).payload(30);
        };
        std::vector<Packet> packets;
        for (unsigned i = 0; i < kFlows; ++i) { packets.push_back(from_contoso_secondary(up(i))); }
        const auto sent = edge.send("access1", packets);
        const auto links = links_of(sent);
        for (unsigned i = 0; i < kFlows; ++i) { EXPECT_EQ(sent.out[i], at(links[i], hop(up(i)))); }
        for (const auto link : {Link::primary, Link::secondary}) {
            EXPECT_GT(count(links, link), kFlows / 4);
            EXPECT_EQ(edge.circuit(kContoso, link, kDown).passed.packets, count(links, link));
        }
        EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kUp).passed.packets, kFlows) << "where they came in";
        EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed.packets, 0U);
        edge.set_alive(kContoso, "private", Link::secondary, six ? kV4 : kV6);
        EXPECT_EQ(count(links_of(edge.send("access1", packets)), Link::primary), kFlows);
    }
}

TEST(Pair, AnswersTakeTheLinkOfTheQuestion) {
    Edge edge(kPair);
    const auto ask = [](unsigned i, std::string_view edge4) {
        return Packet().ip4("10.0.0." + std::to_string(1 + i), edge4).icmp(8).payload(16);
    };
    const auto ask6 = [](unsigned i, std::string_view edge6) {
        return Packet().ip6("fd00:10::" + std::to_string(1 + i), edge6).icmp6(128).payload(16);
    };
    for (const std::uint8_t other : {kBoth, std::uint8_t{0}}) {
        for (unsigned i = 0; i < 20; ++i) {
            for (const auto& ip : {ask(i, "172.16.0.2"), ask6(i, "fd00:172::6"), Packet(up4()).ttl(1),
                                   up6("2001:db8:9::1", "fd00:10::" + std::to_string(1 + i))}) {
                edge.set_alive(kContoso, "private", Link::primary, other);
                edge.set_alive(kContoso, "private", Link::secondary, other);
                const auto first = edge.send("access0", {from_contoso(ip)});
                EXPECT_EQ(links_of(first), std::vector{Link::primary});
                const auto second = edge.send("access1", {from_contoso_secondary(ip)});
                EXPECT_EQ(links_of(second), std::vector{Link::secondary});
                EXPECT_TRUE(first.out[0].reply && second.out[0].reply);
                edge.now += 1'000'000'000;
            }
        }
    }
    const auto asked = 2U * 20 * 4;
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).passed.packets, asked);
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).passed.packets, asked);
}

TEST(Pair, LinkSubnetsStayOnTheirLinks) {
    Edge edge(kPair);
    for (const std::uint8_t lives : {kBoth, std::uint8_t{0}}) {
        edge.set_alive(kContoso, "private", Link::secondary, lives);
        for (unsigned i = 0; i < 16; ++i) {
            const auto four = Packet().ip4("10.100.0.1", "172.16.0.5").udp(i).payload(9);
            expect_out(edge.send("core0", {from_gateway("v4key", four)}), {at(Link::secondary, hop(four))});
            const auto six = Packet().ip6("fd00:100::1", "fd00:172::1").udp(i).payload(9);
            expect_out(edge.send("core0", {from_gateway("v4key", six)}), {at(Link::primary, hop(six))});
        }
    }
}

TEST(Pair, OneLinkAsksNobody) {
    Edge edge(kPair);
    edge.set_alive(kFabrikam, "private", Link::primary, 0);
    edge.set_alive(kFabrikam, "private", Link::secondary, kBoth);
    expect_out(edge.send("core0", {from_gateway("prod", down4())}), {output("access0", at_fabrikam(hop(down4())))});
}

TEST(Pair, DropsAreTheLinks) {
    // 1400 octets that must not be cut pass the primary, whose MTU is 1600, and not the secondary, whose MTU is 1300.
    constexpr unsigned kFlows = 64;
    Edge edge(kPair);
    std::vector<Packet> big, old;
    for (unsigned i = 0; i < kFlows; ++i) {
        const auto ip = Packet().ip4("10.100.0.1", "10.0.0.1").df().udp(i).payload(1400 - 28);
        big.push_back(from_gateway("v4none", ip));
        old.push_back(from_gateway("v4none", Packet(ip).ttl(1)));
    }
    const auto sent = edge.send("core0", big);
    std::size_t passed = 0;
    for (const auto& out : sent.out) { passed += out.port == "access0" ? 1U : 0U; }
    const auto refused = kFlows - passed;
    EXPECT_GT(passed, kFlows / 4);
    EXPECT_GT(refused, kFlows / 4);
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).dropped(Fate::too_big), refused);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).dropped(Fate::too_big), 0U);
    edge.send("core0", old);
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).dropped(Fate::ttl_expired), refused);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).dropped(Fate::ttl_expired), passed);
}

constexpr std::string_view kSmall = R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1500, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1600, service_tpid: 0x9100 }
customers:
  - name: contoso
    circuits:
      - name: pair
        links: { primary: access0, secondary: access1 }
        service_vlan: 100
        bandwidth: 1 Mbps
        burst: 10000 B
        peerings:
          - { type: private, vlan: 10, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
              customer_mac: "02:00:00:00:01:01", customer_prefixes: [10.0.0.0/16],
              virtual_networks: [ { name: v4key, prefixes: [10.100.0.0/16],
                                    tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01 } } ] }
          - { type: microsoft, vlan: 20, subnets: { primary: 203.0.113.0/30, secondary: 203.0.113.4/30 },
              customer_mac: "02:00:00:00:01:01", customer_prefixes: [203.0.113.128/25], bandwidth: 500 kbps, burst: 5000 B,
              virtual_networks: [ { name: v4none, prefixes: [198.51.100.128/25],
                                    tunnel: { local: 192.0.2.1, remote: 198.51.100.7 } } ] }
)";

/// 400 octets of flow `i`, for either peering.
Packet down400(unsigned i, bool microsoft) {
    return from_gateway(microsoft ? "v4none" : "v4key",
                        Packet()
                            .ip4(microsoft ? "198.51.100.129" : "10.100.0.1", microsoft ? "203.0.113.129" : "10.0.0.1")
                            .udp(i)
                            .payload(400 - 28));
}

TEST(Pair, BucketsAreTheLinks) {
    constexpr unsigned kFlows = 160;
    for (const bool microsoft : {false, true}) {
        SCOPED_TRACE(microsoft ? "microsoft, with a bucket of its own" : "private");
        Edge edge(kSmall);
        std::vector<Packet> packets;
        for (unsigned i = 0; i < kFlows; ++i) { packets.push_back(down400(i, microsoft)); }
        // The circuit's 10000 octets are 25 packets of 400 a link, the peering's 5000 are 12.
        const std::uint64_t pass = microsoft ? 12 : 25;
        const auto links = links_of(edge.send("core0", packets));
        std::uint64_t offered = 0;
        for (const auto link : {Link::primary, Link::secondary}) {
            EXPECT_EQ(count(links, link), pass);
            const auto circuit = edge.circuit(kContoso, link, kDown);
            EXPECT_EQ(circuit.passed, (Passed{pass, pass * 400}));
            EXPECT_EQ(edge.peering(microsoft ? "microsoft" : "private", link, kDown), (Passed{pass, pass * 400}));
            EXPECT_EQ(circuit.policed.packets, circuit.dropped(Fate::policed));
            EXPECT_EQ(circuit.policed.bytes, circuit.policed.packets * 400);
            offered += pass + circuit.policed.packets;
        }
        EXPECT_EQ(offered, kFlows);
        // With the secondary dead, one link's bucket is all there is: 80 ms are 10000 octets of the circuit's.
        edge.now += 80'000'000;
        edge.set_alive(kContoso, microsoft ? "microsoft" : "private", Link::secondary, 0);
        const auto alone = links_of(edge.send("core0", packets));
        EXPECT_EQ(count(alone, Link::primary), pass);
        EXPECT_EQ(alone.size(), pass);
    }
}

TEST(Pair, EachPeeringHasALifeOfItsOwn) {
    Edge edge(kSmall);
    edge.set_alive(kContoso, "microsoft", Link::primary, 0);
    std::vector<Link> private_links, microsoft_links;
    for (unsigned i = 0; i < 40; ++i) {
        edge.now += 1'000'000'000;
        private_links.push_back(link_of(edge.send("core0", {down400(i, false)}).out.at(0)));
        microsoft_links.push_back(link_of(edge.send("core0", {down400(i, true)}).out.at(0)));
    }
    EXPECT_GT(count(private_links, Link::primary), 10U);
    EXPECT_GT(count(private_links, Link::secondary), 10U);
    EXPECT_EQ(count(microsoft_links, Link::secondary), 40U);
}

}  // namespace pair_test
}  // namespace peerlane::test
