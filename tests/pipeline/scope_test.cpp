// Addresses that mean something on one link only, and others that are never forwarded: whom a packet is for is asked
// before what its addresses are.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace scope_test {

// Made of the ports' MACs (RFC 4291 Appendix A).
constexpr const char* kAccessLocal = "fe80::ff:fe00:0";
constexpr const char* kCoreLocal = "fe80::ff:fe00:1";
constexpr const char* kStation = "02:00:00:00:77:77";

Packet ask6(std::string_view from, std::string_view to) {
    return Packet().ip6(from, to).icmp6(128).payload(21);
}
Packet reply6(std::string_view from, std::string_view to) {
    return Packet().ip6(from, to).icmp6(129).payload(21);
}
/// From a station on contoso's primary link that is not its router, and back to it.
Packet from_station(const Packet& ip) {
    return Packet().ether(kAccess0Mac, kStation).tag(100, 0, 3).tag(10, 0, 3).then(ip);
}
Packet at_station(const Packet& ip) {
    return Packet().ether(kStation, kAccess0Mac).tag(100, 0, 3).tag(10, 0, 3).then(ip);
}

TEST(Scope, LinkLocalOnAnAccessLink) {
    const auto answered = [](const char* name, std::string_view from, std::string_view to) {
        return Case{name,
                    "access0",
                    from_station(ask6(from, to)),
                    Fate::punted,
                    {output("access0", at_station(reply6(to, from)))}};
    };
    const auto punted = [](const char* name, const Packet& ip) {
        return Case{name, "access0", from_station(ip), Fate::punted, {}};
    };
    check({
        answered("to the edge's link-local address", "fe80::77", kAccessLocal),
        answered("from link-local to the edge's own address", "fe80::77", "fd00:172::2"),
        answered("to the edge's address on the other link", "fe80::77", "fd00:172::6"),
        punted("another's link-local address", ask6("fe80::77", "fe80::1")),
        punted("no next header to the edge's own address", Packet().ip6("fe80::77", "fd00:172::2").protocol(59)),
        {"from a global address to link-local",
         "access0",
         from_contoso(ask6("fd00:10::1", kAccessLocal)),
         Fate::punted,
         {output("access0", at_contoso(reply6(kAccessLocal, "fd00:10::1")))}},
        // A reply goes to nobody but a customer.
        {"from a cloud address to link-local",
         "access0",
         from_contoso(ask6("fd00:100::1", kAccessLocal)),
         Fate::punted,
         {}},
        {"from link-local to the cloud",
         "access0",
         from_station(ask6("fe80::77", "fd00:100::1")),
         Fate::martian,
         {},
         kContoso},
        {"from link-local to the customer's router",
         "access0",
         from_station(ask6("fe80::77", "fd00:172::1")),
         Fate::martian,
         {},
         kContoso},
        {"from multicast", "access0", from_station(ask6("ff02::1", "fd00:172::2")), Fate::martian, {}, kContoso},
        {"from ::", "access0", from_station(ask6("::", "fd00:172::2")), Fate::martian, {}, kContoso},
        {"through a tunnel to link-local",
         "core0",
         from_gateway("v4key", ask6("fd00:100::1", kAccessLocal)),
         Fate::martian,
         {},
         kContoso},
        {"through a tunnel from link-local",
         "core0",
         from_gateway("v4key", ask6("fe80::77", "fd00:172::2")),
         Fate::martian,
         {},
         kContoso},
    });
}

TEST(Scope, LinkLocalOnTheCore) {
    const auto core = [](const Packet& ip) { return Packet().ether(kCoreMac, kStation).then(ip); };
    const auto back = [](std::string_view to, const Packet& ip) {
        return std::vector{output("core0", Packet().ether(to, kCoreMac).then(ip))};
    };
    check({
        {"to the edge's link-local address", "core0", core(ask6("fe80::77", kCoreLocal)), Fate::punted,
         back(kStation, reply6(kCoreLocal, "fe80::77"))},
        {"from a global address", "core0", core(ask6("2001:db8:9::1", kCoreLocal)), Fate::punted,
         back(kGatewayMac, reply6(kCoreLocal, "2001:db8:9::1"))},
        {"from link-local to the core address", "core0", core(ask6("fe80::77", "2001:db8:ffff::1")), Fate::punted,
         back(kStation, reply6("2001:db8:ffff::1", "fe80::77"))},
        {"another's link-local address", "core0", core(ask6("fe80::77", "fe80::1")), Fate::punted, {}},
        {"from multicast", "core0", core(ask6("ff02::1", kCoreLocal)), Fate::martian, {}},
        {"from ::1", "core0", core(ask6("::1", kCoreLocal)), Fate::martian, {}},
        {"IPv4 link-local", "core0", core(Packet().ip4("169.254.1.1", "192.0.2.1").icmp(8).payload(5)), Fate::punted,
         back(kStation, Packet().ip4("192.0.2.1", "169.254.1.1").df().icmp(0).payload(5))},
    });
}

TEST(Scope, LinkSubnetsOfLinkLocalAddresses) {
    std::string yaml(kPair);
    for (const char* before : {"subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }"}) {
        yaml.replace(yaml.find(before), std::string_view(before).size(),
                     "subnets: { primary: 169.254.0.0/30, secondary: 169.254.0.4/30 }");
    }
    const auto ping = [](std::string_view from, std::string_view to) {
        return Packet().ip4(from, to).icmp(8).payload(9);
    };
    const auto pong = Packet().ip4("169.254.0.2", "169.254.0.1").df().icmp(0).payload(9);
    check(
        {
            {"to the edge",
             "access0",
             from_contoso(ping("169.254.0.1", "169.254.0.2")),
             Fate::punted,
             {output("access0", at_contoso(pong))}},
            {"a timestamp request to the edge",
             "access0",
             from_contoso(Packet().ip4("169.254.0.1", "169.254.0.2").icmp(13).payload(12)),
             Fate::punted,
             {}},
            {"from elsewhere to the edge",
             "access0",
             from_contoso(ping("169.254.9.1", "169.254.0.2")),
             Fate::source_not_accepted,
             {},
             kContoso},
            {"into the cloud", "access0", from_contoso(ping("169.254.0.1", "10.100.0.1")), Fate::martian, {}, kContoso},
            {"to the other link",
             "access0",
             from_contoso(ping("169.254.0.1", "169.254.0.5")),
             Fate::martian,
             {},
             kContoso},
            {"from the cloud to the router",
             "core0",
             from_gateway("v4key", ping("10.100.0.1", "169.254.0.1")),
             Fate::martian,
             {},
             kContoso},
            {"from the cloud, from link-local",
             "core0",
             from_gateway("v4key", ping("169.254.7.7", "169.254.0.2")),
             Fate::martian,
             {},
             kContoso},
        },
        yaml);
}

TEST(Scope, NeverForwardedInsideATunnel) {
    std::vector<Case> cases;
    const auto dropped = [&](const char* name, const Packet& ip) {
        cases.push_back({name, "core0", from_gateway("v4key", ip), Fate::martian, {}, kContoso});
    };
    for (const char* address : {"0.1.2.3", "127.0.0.1", "169.254.1.1", "240.0.0.1", "224.0.0.1", "255.255.255.255"}) {
        dropped(address, down4("10.0.0.1", address));
    }
    for (const char* address : {"0.1.2.3", "127.0.0.1", "169.254.1.1", "240.0.0.1"}) {
        dropped(address, down4(address));
    }
    for (const char* address : {"::", "::1", "::ffff:10.0.0.1", "fe80::1"}) {
        dropped(address, down6("fd00:10::1", address));
        dropped(address, down6(address));
    }
    for (const char* address : {"::ffff:10.0.0.1", "::ffff:0.0.0.0"}) {
        cases.push_back({address, "access0", from_contoso(up6("fd00:100::1", address)), Fate::martian, {}, kContoso});
        cases.push_back({address, "access0", from_contoso(up6(address)), Fate::martian, {}, kContoso});
    }
    // One octet more or less is somebody's.
    cases.push_back({"169.253",
                     "access0",
                     from_fabrikam(up4("169.253.1.1")),
                     Fate::sent,
                     {output("core0", to_gateway("prod", 0, hop(up4("169.253.1.1"))))}});
    cases.push_back({"::2",
                     "access0",
                     from_fabrikam(up6("::2")),
                     Fate::sent,
                     {output("core0", to_gateway("prod", 0, hop(up6("::2"))))}});
    check(cases);
}

TEST(Scope, GreBetweenOthersIsNotJudged) {
    const auto between = [] { return Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.7", "192.0.2.77"); };
    const auto between6 = [] { return Packet().ether(kCoreMac, kGatewayMac).ip6("2001:db8::1", "2001:db8::2"); };
    const auto is = [](const char* name, const Packet& outer) {
        return Case{name, "core0", Packet(outer).then(down4()), Fate::not_for_us, {}};
    };
    check({
        is("version 1", between().gre(1).gre_flags(1)),
        is("bit 1", between().gre(1).gre_flags(0x4000)),
        is("a wrong checksum", between().gre(1).gre_checksum().wrong_checksum()),
        is("IPv6, version 1", between6().gre(1).gre_flags(1)),
        {"no room for the key", "core0", between().gre(1).truncate(14 + 24).total_length(24), Fate::not_for_us, {}},
        {"longer than the MTU", "core0", between().gre(1).payload(1500), Fate::not_for_us, {}},
        {"IPv6, longer than the MTU", "core0", between6().gre(1).payload(1500), Fate::not_for_us, {}},
    });
}

}  // namespace scope_test
}  // namespace peerlane::test
