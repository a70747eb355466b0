// What cannot be delivered: next hops that do not answer, and packets to the edge itself that it has no use for.
#include "dataplane/tables/state.hpp"
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace unreachable_test {

constexpr unsigned kControl = 0xc0;
constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;

Octets quoted(const Packet& packet, std::size_t most) {
    auto octets = packet.octets();
    octets.resize(std::min(octets.size(), most));
    return octets;
}
Packet error4(std::string_view from, std::string_view to, unsigned type, unsigned code, const Packet& about) {
    return Packet().ip4(from, to).df().tos(kControl).icmp(type, code, 0).payload(quoted(about, 576 - 28));
}
Packet error6(std::string_view from, std::string_view to, unsigned type, unsigned code, std::uint32_t word,
              const Packet& about) {
    return Packet().ip6(from, to).tos(kControl).icmp6(type, code, word).payload(quoted(about, 1280 - 48));
}

/// kPair without the MACs of its customers, or of its gateway: they have to be asked for.
std::string asked(std::string_view mac) {
    std::string yaml(kPair);
    const auto cut = [&](std::string_view what) {
        const auto at = yaml.find(what);
        yaml.replace(at, what.size(), "");
    };
    if (mac == "customer") {
        cut(R"(            customer_mac: "02:00:00:00:01:01")");
        cut(R"(            customer_mac: "02:00:00:00:02:02")");
    } else {
        cut(R"(, gateway_mac: "02:00:00:00:00:fe")");
    }
    return yaml;
}

TEST(Unreachable, TheCustomersRouter) {
    Edge edge(asked("customer"));
    const auto down = from_gateway("v4key", down4());
    EXPECT_TRUE(edge.send("core0", {down}).out.empty()) << "nobody has been asked yet";
    edge.set_next_hops(dataplane::neighbour::kFailed);
    auto sent = edge.send("core0", {down, from_gateway("v4key", down6())});
    EXPECT_EQ(sent.fates, (std::vector{Fate::no_neighbour, Fate::no_neighbour}));
    expect_out(
        sent, {output("core0", to_gateway("v4key", kControl, error4("172.16.0.2", "10.100.0.1", 3, 1, down4()))),
               output("core0", to_gateway("v4key", kControl, error6("fd00:172::2", "fd00:100::1", 1, 3, 0, down6())))});
    std::uint64_t charged = 0;
    for (const auto link : {Link::primary, Link::secondary}) {
        charged += edge.circuit(kContoso, link, kDown).dropped(Fate::no_neighbour);
    }
    EXPECT_EQ(charged, 3U);
    // Never in answer to an error, and no more than the limit.
    EXPECT_TRUE(edge.send("core0", {from_gateway("v4key", Packet().ip4("10.100.0.1", "10.0.0.1").icmp(3).payload(40))})
                    .out.empty());
    EXPECT_EQ(edge.send("core0", std::vector(200, down)).out.size(), 98U);
    // As long as packets wait, or there is only no room for them, nothing is said.
    edge.now += 1'000'000'000;
    edge.set_next_hops(0);
    EXPECT_TRUE(edge.send("core0", {down}).out.empty());
}

TEST(Unreachable, TheGateway) {
    Edge edge(asked("gateway"));
    edge.set_next_hops(dataplane::neighbour::kFailed);
    const auto sent = edge.send("access0", {from_contoso(up4()), from_contoso(up6()), from_contoso(up4("172.16.0.1"))});
    EXPECT_EQ(sent.fates, (std::vector{Fate::no_neighbour, Fate::no_neighbour, Fate::sent}));
    expect_out(sent, {output("access0", at_contoso(error4("172.16.0.2", "10.0.0.1", 3, 1, up4()))),
                      output("access0", at_contoso(error6("fd00:172::2", "fd00:10::1", 1, 3, 0, up6()))),
                      output("access0", at_contoso(hop(up4("172.16.0.1"))))});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).dropped(Fate::no_neighbour), 2U);
}

TEST(Unreachable, TheOtherLinksRouter) {
    auto yaml = asked("customer");
    Edge edge(yaml);
    edge.set_next_hops(dataplane::neighbour::kFailed);
    const auto sent = edge.send("access0", {from_contoso(up4("172.16.0.5"))});
    EXPECT_EQ(sent.fate(), Fate::no_neighbour);
    EXPECT_TRUE(sent.out.empty()) << "who asked cannot be reached either";
    EXPECT_EQ(edge.port("access0").originated, 1U);
    EXPECT_EQ(edge.drops(Fate::no_neighbour), 2U);
}

Packet traceroute(std::string_view to) {
    return Packet().ip4("10.0.0.1", to).ttl(1).udp(40000, 33434).payload(32);
}
Packet traceroute6(std::string_view to, std::string_view from = "fd00:10::1") {
    return Packet().ip6(from, to).ttl(1).udp(40000, 33434).payload(32);
}

TEST(ToTheEdge, PortUnreachable) {
    const auto four = traceroute("172.16.0.2");
    const auto six = traceroute6("fd00:172::2");
    const auto other = traceroute("172.16.0.6");
    check({
        {"IPv4",
         "access0",
         from_contoso(four),
         Fate::punted,
         {output("access0", at_contoso(error4("172.16.0.2", "10.0.0.1", 3, 3, four)))}},
        {"from the address it was sent to",
         "access0",
         from_contoso(other),
         Fate::punted,
         {output("access0", at_contoso(error4("172.16.0.6", "10.0.0.1", 3, 3, other)))}},
        {"IPv6",
         "access0",
         from_contoso(six),
         Fate::punted,
         {output("access0", at_contoso(error6("fd00:172::2", "fd00:10::1", 1, 4, 0, six)))}},
        {"a wrong checksum", "access0", from_contoso(traceroute("172.16.0.2").wrong_checksum()), Fate::punted, {}},
        {"a fragment", "access0", from_contoso(traceroute("172.16.0.2").fragment(0x2000)), Fate::punted, {}},
        {"from the routers' anycast address",
         "access0",
         from_contoso(traceroute6("fd00:172::2", "fd00:10::")),
         Fate::punted,
         {}},
    });
}

TEST(ToTheEdge, ProtocolUnreachable) {
    const auto tcp = Packet().ip4("172.16.0.1", "172.16.0.2").tcp(2);
    const auto tcp6 = Packet().ip6("fd00:172::1", "fd00:172::2").tcp(2);
    const auto ospf = Packet().ip4("172.16.0.1", "172.16.0.2").protocol(89).payload(24);
    check({
        {"TCP",
         "access0",
         from_contoso(tcp),
         Fate::punted,
         {output("access0", at_contoso(error4("172.16.0.2", "172.16.0.1", 3, 2, tcp)))}},
        {"TCP over IPv6",
         "access0",
         from_contoso(tcp6),
         Fate::punted,
         {output("access0", at_contoso(error6("fd00:172::2", "fd00:172::1", 4, 1, 6, tcp6)))}},
        {"OSPF",
         "access0",
         from_contoso(ospf),
         Fate::punted,
         {output("access0", at_contoso(error4("172.16.0.2", "172.16.0.1", 3, 2, ospf)))}},
        {"no next header",
         "access0",
         from_contoso(Packet().ip6("fd00:172::1", "fd00:172::2").protocol(59).payload(8)),
         Fate::punted,
         {}},
        {"another ICMP message",
         "access0",
         from_contoso(Packet().ip4("172.16.0.1", "172.16.0.2").icmp(13).payload(12)),
         Fate::punted,
         {}},
    });
}

TEST(ToTheEdge, FromTheCore) {
    const auto core = [](const Packet& ip) { return Packet().ether(kCoreMac, kGatewayMac).then(ip); };
    const auto gateway = [](const Packet& ip) {
        return std::vector{output("core0", Packet().ether(kGatewayMac, kCoreMac).then(ip))};
    };
    const auto udp = Packet().ip4("192.0.2.77", "192.0.2.1").udp(40000, 33434).payload(32);
    const auto tcp6 = Packet().ip6("2001:db8:ffff::77", "2001:db8:ffff::2").tcp(2);
    const auto inner = Packet().ip4("10.100.0.1", "172.16.0.2").udp(40000, 33434).payload(32);
    check({
        {"UDP", "core0", core(udp), Fate::punted, gateway(error4("192.0.2.1", "192.0.2.77", 3, 3, udp))},
        {"TCP", "core0", core(tcp6), Fate::punted,
         gateway(error6("2001:db8:ffff::2", "2001:db8:ffff::77", 4, 1, 6, tcp6))},
        {"through a tunnel",
         "core0",
         from_gateway("v4key", inner),
         Fate::punted,
         {output("core0", to_gateway("v4key", kControl, error4("172.16.0.2", "10.100.0.1", 3, 3, inner)))}},
        {"from the edge itself",
         "core0",
         core(Packet().ip4("192.0.2.1", "192.0.2.1").udp().payload(9)),
         Fate::punted,
         {}},
    });
}

TEST(ToTheEdge, WithATapTheSystemAnswers) {
    std::string yaml(kPair);
    for (const std::string_view role : {"role: access,", "role: core,"}) {
        yaml.insert(yaml.find(role) + role.size(), role == "role: core," ? " tap: tcore," : " tap: taccess,");
    }
    Edge edge(yaml);
    EXPECT_TRUE(edge.send("access0", {from_contoso(traceroute("172.16.0.2"))}).out.empty());
    EXPECT_TRUE(
        edge.send("core0", {Packet().ether(kCoreMac, kGatewayMac).ip4("192.0.2.77", "192.0.2.1").udp()}).out.empty());
    EXPECT_EQ(edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8))}).out.size(), 1U);
    const auto inner = Packet().ip4("10.100.0.1", "172.16.0.2").udp().payload(32);
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", inner)}).out.size(), 1U) << "a tap does not get these";
}

TEST(ToTheEdge, ErrorsHaveTheirLimits) {
    Edge edge("edge: { icmp_errors_per_second: 20, replies_per_second: 30 }" + std::string(kPair));
    EXPECT_EQ(edge.send("access0", std::vector(50, from_contoso(traceroute("172.16.0.2")))).out.size(), 20U);
    EXPECT_EQ(edge.port("access0").originated, 20U);
    EXPECT_EQ(edge.port("access0").punted, 50U);
    const auto core = Packet().ether(kCoreMac, kGatewayMac).ip4("192.0.2.77", "192.0.2.1").udp().payload(9);
    EXPECT_EQ(edge.send("core0", std::vector(50, core)).out.size(), 30U);
}

TEST(NeverAnswered, WhatTheRfcsForbid) {
    const auto silent = [](const char* name, const Packet& ip) {
        return Case{name, "access0", from_contoso(Packet(ip).ttl(1)), Fate::ttl_expired, {}, kContoso};
    };
    const auto authenticated = [](unsigned type) {
        return Packet()
            .ip4("10.0.0.1", "10.100.0.1")
            .protocol(51)
            .raw({1, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
            .raw({static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0})
            .payload(40);
    };
    check({
        silent("an ICMPv6 redirect", Packet().ip6("fd00:10::1", "fd00:100::1").icmp6(137).payload(40)),
        silent("an error behind an Authentication Header", authenticated(3)),
        silent("a Photuris error", Packet().ip4("10.0.0.1", "10.100.0.1").icmp(40).payload(40)),
        silent("from the subnet routers' anycast address", up6("fd00:100::1", "fd00:10::")),
    });
    Edge edge(kPair);
    EXPECT_EQ(edge.send("access0", {from_contoso(Packet(authenticated(8)).ttl(1))}).out.size(), 1U)
        << "an echo request behind it is no error";
    EXPECT_EQ(edge.send("access0", {from_contoso(Packet(up6("fd00:100::1", "fd00:10::1:0")).ttl(1))}).out.size(), 1U);
}

TEST(EchoOptions, RoutesAndTimesAreRecorded) {
    const auto ping = [](const Octets& options) {
        return from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").options(options).icmp(8).payload(33));
    };
    const auto pong = [](const Octets& options) {
        return std::vector{output(
            "access0", at_contoso(Packet().ip4("172.16.0.2", "10.0.0.1").df().options(options).icmp(0).payload(33)))};
    };
    const auto plain =
        std::vector{output("access0", at_contoso(Packet().ip4("172.16.0.2", "10.0.0.1").df().icmp(0).payload(33)))};
    check({
        {"record route", "access0", ping({7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}), Fate::punted,
         pong({7, 11, 8, 172, 16, 0, 2, 0, 0, 0, 0, 0})},
        {"the last place", "access0", ping({1, 7, 7, 4, 9, 9, 9, 9}), Fate::punted, pong({7, 7, 8, 172, 16, 0, 2, 0})},
        {"a full record", "access0", ping({7, 7, 8, 9, 9, 9, 9, 0}), Fate::punted, pong({7, 7, 8, 9, 9, 9, 9, 0})},
        // The clock of the edge says 1000 ms.
        {"times", "access0", ping({68, 8, 5, 0, 0, 0, 0, 0}), Fate::punted, pong({68, 8, 9, 0, 0x80, 0, 3, 0xe8})},
        {"addresses and times", "access0", ping({68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0}), Fate::punted,
         pong({68, 12, 13, 1, 172, 16, 0, 2, 0x80, 0, 3, 0xe8})},
        {"no room for the time", "access0", ping({68, 8, 9, 0x10, 1, 2, 3, 4}), Fate::punted,
         pong({68, 8, 9, 0x20, 1, 2, 3, 4})},
        {"another node's turn", "access0", ping({68, 12, 5, 3, 10, 9, 9, 9, 0, 0, 0, 0}), Fate::punted,
         pong({68, 12, 5, 3, 10, 9, 9, 9, 0, 0, 0, 0})},
        {"our turn", "access0", ping({68, 12, 5, 3, 172, 16, 0, 2, 0, 0, 0, 0}), Fate::punted,
         pong({68, 12, 13, 3, 172, 16, 0, 2, 0x80, 0, 3, 0xe8})},
        {"a source route is left out", "access0", ping({131, 7, 8, 9, 9, 9, 9, 0}), Fate::punted, plain},
        {"no room in the option", "access0", ping({7, 3, 4, 0}), Fate::punted, pong({7, 3, 4, 0})},
        {"an option of a wrong length", "access0", ping({7, 40, 4, 0}), Fate::punted, plain},
    });
}

}  // namespace unreachable_test
}  // namespace peerlane::test
