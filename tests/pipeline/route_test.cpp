// The VRF: accepted sources, longest prefixes, default routes, overlapping customers, both links of a pair, tunnels.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace route_test {

TEST(Guard, Sources) {
    const auto from = [](std::string_view source) { return up4("10.100.0.1", source); };
    const auto sent = [&](std::string_view source) {
        return std::vector{output("core0", to_gateway("v4key", 0, hop(from(source))))};
    };
    const auto refused = Fate::source_not_accepted;
    check({
        {"first accepted", "access0", from_contoso(from("10.0.0.0")), Fate::sent, sent("10.0.0.0")},
        {"last accepted", "access0", from_contoso(from("10.0.255.255")), Fate::sent, sent("10.0.255.255")},
        {"before the first", "access0", from_contoso(from("9.255.255.255")), refused, {}, kContoso},
        {"after the last", "access0", from_contoso(from("10.1.0.0")), refused, {}, kContoso},
        {"a prefix inside a cloud prefix", "access0", from_contoso(from("10.100.9.5")), Fate::sent, sent("10.100.9.5")},
        {"a cloud address", "access0", from_contoso(from("10.100.8.5")), refused, {}, kContoso},
        {"the customer's end of the link", "access0", from_contoso(from("172.16.0.1")), Fate::sent, sent("172.16.0.1")},
        {"our end of the link", "access0", from_contoso(from("172.16.0.2")), refused, {}, kContoso},
        {"the secondary's subnet on the primary", "access0", from_contoso(from("172.16.0.5")), refused, {}, kContoso},
        {"the secondary's subnet on the secondary", "access1", from_contoso_secondary(from("172.16.0.5")), Fate::sent,
         sent("172.16.0.5")},
        {"the primary's subnet on the secondary",
         "access1",
         from_contoso_secondary(from("172.16.0.1")),
         refused,
         {},
         kContoso},
        {"our end of the secondary", "access1", from_contoso_secondary(from("172.16.0.6")), refused, {}, kContoso},
        {"accepted prefixes hold on both links", "access1", from_contoso_secondary(from("10.0.0.1")), Fate::sent,
         sent("10.0.0.1")},
        {"IPv6: the link on its link",
         "access0",
         from_contoso(up6("fd00:100::1", "fd00:172::1")),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(up6("fd00:100::1", "fd00:172::1"))))}},
        {"IPv6: the link on the other link",
         "access1",
         from_contoso_secondary(up6("fd00:100::1", "fd00:172::1")),
         refused,
         {},
         kContoso},
        {"IPv6: our own", "access0", from_contoso(up6("fd00:100::1", "fd00:172::2")), refused, {}, kContoso},
        {"IPv6: outside", "access0", from_contoso(up6("fd00:100::1", "fd00:11::1")), refused, {}, kContoso},
        {"a default route towards the cloud accepts nothing",
         "access0",
         from_fabrikam(up4("8.8.8.8", "11.0.0.1")),
         refused,
         {},
         kFabrikam},
    });
}

TEST(Route, LongestPrefix) {
    const auto to = [](std::string_view network, const Packet& ip) {
        return std::vector{output("core0", to_gateway(network, 0, hop(ip)))};
    };
    check({
        {"the longer of two cloud prefixes", "access0", from_contoso(up4("10.100.7.9")), Fate::sent,
         to("v6key", up4("10.100.7.9"))},
        {"just beside it", "access0", from_contoso(up4("10.100.8.0")), Fate::sent, to("v4key", up4("10.100.8.0"))},
        {"a customer prefix inside a cloud prefix",
         "access0",
         from_contoso(up4("10.100.9.9")),
         Fate::sent,
         {output("access0", at_contoso(hop(up4("10.100.9.9"))))}},
        {"IPv6", "access0", from_contoso(up6("fd00:102::1")), Fate::sent, to("v6key", up6("fd00:102::1"))},
        {"a default route", "access0", from_fabrikam(up4("8.8.8.8")), Fate::sent, to("prod", up4("8.8.8.8"))},
        {"an IPv6 default route", "access0", from_fabrikam(up6("2001:4860::8")), Fate::sent,
         to("prod", up6("2001:4860::8"))},
        {"the link's subnet before the default route",
         "access0",
         from_fabrikam(up4("172.16.0.1")),
         Fate::sent,
         {output("access0", at_fabrikam(hop(up4("172.16.0.1"))))}},
        {"the same addresses at one customer", "access0", from_contoso(up4()), Fate::sent, to("v4key", up4())},
        {"the same addresses at the other", "access0", from_fabrikam(up4()), Fate::sent, to("prod", up4())},
    });
}

TEST(Route, BackToTheCustomer) {
    // Both ends of a pair are in one VRF; customer prefixes are behind the primary link.
    check({
        {"from the primary to the secondary's router",
         "access0",
         from_contoso(up4("172.16.0.5")),
         Fate::sent,
         {output("access1", at_contoso_secondary(hop(up4("172.16.0.5"))))}},
        {"from the secondary to the primary's router",
         "access1",
         from_contoso_secondary(up4("172.16.0.1")),
         Fate::sent,
         {output("access0", at_contoso(hop(up4("172.16.0.1"))))}},
        {"from the secondary to a customer prefix",
         "access1",
         from_contoso_secondary(up4("10.0.9.9")),
         Fate::sent,
         {output("access0", at_contoso(hop(up4("10.0.9.9"))))}},
        {"IPv6",
         "access0",
         from_contoso(up6("fd00:172::5")),
         Fate::sent,
         {output("access1", at_contoso_secondary(hop(up6("fd00:172::5"))))}},
        {"from the cloud to the secondary's router",
         "core0",
         from_gateway("v4key", down4("172.16.0.5")),
         Fate::sent,
         {output("access1", at_contoso_secondary(hop(down4("172.16.0.5"))))}},
    });
}

TEST(Route, FromTheCloud) {
    const auto cloud = Fate::from_cloud_to_cloud;
    check({
        {"to another tunnel", "core0", from_gateway("v4key", down4("10.101.0.1")), cloud, {}, kContoso},
        {"to its own tunnel", "core0", from_gateway("v4key", down4("10.100.0.9")), cloud, {}, kContoso},
        {"to another tunnel, IPv6", "core0", from_gateway("v6key", down6("fd00:101::1")), cloud, {}, kContoso},
        {"to a default route", "core0", from_gateway("prod", down4("8.8.8.8")), cloud, {}, kFabrikam},
        {"any inner source is taken",
         "core0",
         from_gateway("v4key", down4("10.0.0.1", "203.0.113.9")),
         Fate::sent,
         {output("access0", at_contoso(hop(down4("10.0.0.1", "203.0.113.9"))))}},
        {"a martian source is not",
         "core0",
         from_gateway("v4key", down4("10.0.0.1", "127.0.0.1")),
         Fate::martian,
         {},
         kContoso},
        {"to multicast", "core0", from_gateway("v4key", down4("239.1.1.1")), Fate::multicast, {}, kContoso},
        {"to a link's broadcast address",
         "core0",
         from_gateway("v4key", down4("172.16.0.3")),
         Fate::multicast,
         {},
         kContoso},
        {"neighbour discovery does not come out of tunnels",
         "core0",
         from_gateway("v4key", Packet().ip6("fe80::1", "ff02::1:ff00:2").ttl(255).icmp6(135, 0, 0).payload(16)),
         Fate::multicast,
         {},
         kContoso},
    });
}

TEST(Route, NoNeighbour) {
    constexpr std::string_view kUnresolved = R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1500, address: 192.0.2.1/24 }
  access1: { role: access, mtu: 1600 }
customers:
  - name: contoso
    circuits:
      - { name: pair, links: { primary: access0, secondary: access1 }, service_vlan: 100, bandwidth: 1 Gbps, peerings: [
          { type: private, vlan: 10, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
            customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: v4key, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01 } } ] } ] }
  - name: fabrikam
    circuits: [ { name: single, port: access0, bandwidth: 1 Gbps, peerings: [ { type: private, vlan: 7, subnet: 10.9.9.0/30 } ] } ]
)";
    const auto none = Fate::no_neighbour;
    check(
        {
            {"the gateway", "access0", from_contoso(up4()), none, {}, kContoso},
            {"the customer", "core0", from_gateway("v4key", down4()), none, {}, kContoso},
            {"the other link", "access0", from_contoso(up4("172.16.0.5")), none, {}, kContoso},
        },
        kUnresolved);
    Edge edge(kUnresolved);
    // Answers have nowhere to go either: originated, and dropped.
    edge.send("access0", {from_contoso(Packet(up4()).ttl(1)),
                          from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8).payload(8))});
    EXPECT_EQ(edge.port("access0").originated, 2U);
    EXPECT_EQ(edge.drops(Fate::no_neighbour), 2U);
    // But for who is next to the core port: back to where it came from.
    const auto echoed =
        edge.send("core0", {Packet().ether(kCoreMac, kGatewayMac).ip4("192.0.2.254", "192.0.2.1").icmp(8).payload(8)});
    EXPECT_EQ(edge.port("core0").originated, 1U);
    expect_out(
        echoed,
        {{"core0",
          Packet().ether(kGatewayMac, kCoreMac).ip4("192.0.2.1", "192.0.2.254").df().icmp(0).payload(8).octets()}});
}

}  // namespace route_test
}  // namespace peerlane::test
