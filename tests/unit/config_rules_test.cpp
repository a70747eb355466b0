// The rules between values, but for tunnels and MTUs.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

TEST(ConfigRules, Edge) {
    run_cases({
        {"one core per worker", {{1, "edge: { workers: 2, cores: [2, 3] }"}}, {}},
        {"too few cores",
         {{1, "edge: { workers: 2, cores: [2] }"}},
         {{"1@[2] error", "cores: 1 for 2 workers", "one core per worker"}}},
        {"cores without workers",
         {{1, "edge: { cores: [2, 3] }"}},
         {{"1@[2 error", "cores: 2 for 1 workers", "one core per worker"}}},
        {"two sockets", {{1, "edge: { socket: /run/a, read_socket: /run/b }"}}, {}},
        {"one socket twice",
         {{1, "edge: { socket: /run/a, read_socket: /run/a }"}},
         {{"1@read_socket error", "read_socket: `/run/a` is the `socket` too", "another path"}}},
        {"a core twice",
         {{1, "edge: { workers: 2, cores: [2, 2] }"}},
         {{"1@2] error", "cores: 2 is given twice", "of its own"}}},
    });
}

TEST(ConfigRules, Ports) {
    const std::string core = "  c0: { role: core, mtu: 9000, gateway_mac: \"02:00:00:00:00:fe\", address: 192.0.2.1/24";
    run_cases({
        {"gateway elsewhere",
         {{5, core + ", gateway: 192.0.3.254 }"}},
         {{"5@192.0.3.254 error", "gateway: 192.0.3.254 is not in 192.0.2.0/24", "write an address in 192.0.2.0/24"}}},
        {"gateway is ours",
         {{5, core + ", gateway: 192.0.2.1 }"}},
         {{"5@192.0.2.1 error", "is the edge's own address", "next hop"}}},
        {"more than AF_XDP carries",
         {{5,
           "  c0: { role: core, mtu: 3301, device: \"net_af_xdp0,iface=eth0\", address: 192.0.2.1/24, gateway: "
           "192.0.2.254 }"}},
         {{"5@3301 error", "3301 is more than net_af_xdp carries", "write mtu: 3300 or less"}}},
        {"more than a packet socket's frames carry",
         {{3, "  a0: { role: access, mtu: 1965, device: \"net_af_packet0,iface=eth0\" }"}},
         {{"3@1965 error", "1965 is more than net_af_packet carries",
           "write mtu: 1964 or less, or append ,framesz=3072,blocksz=12288 to the device"}}},
        {"jumbo frames over a packet socket",
         {{5,
           "  c0: { role: core, mtu: 9000, device: \"net_af_packet0,iface=eth0,framesz=4096\", address: 192.0.2.1/24, "
           "gateway: 192.0.2.254 }"}},
         {{"5@9000 error", "9000 is more than net_af_packet carries",
           "write mtu: 4016 or less, or write ,framesz=9216,blocksz=36864 in the device"}}},
        {"frames that no buffer holds",
         {{3, "  a0: { role: access, mtu: 1500, device: \"net_af_packet0,iface=eth0,framesz=16385\" }"}},
         {{"3@\"net_af_packet0 error", "framesz is more than 16384", "write framesz=16384 or less"}}},
        {"the largest frames",
         {{3, "  a0: { role: access, mtu: 1500, device: \"net_af_packet0,iface=eth0,framesz=16384,blocksz=65536\" }"}},
         {}},
        {"a TPID that a packet socket does not tell",
         {{3, "  a0: { role: access, mtu: 1500, service_tpid: auto, device: \"net_af_packet0,iface=eth0\" }"}},
         {{"3@auto warning", "service_tpid: net_af_packet does not tell", "write the TPID"}}},
        {"a TPID that AF_XDP shows",
         {{3, "  a0: { role: access, mtu: 1500, service_tpid: auto, device: \"net_af_xdp0,iface=eth0\" }"}},
         {}},
        {"a server that waits at the start",
         {{3, "  a0: { role: access, mtu: 1500, device: \"net_virtio_user0,path=/run/x,server=1\" }"}},
         {{"3@\"net_virtio_user0 error", "lets the edge wait for its peer", "net_vhost0,iface="}}},
        {"an old name",
         {{3, "  a0: { role: access, mtu: 1500, device: \"eth_af_packet0,iface=eth0\" }"}},
         {{"3@\"eth_af_packet0 error", "`eth_af_packet0,iface=eth0` is an old name",
           "write net_af_packet0,iface=eth0"}}},
        {"what larger frames carry",
         {{5,
           "  c0: { role: core, mtu: 9000, device: \"net_af_packet0,iface=eth0,framesz=9216,blocksz=36864\", address: "
           "192.0.2.1/24, gateway: 192.0.2.254 }"}},
         {}},
        {"what AF_XDP carries",
         {{5,
           "  c0: { role: core, mtu: 3300, device: \"net_af_xdp0,iface=eth0\", address: 192.0.2.1/24, gateway: "
           "192.0.2.254 }"}},
         {}},
        {"gateway of the other family",
         {{5, core + ", gateway: \"2001:db8::1\" }"}},
         {{"5@\"2001 error", "`2001:db8::1` is an IPv6 address", "IPv4"}}},
        {"gateway without an address",
         {{5, core + ", gateway6: \"2001:db8::fe\" }"}},
         {{"5@\"2001 error", "port c0 has no `address6`", "add `address6`"}}},
        {"gateway6 elsewhere",
         {{5, core + ", address6: \"2001:db8::1/64\", gateway6: \"2001:db8:1::fe\" }"}},
         {{"5@\"2001:db8:1: error", "is not in 2001:db8::/64", "write an address in 2001:db8::/64"}}},
        {"gateway6 link-local", {{5, core + ", address6: \"2001:db8::1/64\", gateway6: \"fe80::fe\" }"}}, {}},
        {"one device twice",
         {{3, "  a0: { role: access, device: x }"}, {4, "  a1: { role: access, device: x }"}},
         {{"4@x } error", "device: device `x` is the same as at f.yaml:3:31", "its own"}}},
        {"one interface twice",
         {{3, "  a0: { role: access, device: \"net_af_packet0,iface=eth0\" }"},
          {4, "  a1: { role: access, device: \"net_af_xdp0,iface=eth0\" }"}},
         {{"4@\"net_af_xdp0 error", "device: interface `eth0` is the same as at f.yaml:3:31", "its own"}}},
        {"one PCI device twice",
         {{3, "  a0: { role: access, device: \"3b:00.0\" }"}, {4, "  a1: { role: access, device: \"0000:3b:00.0\" }"}},
         {{"4@\"0000 error", "device: device `0000:3b:00.0` is the same as at f.yaml:3:31", "its own"}}},
        {"one mac twice",
         {{3, "  a0: { role: access, mac: 02:00:00:00:00:01 }"}, {4, "  a1: { role: access, mac: 02:00:00:00:00:01 }"}},
         {{"4@02: error", "mac: the same as at f.yaml:3:28", "its own"}}},
    });
    const Loaded live =
        load_text(edited({{3, "  a0: { role: access, device: x }"}, {4, "  a1: { role: access, device: y }"}}),
                  "f.yaml", {.live = true});
    ASSERT_EQ(live.findings.size(), 1U) << text(live.findings);
    EXPECT_EQ(live.findings[0].where, "f.yaml:5:7");
    EXPECT_EQ(live.findings[0].what, "port c0 has no `device`");
}

TEST(ConfigRules, Names) {
    run_cases({
        {"customers",
         {{23, "  - name: contoso"}},
         {{"23@contoso error", "customer contoso is there already, at f.yaml:7:11", "another name"}}},
        {"circuits",
         {{23,
           "      - name: sea\n        port: a1\n        bandwidth: 1 Gbps\n        peerings:\n          - { type: "
           "private, "
           "vlan: 7, subnet: 10.9.0.0/30, customer_mac: 02:00:00:00:00:09 }\n  - name: fabrikam"}},
         {{"23@sea error", "circuit sea is there already, at f.yaml:9:15", "another name"}}},
        {"peering types",
         {{23,
           "          - { type: private, vlan: 11, subnet: 10.9.0.0/30, customer_mac: 02:00:00:00:00:09 }\n  - name: "
           "fabrikam"}},
         {{"23@private error", "a peering of type private is there already, at f.yaml:14:19", "merge"}}},
        {"virtual networks",
         {{23,
           "              - { name: prod, prefixes: [10.101.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.7, "
           "key: 3 } }\n  - name: fabrikam"}},
         {{"23@prod error", "virtual network prod is there already, at f.yaml:20:23", "another name"}}},
    });
}

TEST(ConfigRules, Vlans) {
    run_cases({
        {"S-VID of another circuit",
         {{27, "        service_vlan: 100"}},
         {{"27@100 warning", "S-VID 100 on port a0 is another circuit's too, at f.yaml:11:23", "S-VID of its own"},
          {"31@10 error", "vlan: S-VID 100, C-VID 10 on port a0 is another peering's already, at f.yaml:15:19",
           "VLAN of its own"}}},
        {"S-VID of another circuit, other C-VID",
         {{27, "        service_vlan: 100"}, {31, "            vlan: 11"}},
         {{"27@100 warning", "is another circuit's too", "S-VID of its own"}}},
        {"same S-VID on another port", {{26, "        port: a1"}, {27, "        service_vlan: 100"}}, {}},
        {"C-VID twice",
         {{23,
           "          - { type: public, vlan: 10, subnet: 10.9.0.0/30, customer_mac: 02:00:00:00:00:09 }\n  - name: "
           "fabrikam"}},
         {{"23@10, error", "vlan: S-VID 100, C-VID 10 on port a0 is another peering's already, at f.yaml:15:19",
           "VLAN of its own"}}},
        {"single tag twice",
         {{11, ""}, {27, ""}},
         {{"31@10 error", "vlan: the single tag 10 on port a0 is another peering's already, at f.yaml:15:19",
           "VLAN of its own"}}},
        {"single tags that differ", {{11, ""}, {27, ""}, {31, "            vlan: 11"}}, {}},
        {"single tag beside the same S-VID", {{11, ""}, {15, "            vlan: 200"}}, {}},
        {"one of a pair",
         {{10, "        links: { primary: a0, secondary: a1 }"},
          {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"},
          {26, "        port: a1"},
          {27, "        service_vlan: 100"}},
         {{"27@100 warning", "S-VID 100 on port a1 is another circuit's too", "S-VID of its own"},
          {"31@10 error", "vlan: S-VID 100, C-VID 10 on port a1 is another peering's already", "VLAN of its own"}}},
    });
}

TEST(ConfigRules, References) {
    run_cases({
        {"no such port", {{10, "        port: a3"}}, {{"10@a3 error", "there is no port `a3`", "did you mean `a0`?"}}},
        {"core port", {{10, "        port: c0"}}, {{"10@c0 error", "port `c0` has the role core", "role: access"}}},
        {"neither port nor links", {{10, ""}}, {{"9:9 error", "one of `port`, `links` is needed", "add one"}}},
        {"port and links",
         {{10, "        port: a0\n        links: { primary: a0 }"}},
         {{"11@{ error", "only one of `port`, `links`", "keep one"}}},
        {"no link",
         {{10, "        links: {}"}},
         {{"10@{ error", "links: one of `primary`, `secondary` is needed", "add one"}}},
        {"a third link",
         {{10, "        links: { primary: a0, tertiary: a1 }"}},
         {{"10@tertiary error", "unknown key `tertiary`", "known here: primary, secondary"}}},
        {"one port twice",
         {{10, "        links: { primary: a0, secondary: a0 }"},
          {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"}},
         {{"10@a0 error", "links: both are on port a0", "another port"}}},
    });
}

TEST(ConfigRules, Subnets) {
    const Edit pair{10, "        links: { primary: a0, secondary: a1 }"};
    run_cases({
        {"a pair", {pair, {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"}}, {}},
        {"none",
         {{16, ""}},
         {{"14:13 error", "one of `subnet`, `subnets`, `subnet6`, `subnets6` is needed", "add one"},
          {"14:13 warning", "IPv4 prefixes without an IPv4 subnet", "add `subnet`"}}},
        {"one for a pair",
         {pair},
         {{"16@172 error", "subnet: the circuit has two links", "write subnets: { primary: …, secondary: … }"}}},
        {"both",
         {{16, "            subnet: 10.9.0.0/30\n            subnets: { primary: 10.9.0.4/30 }"}},
         {{"17@{ error", "only one of `subnet`, `subnets`", "keep one"}}},
        {"half of a pair",
         {pair, {16, "            subnets: { primary: 10.9.0.0/30 }"}},
         {{"14:13 error", "the secondary link has no subnet", "add `secondary`"},
          {"14:13 warning", "IPv4 prefixes without an IPv4 subnet", "`subnets`"}}},
        {"the other half is elsewhere",
         {{10, "        links: { secondary: a1 }"},
          {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"}},
         {}},
        {"overlap",
         {pair, {16, "            subnets: { primary: 10.9.0.0/29, secondary: 10.9.0.4/30 }"}},
         {{"16@10.9.0.4 error", "10.9.0.4/30 of the secondary link overlaps 10.9.0.0/29 of the primary one",
           "of its own"}}},
        {"overlap, the same",
         {pair, {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.0/30 }"}},
         {{"16@10.9.0.0 error", "overlaps", "of its own"}}},
        {"IPv6 prefixes, no IPv6 subnet",
         {{18, "            customer_prefixes: [10.0.0.0/16, \"fd00::/48\"]"}},
         {{"14:13 warning", "IPv6 prefixes without an IPv6 subnet: the edge has no address to send ICMP errors from",
           "add `subnet6`"}}},
        {"IPv6 prefixes and subnet",
         {{18, "            customer_prefixes: [10.0.0.0/16, \"fd00::/48\"]\n            subnet6: fd00::/126"}},
         {}},
        {"/31 and /127", {{16, "            subnet: 172.16.0.0/31\n            subnet6: fd00::/127"}}, {}},
        {"/24 and /64", {{16, "            subnet: 172.16.0.0/24\n            subnet6: fd00::/64"}}, {}},
        {"no customer_mac", {{17, ""}}, {}},
    });
}

TEST(ConfigRules, PrefixesTwice) {
    run_cases({
        {"in one list",
         {{18, "            customer_prefixes: [10.0.0.0/16, 10.1.0.0/16, 10.0.0.0/16]"}},
         {{"18@10.0.0.0 error", "customer_prefixes: 10.0.0.0/16 is in this VRF already, at f.yaml:18:33", "keep one"}}},
        {"customer and cloud",
         {{21, "                prefixes: [10.100.0.0/16, 10.0.0.0/16]"}},
         {{"21@10.0.0.0 error", "prefixes: 10.0.0.0/16 is in this VRF already, at f.yaml:18:33", "keep one"}}},
        {"a subnet",
         {{18, "            customer_prefixes: [10.0.0.0/16, 172.16.0.0/30]"}},
         {{"18@172 error", "172.16.0.0/30 is in this VRF already, at f.yaml:16:21", "accepted and connected anyway"}}},
        {"normalised",
         {{18,
           "            customer_prefixes: [\"fd00:0::/48\", \"FD00:0:0::0/48\"]\n            subnet6: fd01::/126"}},
         {{"18@\"FD00 error", "fd00::/48 is in this VRF already, at f.yaml:18:33", "keep one"}}},
        {"behind a bad one the place is still right",
         {{18, "            customer_prefixes: [10.0.0.0/16, 10.0.0/8, 10.0.0.0/16]"}},
         {{"18@10.0.0/8 error", "`10.0.0/8` is not", "10.0.0.0/16"},
          {"18@10.0.0.0 error", "is in this VRF already", "keep one"}}},
        {"nested", {{18, "            customer_prefixes: [0.0.0.0/0, 10.0.0.0/8, 10.0.0.0/16, 10.0.0.0/17]"}}, {}},
    });
}

TEST(ConfigRules, PublicPeerings) {
    const auto accepts = [](const std::string& type, const std::string& prefix) {
        const bool v6 = prefix.contains(':');
        const Loaded loaded =
            load_text(edited({{14, "          - type: " + type},
                              {16, "            subnet: 172.31.0.0/30\n            subnet6: fd99::/126"},
                              {18, "            customer_prefixes: [\"" + prefix + "\"]"}}),
                      "f.yaml");
        if (!loaded.ok()) {
            EXPECT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
            EXPECT_EQ(loaded.findings[0].where, "f.yaml:19:33");
            EXPECT_NE(loaded.findings[0].what.find("accepts public sources only"), std::string::npos)
                << text(loaded.findings);
            EXPECT_EQ(v6, loaded.findings[0].what.contains("2000::/3"));
        }
        return loaded.ok();
    };
    for (const std::string prefix : {"0.0.0.0/0",      "10.0.0.0/8",      "10.1.2.0/24",    "8.0.0.0/5",
                                     "172.16.0.0/12",  "172.31.255.0/24", "172.0.0.0/8",    "192.168.0.0/16",
                                     "192.0.0.0/8",    "100.64.0.0/10",   "100.127.0.0/16", "127.0.0.0/8",
                                     "169.254.1.0/24", "224.0.0.0/4",     "198.18.0.0/15",  "255.255.255.255/32",
                                     "::/0",           "fd00::/8",        "fe80::/10",      "ff00::/8",
                                     "::/2",           "4000::/3"}) {
        EXPECT_FALSE(accepts("microsoft", prefix)) << prefix;
        EXPECT_FALSE(accepts("public", prefix)) << prefix;
        // What no packet has nobody accepts (config_roles_test.cpp).
        const bool never = std::set<std::string>{"127.0.0.0/8",        "169.254.1.0/24", "224.0.0.0/4",
                                                 "255.255.255.255/32", "fe80::/10",      "ff00::/8"}
                               .contains(prefix);
        if (!never) { EXPECT_TRUE(accepts("private", prefix)) << prefix; }
    }
    for (const std::string prefix : {"8.8.8.0/24", "11.0.0.0/8", "172.32.0.0/16", "100.128.0.0/16", "192.0.2.0/24",
                                     "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "2000::/3", "2a00::/16"}) {
        EXPECT_TRUE(accepts("microsoft", prefix)) << prefix;
        EXPECT_TRUE(accepts("public", prefix)) << prefix;
    }
}

}  // namespace
}  // namespace peerlane::config::test
