// What the edge says itself, octet by octet: errors, who gets them and who never does, their rate; echo replies.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace icmp_test {

constexpr unsigned kControl = 0xc0;  // CS6: RFC 1812 §4.3.2.5

/// An error from `source` to `to` about `cause`, quoting what fits (RFC 1812 §4.3.2.3).
Packet error4(std::string_view source, std::string_view to, unsigned type, unsigned code, unsigned mtu,
              const Packet& cause) {
    return Packet()
        .ip4(source, to)
        .df()
        .tos(kControl)
        .icmp(type, code, mtu)
        .payload(Packet(cause).truncate(576 - 28).octets());
}
/// RFC 4443 §2.4 (c).
Packet error6(std::string_view source, std::string_view to, unsigned type, unsigned code, unsigned mtu,
              const Packet& cause) {
    return Packet()
        .ip6(source, to)
        .tos(kControl)
        .icmp6(type, code, mtu)
        .payload(Packet(cause).truncate(1280 - 48).octets());
}
Packet big4(std::string_view to, std::size_t length, std::string_view from = "10.0.0.1") {
    return Packet().ip4(from, to).df().udp().payload(length - 28);
}
Packet big6(std::string_view to, std::size_t length, std::string_view from = "fd00:10::1") {
    return Packet().ip6(from, to).udp().payload(length - 48);
}

TEST(Icmp, ToTheCustomer) {
    const auto expired4 = Packet(up4()).ttl(1);
    const auto expired6 = Packet(up6()).ttl(1);
    const auto optioned = Packet(up4()).options({148, 4, 0, 0}).ttl(0);
    const auto lost4 = up4("203.0.113.1");
    const auto lost6 = up6("2001:db8:9::1");
    const auto back = [](const Packet& ip) { return std::vector{output("access0", at_contoso(ip))}; };
    const auto back2 = [](const Packet& ip) { return std::vector{output("access1", at_contoso_secondary(ip))}; };
    const char* our4 = "172.16.0.2";
    const char* our6 = "fd00:172::2";
    check({
        {"TTL 1", "access0", from_contoso(expired4), Fate::ttl_expired,
         back(error4(our4, "10.0.0.1", 11, 0, 0, expired4)), kContoso},
        {"TTL 0, options", "access0", from_contoso(optioned), Fate::ttl_expired,
         back(error4(our4, "10.0.0.1", 11, 0, 0, optioned)), kContoso},
        {"hop limit 1", "access0", from_contoso(expired6), Fate::ttl_expired,
         back(error6(our6, "fd00:10::1", 3, 0, 0, expired6)), kContoso},
        {"hop limit 0", "access0", from_contoso(Packet(up6()).ttl(0)), Fate::ttl_expired,
         back(error6(our6, "fd00:10::1", 3, 0, 0, Packet(up6()).ttl(0))), kContoso},
        {"no route", "access0", from_contoso(lost4), Fate::no_route, back(error4(our4, "10.0.0.1", 3, 0, 0, lost4)),
         kContoso},
        {"no IPv6 route", "access0", from_contoso(lost6), Fate::no_route,
         back(error6(our6, "fd00:10::1", 1, 0, 0, lost6)), kContoso},
        {"no route, padded", "access0", from_contoso(lost4).pad(20), Fate::no_route,
         back(error4(our4, "10.0.0.1", 3, 0, 0, lost4)), kContoso},
        {"no route and TTL 1", "access0", from_contoso(Packet(lost4).ttl(1)), Fate::no_route,
         back(error4(our4, "10.0.0.1", 3, 0, 0, Packet(lost4).ttl(1))), kContoso},
        {"too big for the keyed tunnel", "access0", from_contoso(big4("10.100.0.1", 1473)), Fate::too_big,
         back(error4(our4, "10.0.0.1", 3, 4, 1472, big4("10.100.0.1", 1473))), kContoso},
        {"just right",
         "access0",
         from_contoso(big4("10.100.0.1", 1472)),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(big4("10.100.0.1", 1472))))}},
        {"too big for the IPv6 tunnel", "access0", from_contoso(big4("10.102.0.1", 1453)), Fate::too_big,
         back(error4(our4, "10.0.0.1", 3, 4, 1452, big4("10.102.0.1", 1453))), kContoso},
        {"too big for the keyless IPv6 tunnel", "access0", from_contoso(big6("fd00:103::1", 1457)), Fate::too_big,
         back(error6(our6, "fd00:10::1", 2, 0, 1456, big6("fd00:103::1", 1457))), kContoso},
        {"IPv6, just right",
         "access0",
         from_contoso(big6("fd00:103::1", 1456)),
         Fate::sent,
         {output("core0", to_gateway("v6none", 0, hop(big6("fd00:103::1", 1456))))}},
        {"IPv6 knows no DF to ignore", "access0", from_contoso(big6("fd00:101::1", 1600)), Fate::too_big,
         back(error6(our6, "fd00:10::1", 2, 0, 1476, big6("fd00:101::1", 1600))), kContoso},
        {"too big for the other link", "access0", from_contoso(big4("172.16.0.5", 1301)), Fate::too_big,
         back(error4(our4, "10.0.0.1", 3, 4, 1300, big4("172.16.0.5", 1301))), kContoso},
        {"to the secondary's router from the secondary", "access1",
         from_contoso_secondary(Packet(up4("10.100.0.1", "172.16.0.5")).ttl(1)), Fate::ttl_expired,
         back2(error4("172.16.0.6", "172.16.0.5", 11, 0, 0, Packet(up4("10.100.0.1", "172.16.0.5")).ttl(1))), kContoso},
        {"came in by the secondary, goes back by it", "access1", from_contoso_secondary(expired4), Fate::ttl_expired,
         back2(error4("172.16.0.6", "10.0.0.1", 11, 0, 0, expired4)), kContoso},
        {"single-tagged",
         "access0",
         from_fabrikam(expired4),
         Fate::ttl_expired,
         {output("access0", at_fabrikam(error4(our4, "10.0.0.1", 11, 0, 0, expired4)))},
         kFabrikam},
        {"back into the tunnel its source is behind", "access0",
         from_contoso(Packet(up4("10.100.0.1", "10.100.9.1")).ttl(1)), Fate::ttl_expired,
         back(error4(our4, "10.100.9.1", 11, 0, 0, Packet(up4("10.100.0.1", "10.100.9.1")).ttl(1))), kContoso},
    });
}

TEST(Icmp, IntoTheCloud) {
    const auto expired4 = Packet(down4()).ttl(1);
    const auto expired6 = Packet(down6()).ttl(1);
    const auto lost4 = down4("10.77.0.1");
    const auto big = big4("172.16.0.5", 1301, "10.102.0.1");
    const auto bigger = big6("fd00:172::5", 1301, "fd00:103::1");
    const auto to = [](std::string_view network, const Packet& ip) {
        const unsigned tos = network == "v4none" ? 46U << 2U : kControl;
        return std::vector{output("core0", to_gateway(network, tos, ip))};
    };
    check({
        {"TTL 1", "core0", from_gateway("v4key", expired4), Fate::ttl_expired,
         to("v4key", error4("172.16.0.2", "10.100.0.1", 11, 0, 0, expired4)), kContoso},
        {"hop limit 1", "core0", from_gateway("v4key", expired6), Fate::ttl_expired,
         to("v4key", error6("fd00:172::2", "fd00:100::1", 3, 0, 0, expired6)), kContoso},
        {"no route", "core0", from_gateway("v4key", lost4), Fate::no_route,
         to("v4key", error4("172.16.0.2", "10.100.0.1", 3, 0, 0, lost4)), kContoso},
        {"by the route of its source", "core0", from_gateway("v4key", Packet(down4("10.0.0.1", "10.101.0.1")).ttl(1)),
         Fate::ttl_expired,
         to("v4none", error4("172.16.0.2", "10.101.0.1", 11, 0, 0, Packet(down4("10.0.0.1", "10.101.0.1")).ttl(1))),
         kContoso},
        {"too big for the secondary", "core0", from_gateway("v6key", big), Fate::too_big,
         to("v6key", error4("172.16.0.2", "10.102.0.1", 3, 4, 1300, big)), kContoso},
        {"IPv6 too big for the secondary", "core0", from_gateway("v6none", bigger), Fate::too_big,
         to("v6none", error6("fd00:172::2", "fd00:103::1", 2, 0, 1300, bigger)), kContoso},
        {"a default route of the cloud",
         "core0",
         from_gateway("prod", Packet(down4("10.0.0.1", "8.8.8.8")).ttl(1)),
         Fate::ttl_expired,
         {output("core0",
                 to_gateway("prod", kControl,
                            error4("172.16.0.2", "8.8.8.8", 11, 0, 0, Packet(down4("10.0.0.1", "8.8.8.8")).ttl(1))))},
         kFabrikam},
    });
    // A source that no route leads to: the error is originated and dropped.
    Edge edge(kPair);
    EXPECT_TRUE(
        edge.send("core0", {from_gateway("v4key", Packet(down4("10.0.0.1", "203.0.113.1")).ttl(1))}).out.empty());
    EXPECT_EQ(edge.port("core0").originated, 1U);
    EXPECT_EQ(edge.drops(Fate::no_route), 1U);
}

TEST(Icmp, NeverInAnswerTo) {
    const auto silent = [](const char* name, const Packet& ip) {
        return Case{name, "access0", from_contoso(Packet(ip).ttl(1)), Fate::ttl_expired, {}, kContoso};
    };
    const auto spoken = [](const char* name, const Packet& ip) {
        const auto cause = Packet(ip).ttl(1);
        return Case{name,
                    "access0",
                    from_contoso(cause),
                    Fate::ttl_expired,
                    {output("access0", at_contoso(error4("172.16.0.2", "10.0.0.1", 11, 0, 0, cause)))},
                    kContoso};
    };
    const auto icmp = [](unsigned type) { return Packet().ip4("10.0.0.1", "10.100.0.1").icmp(type).payload(40); };
    const auto icmp6 = [](unsigned type) { return Packet().ip6("fd00:10::1", "fd00:100::1").icmp6(type).payload(40); };
    check({
        silent("unreachable", icmp(3)),
        silent("source quench", icmp(4)),
        silent("redirect", icmp(5)),
        silent("time exceeded", icmp(11)),
        silent("parameter problem", icmp(12)),
        spoken("echo request", icmp(8)),
        spoken("echo reply", icmp(0)),
        spoken("timestamp", icmp(13)),
        silent("a later fragment", Packet(up4()).fragment(0x0001)),
        silent("a later fragment with more to come", Packet(up4()).fragment(0x3fff)),
        spoken("a first fragment", Packet(up4()).fragment(0x2000)),
        silent("IPv6 destination unreachable", icmp6(1)),
        silent("IPv6 packet too big", icmp6(2)),
        silent("IPv6 parameter problem", icmp6(4)),
        silent("IPv6 error type 127", icmp6(127)),
        silent(
            "an IPv6 error behind hop-by-hop options",
            Packet().ip6("fd00:10::1", "fd00:100::1").protocol(0).raw({58, 0, 1, 4, 0, 0, 0, 0}).icmp6(1).payload(40)),
        // Guard drops are not answered.
        {"a forged source",
         "access0",
         from_contoso(Packet(up4("10.100.0.1", "11.0.0.1")).ttl(1)),
         Fate::source_not_accepted,
         {},
         kContoso},
    });
}

TEST(Icmp, QuotesWhatCameIn) {
    // Neither the TTL nor a clamped MSS shows in the quotation.
    const auto syn = Packet().ip4("10.0.0.1", "10.100.0.1").ttl(1).tcp(2, {2, 4, 5, 180});
    const auto syn6 = Packet().ip6("fd00:10::1", "fd00:100::1").ttl(1).tcp(2, {2, 4, 5, 180});
    const auto big = Packet().ip4("10.0.0.1", "10.100.0.1").df().tcp(2, {2, 4, 5, 180}).payload(1500);
    check({
        {"expired SYN",
         "access0",
         from_contoso(syn),
         Fate::ttl_expired,
         {output("access0", at_contoso(error4("172.16.0.2", "10.0.0.1", 11, 0, 0, syn)))},
         kContoso},
        {"expired IPv6 SYN",
         "access0",
         from_contoso(syn6),
         Fate::ttl_expired,
         {output("access0", at_contoso(error6("fd00:172::2", "fd00:10::1", 3, 0, 0, syn6)))},
         kContoso},
        {"big SYN",
         "access0",
         from_contoso(big),
         Fate::too_big,
         {output("access0", at_contoso(error4("172.16.0.2", "10.0.0.1", 3, 4, 1472, big)))},
         kContoso},
    });
}

TEST(Icmp, RepliesCopyThePriority) {
    const auto expired = Packet(up4()).ttl(1);
    const auto error = error4("172.16.0.2", "10.0.0.1", 11, 0, 0, expired);
    for (unsigned outer = 0; outer < 8; ++outer) {
        const unsigned inner = 7 - outer;
        check({{"two tags",
                "access0",
                Packet().ether(kAccess0Mac, kContosoMac).tag(100, 0, outer).tag(10, 0, inner).then(expired),
                Fate::ttl_expired,
                {output("access0",
                        Packet().ether(kContosoMac, kAccess0Mac).tag(100, 0, outer).tag(10, 0, inner).then(error))},
                kContoso},
               {"one tag",
                "access0",
                Packet().ether(kAccess0Mac, kFabrikamMac).tag(100, 0x88a8, outer).then(expired),
                Fate::ttl_expired,
                {output("access0", Packet().ether(kFabrikamMac, kAccess0Mac).tag(100, 0x8100, outer).then(error))},
                kFabrikam}});
    }
    // What is forwarded to a customer has priority 0, whatever it came with.
    check({{"a hairpin",
            "access0",
            Packet().ether(kAccess0Mac, kContosoMac).tag(100, 0, 5).tag(10, 0, 5).then(up4("10.0.9.9")),
            Fate::sent,
            {output("access0", at_contoso(hop(up4("10.0.9.9"))))}}});
}

TEST(Icmp, RateIsPerPeering) {
    Edge edge(kPair);
    const std::vector<Packet> many(150, from_contoso(Packet(up4()).ttl(1)));
    EXPECT_EQ(edge.send("access0", many).out.size(), 100U);
    EXPECT_EQ(edge.send("access0", {from_fabrikam(Packet(up4()).ttl(1))}).out.size(), 1U) << "another's peering";
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", Packet(down4()).ttl(1))}).out.size(), 0U)
        << "both directions share it";
    edge.now += 9'999'999;
    EXPECT_EQ(edge.send("access0", many).out.size(), 0U);
    edge.now += 1;
    EXPECT_EQ(edge.send("access0", many).out.size(), 1U);
    edge.now += 500'000'000;
    EXPECT_EQ(edge.send("access0", many).out.size(), 50U);
    // Echo replies are no errors: they have a budget of their own (reply_budget_test.cpp).
    const std::vector<Packet> pings(200, from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8).payload(8)));
    EXPECT_EQ(edge.send("access0", pings).out.size(), 200U);
    EXPECT_EQ(edge.port("access0").originated, 100U + 1 + 1 + 50 + 200);
}

TEST(Icmp, RateIsASetting) {
    for (const unsigned rate : {0U, 1U, 7U}) {
        Edge edge("edge: { icmp_errors_per_second: " + std::to_string(rate) + " }" + std::string(kPair));
        const std::vector<Packet> many(20, from_contoso(Packet(up4()).ttl(1)));
        EXPECT_EQ(edge.send("access0", many).out.size(), rate);
        edge.now += 60'000'000'000;
        EXPECT_EQ(edge.send("access0", many).out.size(), rate);
    }
}

TEST(Echo, FromTheCustomer) {
    const auto ping4 = [](std::string_view to) {
        return Packet().ip4("10.0.0.1", to).tos(0x28).id(9).ttl(3).icmp(8).payload(33);
    };
    const auto pong4 = [](std::string_view from) {
        return Packet().ip4(from, "10.0.0.1").tos(0x28).df().icmp(0).payload(33);
    };
    const auto ping6 = [](std::string_view to) {
        return Packet().ip6("fd00:10::1", to).tos(0x28).ttl(1).icmp6(128).payload(33);
    };
    const auto pong6 = [](std::string_view from) {
        return Packet().ip6(from, "fd00:10::1").tos(0x28).icmp6(129).payload(33);
    };
    const auto back = [](const Packet& ip) { return std::vector{output("access0", at_contoso(ip))}; };
    check({
        {"our end", "access0", from_contoso(ping4("172.16.0.2")), Fate::punted, back(pong4("172.16.0.2"))},
        {"our end of the other link", "access0", from_contoso(ping4("172.16.0.6")), Fate::punted,
         back(pong4("172.16.0.6"))},
        {"options are left out", "access0", from_contoso(ping4("172.16.0.2").options({1, 1, 1, 0})), Fate::punted,
         back(pong4("172.16.0.2"))},
        {"padding is cut", "access0", from_contoso(ping4("172.16.0.2")).pad(10), Fate::punted,
         back(pong4("172.16.0.2"))},
        {"IPv6", "access0", from_contoso(ping6("fd00:172::2")), Fate::punted, back(pong6("fd00:172::2"))},
        {"single-tagged",
         "access0",
         from_fabrikam(ping4("172.16.0.2")),
         Fate::punted,
         {output("access0", at_fabrikam(pong4("172.16.0.2")))}},
        {"a wrong checksum", "access0", from_contoso(ping4("172.16.0.2").wrong_checksum()), Fate::punted, {}},
        {"a wrong IPv6 checksum", "access0", from_contoso(ping6("fd00:172::2").wrong_checksum()), Fate::punted, {}},
        {"a fragment", "access0", from_contoso(ping4("172.16.0.2").fragment(0x2000)), Fate::punted, {}},
        {"an echo reply",
         "access0",
         from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(0).payload(8)),
         Fate::punted,
         {}},
        {"code 1",
         "access0",
         from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8, 1).payload(8)),
         Fate::punted,
         {}},
        {"no whole ICMP header",
         "access0",
         from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").protocol(1).payload(7)),
         Fate::punted,
         {}},
        {"from a source that is not accepted",
         "access0",
         from_contoso(Packet().ip4("11.0.0.1", "172.16.0.2").icmp(8)),
         Fate::source_not_accepted,
         {},
         kContoso},
        {"the core address is no address of the VRF", "access0", from_contoso(ping4("192.0.2.1")), Fate::no_route,
         back(error4("172.16.0.2", "10.0.0.1", 3, 0, 0, ping4("192.0.2.1"))), kContoso},
    });
}

TEST(Echo, FromTheCloud) {
    const auto ping = Packet().ip4("10.100.0.1", "172.16.0.2").icmp(8).payload(33);
    const auto pong = Packet().ip4("172.16.0.2", "10.100.0.1").df().icmp(0).payload(33);
    const auto ping6 = Packet().ip6("fd00:102::9", "fd00:172::6").icmp6(128).payload(33);
    const auto pong6 = Packet().ip6("fd00:172::6", "fd00:102::9").icmp6(129).payload(33);
    const auto core = [](const Packet& ip) { return Packet().ether(kCoreMac, kGatewayMac).then(ip); };
    const auto gateway = [](const Packet& ip) {
        return std::vector{output("core0", Packet().ether(kGatewayMac, kCoreMac).then(ip))};
    };
    const auto request = Packet().ip4("192.0.2.77", "192.0.2.1").icmp(8).payload(9);
    const auto request6 = Packet().ip6("2001:db8:ffff::77", "2001:db8:ffff::2").icmp6(128).payload(9);
    check({
        {"through the tunnel",
         "core0",
         from_gateway("v4key", ping),
         Fate::punted,
         {output("core0", to_gateway("v4key", 0, pong))}},
        {"through the IPv6 tunnel",
         "core0",
         from_gateway("v6key", ping6),
         Fate::punted,
         {output("core0", to_gateway("v6key", 0, pong6))}},
        {"the core address", "core0", core(request), Fate::punted,
         gateway(Packet().ip4("192.0.2.1", "192.0.2.77").df().icmp(0).payload(9))},
        {"padded", "core0", core(request).pad(9), Fate::punted,
         gateway(Packet().ip4("192.0.2.1", "192.0.2.77").df().icmp(0).payload(9))},
        {"a tunnel's own address", "core0", core(request6), Fate::punted,
         gateway(Packet().ip6("2001:db8:ffff::2", "2001:db8:ffff::77").icmp6(129).payload(9))},
        {"a wrong checksum", "core0", core(Packet(request).wrong_checksum()), Fate::punted, {}},
        {"from broadcast",
         "core0",
         core(Packet().ip4("255.255.255.255", "192.0.2.1").icmp(8).payload(9)),
         Fate::martian,
         {}},
        {"from loopback", "core0", core(Packet().ip4("127.0.0.1", "192.0.2.1").icmp(8).payload(9)), Fate::martian, {}},
        {"from ourselves", "core0", core(Packet().ip4("192.0.2.1", "192.0.2.1").icmp(8).payload(9)), Fate::punted, {}},
        {"from IPv6 multicast",
         "core0",
         core(Packet().ip6("ff02::1", "2001:db8:ffff::2").icmp6(128).payload(9)),
         Fate::martian,
         {}},
        {"another's address",
         "core0",
         core(Packet().ip4("192.0.2.77", "192.0.2.3").icmp(8).payload(9)),
         Fate::not_for_us,
         {}},
    });
}

TEST(Echo, LongerThanTheWayBack) {
    // The request came in whole over the access MTU of 1600; the secondary's 1300 is no way back for it.
    Edge edge(kPair);
    const auto ping = Packet().ip4("172.16.0.5", "172.16.0.2").icmp(8).payload(1272);
    EXPECT_EQ(edge.send("access1", {from_contoso_secondary(ping)}).out.size(), 1U);
    EXPECT_EQ(
        edge.send("core0", {from_gateway("v6key", Packet().ip4("10.100.0.1", "172.16.0.2").icmp(8).payload(1420))})
            .out.size(),
        1U);
    const auto longer = Packet().ip4("10.102.0.1", "172.16.0.2").icmp(8).payload(1440);
    EXPECT_TRUE(edge.send("core0", {from_gateway("v4none", longer)}).out.empty());
    EXPECT_EQ(edge.drops(Fate::too_big), 1U);
    EXPECT_EQ(edge.port("core0").originated, 2U);
}

TEST(Icmp, NoBufferNoAnswer) {
    Edge edge(kPair);
    edge.starve = true;
    const auto sent = edge.send(
        "access0", {from_contoso(Packet(up4()).ttl(1)), from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8))});
    EXPECT_EQ(sent.fates, (std::vector{Fate::ttl_expired, Fate::punted}));
    EXPECT_TRUE(sent.out.empty());
    edge.send("core0", {Packet().ether(kCoreMac, kGatewayMac).ip4("192.0.2.77", "192.0.2.1").icmp(8)});
    EXPECT_EQ(edge.port("core0").originated, 0U);
}

}  // namespace icmp_test
}  // namespace peerlane::test
