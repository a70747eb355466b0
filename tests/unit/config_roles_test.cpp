// Who has which address on which segment, and prefixes that no forwarded packet has.
#include <gtest/gtest.h>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

std::string core(const std::string& more) {
    return "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254, " + more + " }";
}
const std::string kCoreSix =
    "gateway_mac: \"02:00:00:00:00:fe\", address6: \"2001:db8::1/64\", gateway6: \"2001:db8::fe\"";

Edit tunnel(const std::string& local, const std::string& remote, const std::string& more = "") {
    return {22, "                tunnel: { local: " + local + ", remote: " + remote + ", key: 1 }" + more};
}

TEST(ConfigRoles, EndsOfTunnels) {
    const std::string six = "\"2001:db8:cafe::7\"";
    run_cases({
        {"another address of the core's subnet", {tunnel("192.0.2.9", "192.0.2.10")}, {}},
        {"of no subnet", {tunnel("203.0.113.1", "198.51.100.7")}, {}},
        {"the remote end is the gateway", {tunnel("192.0.2.1", "192.0.2.254")}, {}},
        {"local is the gateway",
         {tunnel("192.0.2.254", "198.51.100.7")},
         {{"22@192.0.2.254 error", "local: 192.0.2.254 is the gateway of port c0, at f.yaml:5:64",
           "only the edge has"}}},
        {"local is the network",
         {tunnel("192.0.2.0", "198.51.100.7")},
         {{"22@192.0.2.0 error", "local: 192.0.2.0 is the network address of the subnet of port c0", "only the edge"}}},
        {"local is the broadcast address",
         {tunnel("192.0.2.255", "198.51.100.7")},
         {{"22@192.0.2.255 error", "the broadcast address of the subnet of port c0", "only the edge has"}}},
        {"remote is the broadcast address",
         {tunnel("192.0.2.1", "192.0.2.255")},
         {{"22@192.0.2.255 error", "remote: 192.0.2.255 is the broadcast address", "the cloud gateway"}}},
        {"remote is the edge's own",
         {tunnel("192.0.2.9", "192.0.2.1")},
         {{"22@192.0.2.1 error", "remote: 192.0.2.1 is the address of port c0, at f.yaml:5:41", "the cloud gateway"}}},
        {"remote is another tunnel's local end",
         {tunnel("192.0.2.9", "203.0.113.1"),
          {38, "                tunnel: { local: 203.0.113.1, remote: 198.51.100.7, key: 2 }"}},
         {{"22@203 error", "remote: 203.0.113.1 is the local end of a tunnel, at f.yaml:38:34", "the cloud gateway"}}},
        {"IPv6: local is the gateway",
         {{5, core(kCoreSix)}, tunnel("\"2001:db8::fe\"", six)},
         {{"22@\"2001:db8::fe error", "local: 2001:db8::fe is the gateway of port c0", "only the edge has"}}},
        {"IPv6: local is the routers' anycast address",
         {{5, core(kCoreSix)}, tunnel("\"2001:db8::\"", six)},
         {{"22@\"2001:db8::\" error", "local: 2001:db8:: is the routers' anycast address", "only the edge has"}}},
        {"IPv6: remote is the edge's own",
         {{5, core(kCoreSix)}, tunnel("\"2001:db8::2\"", "\"2001:db8::1\"")},
         {{"22@\"2001:db8::1 error", "remote: 2001:db8::1 is the address of port c0", "the cloud gateway"}}},
        {"link-local ends",
         {tunnel("169.254.0.1", "169.254.0.2")},
         {{"22@169.254.0.1 error", "local: 169.254.0.1 is link-local", "only the edge has"},
          {"22@169.254.0.2 error", "remote: 169.254.0.2 is link-local", "the cloud gateway"}}},
        {"ESP's own ends",
         {{1, "edge: { workers: 1 }"},
          tunnel("10.9.9.1", "10.9.9.2",
                 "\n                ipsec:\n                  suite: aes-gcm-128\n"
                 "                  local: 192.0.2.254\n                  remote: 192.0.2.1\n"
                 "                  outbound: { spi: 256, key: a1f0c3d2e5b4978689fa1b2c3d4e5f6071829304 }\n"
                 "                  inbound: { spi: 257, key: b1f0c3d2e5b4978689fa1b2c3d4e5f6071829304 }")},
         {{"25@192 error", "local: 192.0.2.254 is the gateway of port c0", "only the edge has"},
          {"26@192 error", "remote: 192.0.2.1 is the address of port c0", "the cloud gateway"}}},
    });
}

TEST(ConfigRoles, Gateways) {
    const auto with = [](const std::string& gateway) {
        return "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway_mac: \"02:00:00:00:00:fe\", gateway: " +
               gateway + " }";
    };
    const std::string second =
        "\n  c1: { role: core, mtu: 9000, address: 192.0.2.254/24, gateway: 192.0.2.9, gateway_mac: "
        "\"02:00:00:00:00:fd\" }";
    run_cases({
        {"the broadcast address",
         {{5, with("192.0.2.255")}},
         {{"5@192.0.2.255 error", "gateway: 192.0.2.255 is the broadcast address", "next hop"}}},
        {"the network",
         {{5, with("192.0.2.0")}},
         {{"5@192.0.2.0 error", "gateway: 192.0.2.0 is the network address", "next hop"}}},
        {"a /31 has neither",
         {{5,
           "  c0: { role: core, mtu: 9000, address: 192.0.2.1/31, gateway: 192.0.2.0, gateway_mac: "
           "\"02:00:00:00:00:fe\" }"}},
         {}},
        {"another port of the edge",
         {{5, with("192.0.2.254") + second}},
         {{"5@192.0.2.254 } error", "gateway: 192.0.2.254 is the address of port c1, at f.yaml:6:41", "next hop"}}},
        {"the edge's own link-local address",
         {{5, core("mac: \"02:00:00:00:00:01\", gateway_mac: \"02:00:00:00:00:fe\", address6: \"2001:db8::1/64\", "
                   "gateway6: \"fe80::ff:fe00:1\"")}},
         {{"5@\"fe80 error", "gateway6: fe80::ff:fe00:1 is the edge's own link-local address", "next hop"}}},
        {"another link-local address",
         {{5, core("mac: \"02:00:00:00:00:01\", gateway_mac: \"02:00:00:00:00:fe\", address6: \"2001:db8::1/64\", "
                   "gateway6: \"fe80::ff:fe00:2\"")}},
         {}},
    });
}

TEST(ConfigRoles, Macs) {
    run_cases({
        {"the gateway has ours",
         {{5, core("gateway_mac: \"02:00:00:00:00:0c\", mac: \"02:00:00:00:00:0c\"")}},
         {{"5@\"02:00:00:00:00:0c\", error", "gateway_mac: 02:00:00:00:00:0c is the edge's own on port c0",
           "next hop"}}},
        {"the customer has ours",
         {{3, "  a0: { role: access, mtu: 1500, mac: \"02:00:00:00:01:01\" }"}},
         {{"17@\"02 error", "customer_mac: 02:00:00:00:01:01 is the edge's own on port a0, at f.yaml:3:39",
           "the customer's router"}}},
        {"on the second link",
         {{4, "  a1: { role: access, mtu: 1500, mac: \"02:00:00:00:01:01\" }"},
          {10, "        links: { primary: a0, secondary: a1 }"},
          {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"}},
         {{"17@\"02 error", "is the edge's own on port a1", "the customer's router"}}},
        {"another segment's", {{4, "  a1: { role: access, mtu: 1500, mac: \"02:00:00:00:01:01\" }"}}, {}},
    });
}

TEST(ConfigRoles, PrefixesThatNoPacketHas) {
    for (const std::string prefix :
         {"127.0.0.0/8", "127.1.0.0/16", "0.0.0.0/8", "0.1.2.3/32", "224.0.0.0/4", "239.1.0.0/16", "240.0.0.0/4",
          "224.0.0.0/3", "255.255.255.255/32", "169.254.0.0/16", "169.254.9.0/24", "fe80::/10", "fe80::/64", "ff00::/8",
          "ff02::/16", "::1/128", "::/128", "::/127"}) {
        SCOPED_TRACE(prefix);
        const std::string what = prefix == "224.0.0.0/3" || prefix == "::/127" ? "is partly in" : " is in ";
        run_cases({{"accepted from the customer",
                    {{18, "            customer_prefixes: [10.0.0.0/16, \"" + prefix +
                              "\"]\n            subnet6: fd00::/126"}},
                    {{"18@\"" + prefix + " error", "customer_prefixes: " + prefix + " " + what.substr(what.find('i')),
                      "remove it"}}},
                   {"in the cloud",
                    {{21, "                prefixes: [10.100.0.0/16, \"" + prefix + "\"]"},
                     {16, "            subnet: 172.16.0.0/30\n            subnet6: fd00::/126"}},
                    {{"22@\"" + prefix + " error", "no packet is forwarded from or to it", "remove it"}}}});
    }
    for (const std::string prefix : {"0.0.0.0/0", "128.0.0.0/1", "126.0.0.0/7", "::/0", "fe00::/7", "fc00::/7",
                                     "192.0.2.0/24", "100.64.0.0/10", "::/64"}) {
        run_cases({{prefix,
                    {{18, "            customer_prefixes: [\"" + prefix + "\"]\n            subnet6: fd00::/126"}},
                    {}}});
    }
}

TEST(ConfigRoles, TheLinksOwnAddresses) {
    run_cases({
        {"a cloud prefix over the edge's address",
         {{21, "                prefixes: [172.16.0.2/32]"}},
         {{"21@172 error", "prefixes: 172.16.0.2/32 is in 172.16.0.0/30, whose addresses are those of the primary link",
           "remove it"}}},
        {"a customer prefix over its router's",
         {{18, "            customer_prefixes: [172.16.0.1/32]"}},
         {{"18@172 error", "customer_prefixes: 172.16.0.1/32 is in 172.16.0.0/30", "remove it"}}},
        {"IPv6",
         {{16, "            subnet: 172.16.0.0/30\n            subnet6: fd00::/64"},
          {21, "                prefixes: [\"fd00::8/125\"]"}},
         {{"22@\"fd00 error", "fd00::8/125 is in fd00::/64", "remove it"}}},
        {"around it", {{21, "                prefixes: [172.16.0.0/16]"}}, {}},
        {"a link-local subnet",
         {{16, "            subnet: 169.254.8.0/30"}},
         {{"16@169 warning", "169.254.8.0/30 of the primary link is link-local", "another prefix"}}},
        {"a link-local IPv6 subnet",
         {{16, "            subnet: 172.16.0.0/30\n            subnet6: fe80::/64"}},
         {{"17@fe80 error", "is link-local", "fd00::/126"}}},
        {"a subnet of nobody",
         {{16, "            subnet6: \"::/64\""}, {18, ""}, {21, "                prefixes: [\"fd00::/8\"]"}},
         {{"16@\"::/64 error", "is not a unicast subnet", ""}}},
    });
}

TEST(ConfigRoles, MappedAddressesAreRefusedInEveryField) {
    const std::string subnet = "            subnet: 172.16.0.0/30";
    run_cases({
        {"local",
         {tunnel("\"::ffff:192.0.2.9\"", "198.51.100.7")},
         {{"22@\"::ffff error", "local: `::ffff:192.0.2.9` is IPv4-mapped (RFC 4291 §2.5.5.2)", "write 192.0.2.9"}}},
        {"remote, in hexadecimal",
         {tunnel("192.0.2.1", "\"::ffff:c633:6407\"")},
         {{"22@\"::ffff error", "is IPv4-mapped", "write 198.51.100.7"}}},
        {"address6 and gateway6",
         {{5, core("gateway_mac: \"02:00:00:00:00:fe\", address6: \"::ffff:192.0.2.1/120\", gateway6: "
                   "\"::ffff:192.0.2.254\"")}},
         {{"5@\"::ffff:192.0.2.1/ error", "address6: `::ffff:192.0.2.1/120` is IPv4-mapped", "write 192.0.2.0/24"},
          {"5@\"::ffff:192.0.2.254 error", "gateway6: `::ffff:192.0.2.254` is IPv4-mapped", "write 192.0.2.254"}}},
        {"customer_prefixes",
         {{18, "            customer_prefixes: [\"::ffff:10.0.0.0/104\"]"}},
         {{"18@\"::ffff error", "is IPv4-mapped", "write 10.0.0.0/8"}}},
        {"prefixes",
         {{21, "                prefixes: [\"::ffff:0:0/96\"]"}},
         {{"21@\"::ffff error", "is IPv4-mapped", "write 0.0.0.0/0"}}},
        {"subnet6",
         {{16, subnet + "\n            subnet6: \"::ffff:10.0.0.0/126\""}},
         {{"17@\"::ffff error", "is IPv4-mapped", "write 10.0.0.0/30"}}},
    });
}

}  // namespace
}  // namespace peerlane::config::test
