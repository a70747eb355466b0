// Ethernet, tags and whose frame it is: access ports.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace link_test {

Packet tagged(const std::vector<std::pair<unsigned, unsigned>>& tags, const Packet& ip = up4()) {
    Packet packet = Packet().ether(kAccess0Mac, kContosoMac);
    for (const auto& [vid, tpid] : tags) { packet.tag(vid, tpid); }
    return packet.then(ip);
}

TEST(Link, Tags) {
    const Output v4key = output("core0", to_gateway("v4key", 0, hop(up4())));
    const Output prod = output("core0", to_gateway("prod", 0, hop(up4())));
    check({
        {"88a8 outside", "access0", tagged({{100, 0x88a8}, {10, 0x8100}}), Fate::sent, {v4key}},
        {"8100 outside", "access0", tagged({{100, 0x8100}, {10, 0x8100}}), Fate::sent, {v4key}},
        {"9100 outside", "access0", tagged({{100, 0x9100}, {10, 0x8100}}), Fate::sent, {v4key}},
        {"one tag, 8100", "access0", tagged({{100, 0x8100}}), Fate::sent, {prod}},
        {"one tag, 88a8", "access0", tagged({{100, 0x88a8}}), Fate::sent, {prod}},
        {"one tag, 9100", "access0", tagged({{100, 0x9100}}), Fate::sent, {prod}},
        {"priority and DEI are no part of the VID",
         "access0",
         tagged({{0xf064, 0x88a8}, {0xf00a, 0x8100}}),
         Fate::sent,
         {v4key}},
        {"88a8 inside", "access0", tagged({{100, 0x88a8}, {10, 0x88a8}}), Fate::bad_tag, {}},
        {"9100 inside", "access0", tagged({{100, 0x88a8}, {10, 0x9100}}), Fate::bad_tag, {}},
        {"three tags", "access0", tagged({{100, 0x88a8}, {10, 0x8100}, {10, 0x8100}}), Fate::bad_tag, {}},
        {"three tags, 88a8 last", "access0", tagged({{100, 0x88a8}, {10, 0x8100}, {10, 0x88a8}}), Fate::bad_tag, {}},
        {"VID 4095", "access0", tagged({{4095, 0x8100}}), Fate::bad_tag, {}},
        {"VID 4095 inside", "access0", tagged({{100, 0x88a8}, {4095, 0x8100}}), Fate::bad_tag, {}},
        {"untagged", "access0", tagged({}), Fate::unknown_vlan, {}},
        {"unknown outer tag", "access0", tagged({{101, 0x88a8}, {10, 0x8100}}), Fate::unknown_vlan, {}},
        {"unknown inner tag", "access0", tagged({{100, 0x88a8}, {11, 0x8100}}), Fate::unknown_vlan, {}},
        {"tags swapped", "access0", tagged({{10, 0x88a8}, {100, 0x8100}}), Fate::unknown_vlan, {}},
        {"an unknown single tag", "access0", tagged({{10, 0x8100}}), Fate::unknown_vlan, {}},
        {"an attachment of another port", "access1", tagged({{100, 0x8100}}), Fate::unknown_vlan, {}},
    });
}

TEST(Link, Runts) {
    const auto frame = from_contoso(up4());
    const auto plain = Packet().ether(kAccess0Mac, kContosoMac).then(up4());
    std::vector<Case> cases;
    const auto is = [&](const char* name, const Packet& packet, std::size_t length, Fate fate,
                        const char* circuit = "") {
        cases.push_back({name, "access0", Packet(packet).truncate(length), fate, {}, circuit});
    };
    is("nothing", frame, 0, Fate::runt);
    is("one octet", frame, 1, Fate::runt);
    is("a MAC", frame, 6, Fate::runt);
    is("no whole EtherType", frame, 13, Fate::runt);
    is("a TPID without its tag", frame, 14, Fate::runt);
    is("half a tag", frame, 16, Fate::runt);
    is("the inner tag's TPID", frame, 18, Fate::runt);
    is("half an inner tag", frame, 21, Fate::runt);
    is("tags and nothing else", frame, 22, Fate::truncated, kContoso);
    is("untagged and nothing else", plain, 14, Fate::unknown_vlan);
    is("untagged and three octets", plain, 17, Fate::unknown_vlan);
    check(cases);
}

TEST(Link, Addresses) {
    constexpr std::string_view kWithMac = R"(
ports:
  access0: { role: access, mtu: 1600, mac: "02:00:00:00:aa:01" }
  core0: { role: core, mtu: 1500, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe", mac: "02:00:00:00:aa:02" }
customers:
  - name: contoso
    circuits:
      - { name: pair, port: access0, bandwidth: 1 Gbps, peerings: [
          { type: private, vlan: 10, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:01:01",
            customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: prod, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 } } ] } ] }
  - name: fabrikam
    circuits:
      - { name: single, port: access0, bandwidth: 1 Gbps, peerings: [
          { type: private, vlan: 11, subnet: 172.16.0.0/30 } ] }
)";
    const auto to = [](std::string_view mac) { return Packet().ether(mac, kContosoMac).tag(10).then(up4()); };
    const auto tunnelled = [](std::string_view mac) {
        return Packet().ether(mac, kGatewayMac).ip4("198.51.100.7", "192.0.2.1").gre(1).then(down4());
    };
    const auto arp = [](std::string_view mac, unsigned vid) {
        return Packet().ether(mac, kContosoMac).tag(vid).ether_type(0x0806).payload(28);
    };
    check(
        {
            {"ours",
             "access0",
             to("02:00:00:00:aa:01"),
             Fate::sent,
             {output("core0", Packet()
                                  .ether(kGatewayMac, "02:00:00:00:aa:02")
                                  .ip4("192.0.2.1", "198.51.100.7")
                                  .df()
                                  .gre(1)
                                  .then(hop(up4())))}},
            {"somebody else's", "access0", to("02:00:00:00:aa:02"), Fate::not_for_us, {}},
            {"differs in the last bit", "access0", to("02:00:00:00:aa:00"), Fate::not_for_us, {}},
            {"differs in the first octet", "access0", to("06:00:00:00:aa:01"), Fate::not_for_us, {}},
            {"broadcast", "access0", to("ff:ff:ff:ff:ff:ff"), Fate::multicast, {}, kContoso},
            {"IPv4 multicast", "access0", to("01:00:5e:00:00:05"), Fate::multicast, {}, kContoso},
            {"ARP to all", "access0", arp("ff:ff:ff:ff:ff:ff", 10), Fate::punted, {}},
            {"ARP to us", "access0", arp("02:00:00:00:aa:01", 10), Fate::punted, {}},
            {"ARP to somebody else", "access0", arp("02:00:00:00:aa:02", 10), Fate::not_for_us, {}},
            {"ARP in an unknown VLAN", "access0", arp("ff:ff:ff:ff:ff:ff", 12), Fate::unknown_vlan, {}},
            {"core: ours",
             "core0",
             tunnelled("02:00:00:00:aa:02"),
             Fate::sent,
             {output("access0", Packet().ether(kContosoMac, "02:00:00:00:aa:01").tag(10).then(hop(down4())))}},
            {"core: the access port's", "core0", tunnelled("02:00:00:00:aa:01"), Fate::not_for_us, {}},
            {"core: broadcast", "core0", tunnelled("ff:ff:ff:ff:ff:ff"), Fate::multicast, {}},
        },
        kWithMac);
}

TEST(Link, OtherEtherTypes) {
    const auto of = [](unsigned type) { return from_contoso(up4()).ether_type(type); };
    check({
        {"LLDP", "access0", of(0x88cc), Fate::not_ip, {}, kContoso},
        {"PPPoE", "access0", of(0x8864), Fate::not_ip, {}, kContoso},
        {"an IEEE 802.3 length", "access0", of(100), Fate::not_ip, {}, kContoso},
        {"EtherType 1", "access0", of(1), Fate::not_ip, {}, kContoso},
        {"EtherType 0", "access0", of(0), Fate::not_ip, {}, kContoso},
        {"MPLS to the single-tagged", "access0", from_fabrikam(up4()).ether_type(0x8847), Fate::not_ip, {}, kFabrikam},
    });
}

TEST(Link, NeighbourDiscoveryIsPunted) {
    const auto discovery = [](unsigned type, unsigned hops, const char* mac, const char* from, const char* to) {
        return Packet().ether(mac, kContosoMac).tag(100).tag(10).ip6(from, to).ttl(hops).icmp6(type, 0, 0).payload(16);
    };
    const char* group = "33:33:ff:00:00:02";
    check({
        {"solicitation", "access0", discovery(135, 255, group, "fe80::1", "ff02::1:ff00:2"), Fate::punted, {}},
        {"solicitation from a global address",
         "access0",
         discovery(135, 255, group, "fd00:172::1", "ff02::1:ff00:2"),
         Fate::punted,
         {}},
        {"duplicate address detection",
         "access0",
         discovery(135, 255, group, "::", "ff02::1:ff00:2"),
         Fate::punted,
         {}},
        {"unicast solicitation", "access0", discovery(135, 255, kAccess0Mac, "fe80::1", "fe80::2"), Fate::punted, {}},
        {"advertisement", "access0", discovery(136, 255, kAccess0Mac, "fe80::1", "fe80::2"), Fate::punted, {}},
        {"router solicitation",
         "access0",
         discovery(133, 255, "33:33:00:00:00:02", "fe80::1", "ff02::2"),
         Fate::punted,
         {}},
        {"crossed a router",
         "access0",
         discovery(135, 254, group, "fe80::1", "ff02::1:ff00:2"),
         Fate::multicast,
         {},
         kContoso},
        {"echo request", "access0", discovery(128, 255, group, "fe80::1", "ff02::1"), Fate::multicast, {}, kContoso},
        {"no neighbour discovery",
         "access0",
         discovery(132, 255, kAccess0Mac, "fe80::1", "fd00:100::1"),
         Fate::martian,
         {},
         kContoso},
        {"cut short",
         "access0",
         discovery(135, 255, group, "fe80::1", "ff02::1:ff00:2").truncate(22 + 40),
         Fate::multicast,
         {},
         kContoso},
    });
}

TEST(Link, Chains) {
    const auto frame = from_contoso(up4());
    const Output v4key = output("core0", to_gateway("v4key", 0, hop(up4())));
    for (unsigned segments = 2; segments <= frame.size(); segments += 7) {
        SCOPED_TRACE(segments);
        check({{"a chain", "access0", Packet(frame).segments(segments), Fate::sent, {v4key}},
               {"a chain from the core",
                "core0",
                from_gateway("v4key", down4()).segments(segments),
                Fate::sent,
                {output("access0", at_contoso(hop(down4())))}}});
    }
    // The first buffer has no room for what is in the others.
    Edge edge(kPair);
    const auto huge = Packet(from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").udp().payload(12'000))).segments(2);
    ASSERT_GT(huge.size() + huge.room(), edge.buffer_size());
    check({{"longer than a buffer", "access0", huge, Fate::chained, {}},
           {"the same from the core",
            "core0",
            from_gateway("v4key", Packet().ip4("10.100.0.1", "10.0.0.1").udp().payload(12'000)).segments(2),
            Fate::chained,
            {}}});
}

TEST(Link, Headroom) {
    const auto frame = from_contoso(up4());
    // The tags go, 64 octets before the IP header are needed.
    for (unsigned room = 0; room < 64 - 22; room += 7) {
        check({{"too little", "access0", Packet(frame).headroom(room), Fate::no_headroom, {}}});
    }
    check({{"one too little", "access0", Packet(frame).headroom(41), Fate::no_headroom, {}},
           {"just enough",
            "access0",
            Packet(frame).headroom(42),
            Fate::sent,
            {output("core0", to_gateway("v4key", 0, hop(up4())))}},
           {"just enough for IPv6",
            "access0",
            from_contoso(up4("10.102.0.1")).headroom(42),
            Fate::sent,
            {output("core0", to_gateway("v6key", 0, hop(up4("10.102.0.1"))))}},
           {"from the core, where headers go",
            "core0",
            from_gateway("v4key", down4()).headroom(22),
            Fate::sent,
            {output("access0", at_contoso(hop(down4())))}}});
}

}  // namespace link_test
}  // namespace peerlane::test
