// Rules for buckets, tunnels and MTUs.
#include <gtest/gtest.h>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

Edit tunnel(const std::string& content) {
    return {22, "                tunnel: { " + content + " }"};
}

TEST(ConfigRules, Buckets) {
    const auto burst = [](const std::string& bandwidth, const std::string& size, const std::string& more = "") {
        return Edit{12, "        bandwidth: " + bandwidth + "\n        burst: " + size + more};
    };
    run_cases({
        {"smaller than a packet",
         {burst("1 Mbps", "1499 B")},
         {{"13@1499 error", "burst: 1499 B are less than the largest packet, which counts as 1500 B",
           "at least 1500 B"}}},
        {"as large as a packet", {burst("1 kbps", "1500 B")}, {}},
        {"accounting l2 adds 22",
         {burst("1 kbps", "1521 B", "\n        accounting: l2")},
         {{"13@1521 error", "which counts as 1522 B", "at least 1522 B"}}},
        {"accounting l2, enough", {burst("1 kbps", "1522 B", "\n        accounting: l2")}, {}},
        {"accounting wire adds 46",
         {burst("1 kbps", "1545 B", "\n        accounting: wire")},
         {{"13@1545 error", "which counts as 1546 B", "at least 1546 B"}}},
        {"accounting wire, one tag: 42",
         {{11, ""}, burst("1 kbps", "1541 B", "\n        accounting: wire")},
         {{"13@1541 error", "which counts as 1542 B", "at least 1542 B"}}},
        {"too small for TCP",
         {burst("100 Mbps", "249999 B")},
         {{"13@249999 warning", "249999 B are too small for one TCP flow to reach 100 Mbps at a round trip of 20 ms",
           "burst: 20 ms (250 kB)"}}},
        {"large enough for TCP", {burst("100 Mbps", "250 kB")}, {}},
        {"a longer round trip",
         {{1, "edge: { tcp_rtt: 50 ms }"}},
         {{"12@100 warning", "at a round trip of 50 ms", "burst: 50 ms (625 kB)"},
          {"28@100 warning", "50 ms", "625 kB"}}},
        {"too large",
         {burst("400 Gbps", "47 ms")},
         {{"13@47 error", "burst: 47 ms at 400 Gbps are more than 2300 MB", "shorter"}}},
        {"as large as can be", {burst("400 Gbps", "46 ms")}, {}},
        {"a peering's own",
         {{17,
           "            customer_mac: 02:00:00:00:01:01\n            bandwidth: 50 Mbps\n            burst: 64 kB"}},
         {{"19@64 warning", "to reach 50 Mbps", "burst: 20 ms (125 kB)"}}},
        {"a peering's without bandwidth",
         {{17, "            customer_mac: 02:00:00:00:01:01\n            burst: 64 kB"}},
         {{"18@64 error", "the peering has no `bandwidth` of its own", "add `bandwidth`"}}},
    });
}

TEST(ConfigRules, BurstsAreResolved) {
    const auto burst = [](const std::string& lines) {
        const Loaded loaded = load_text(edited({{12, lines}}), "f.yaml");
        EXPECT_TRUE(loaded.ok()) << text(loaded.findings);
        return raw(loaded.model.customers.at(0).circuits.at(0).burst);
    };
    EXPECT_EQ(burst("        bandwidth: 1 Gbps"), 2'500'000U);
    EXPECT_EQ(burst("        bandwidth: 1 Mbps"), 64'000U);
    EXPECT_EQ(burst("        bandwidth: 400 Gbps"), 1'000'000'000U);
    EXPECT_EQ(burst("        burst: 5 ms\n        bandwidth: 1 Gbps"), 625'000U);
    EXPECT_EQ(burst("        bandwidth: 1.5 Gbps\n        burst: 333 us"), 62'438U);  // 62437.5, upwards
    EXPECT_EQ(burst("        bandwidth: 1 Gbps\n        burst: 1.5 MB"), 1'500'000U);
}

TEST(ConfigRules, Tunnels) {
    const Edit core6{5,
                     "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, address6: \"2001:db8::1/64\", gateway_mac: "
                     "02:00:00:00:00:fe }"};
    run_cases({
        {"identity twice",
         {tunnel("local: 192.0.2.1, remote: 198.51.100.7, key: 0x2")},
         {{"38@{ error", "local 192.0.2.1, remote 198.51.100.7, key 0x2 is another tunnel's already, at f.yaml:22:25",
           "a key of its own"}}},
        {"no key twice",
         {tunnel("local: 192.0.2.1, remote: 198.51.100.7"),
          {38, "                tunnel: { local: 192.0.2.1, remote: 198.51.100.7 }"}},
         {{"38@{ error", "remote 198.51.100.7, no key is another tunnel's already", "a key of its own"}}},
        {"no key beside key 0",
         {tunnel("local: 192.0.2.1, remote: 198.51.100.7"),
          {38, "                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 }"}},
         {}},
        {"another remote", {tunnel("local: 192.0.2.1, remote: 198.51.100.8, key: 2")}, {}},
        {"families",
         {core6, tunnel("local: 192.0.2.1, remote: \"2001:db8::7\", key: 1")},
         {{"22@\"2001 error", "remote: 2001:db8::7 is IPv6, local 192.0.2.1 is IPv4", "one family"}}},
        {"to itself",
         {tunnel("local: 192.0.2.1, remote: 192.0.2.1, key: 1")},
         {{"22@192 error", "is the local address too", "gateway"}}},
        {"missing ends",
         {tunnel("key: 1")},
         {{"22@{ error", "tunnel: `local` is missing", "add `local`"},
          {"22@{ error", "tunnel: `remote` is missing", "add `remote`"}}},
        {"no port of the family",
         {tunnel("local: \"2001:db8::1\", remote: \"2001:db8::7\", key: 1")},
         {{"22@\"2001:db8::1 warning", "no core port has an IPv6 address; 2001:db8::1 will leave by `c0`",
           "add `address6` to the port"}}},
        {"a port of the family", {core6, tunnel("local: \"2001:db8::1\", remote: \"2001:db8::7\", key: 1")}, {}},
        {"not a port's own address", {tunnel("local: 203.0.113.9, remote: 198.51.100.7, key: 1")}, {}},
        {"no core port",
         {{5, ""}},
         {{"22@192 error", "there is no core port", "role: core"}, {"38@192 error", "no core port", "role: core"}}},
        {"a core port with a bad address is one complaint",
         {{5, "  c0: { role: core, mtu: 9000, address: 192.0.2.1, gateway_mac: 02:00:00:00:00:fe }"}},
         {{"5@192 error", "has no prefix length", ""}}},
        {"a gateway that is asked for",
         {{5, "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254 }"}},
         {}},
        {"no next hop",
         {{5, "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24 }"}},
         {{"5@{ warning", "port c0 has no `gateway` and no `gateway_mac`: nothing can be sent to 198.51.100.7",
           "add `gateway`"}}},
        {"every remote is next to the port",
         {{5, "  c0: { role: core, mtu: 9000, address: 198.51.100.1/24 }"},
          tunnel("local: 198.51.100.1, remote: 198.51.100.8, key: 2"),
          {38, "                tunnel: { local: 198.51.100.1, remote: 198.51.100.9 }"}},
         {}},
    });
}

TEST(ConfigRules, Mtus) {
    const auto core = [](int mtu) {
        return Edit{5, "  c0: { role: core, mtu: " + std::to_string(mtu) +
                           ", address: 192.0.2.1/24, address6: \"2001:db8::1/64\", gateway_mac: 02:00:00:00:00:fe }"};
    };
    const Edit v6 = tunnel("local: \"2001:db8::1\", remote: \"2001:db8::7\", key: 1");
    const Edit no_key = tunnel("local: 192.0.2.1, remote: 198.51.100.7");
    run_cases({
        {"1280 + 28, short by one",
         {core(1307)},
         {{"5@1307 error",
           "mtu: 1307 of port c0 is 1 octets short: packets of 1280 octets (the least a customer may rely on) and 28 "
           "octets of overhead in tunnel "
           "contoso/sea/private/prod make 1308 (2 tunnels are too large)",
           "write mtu: 1528 or more"}}},
        {"1280 + 28",
         {core(1308)},
         {{"5@1308 warning", "mtu: 1308 of port c0 is 220 octets short: packets of 1500 octets (the access MTU)",
           "write mtu: 1528, or an MTU of 1280"}}},
        {"1500 + 28, short by one",
         {core(1527)},
         {{"5@1527 warning", "is 1 octets short", "write mtu: 1528, or an MTU of 1499 for the access ports"}}},
        {"1500 + 28", {core(1528)}, {}},
        {"IPv6: 1280 + 48, short by one",
         {core(1327), v6},
         {{"5@1327 error",
           "and 48 octets of overhead in tunnel contoso/sea/private/prod make 1328 (1 tunnel is too large)", "1548"}}},
        {"IPv6: 1500 + 48", {core(1548), v6}, {}},
        {"no key: 1500 + 24",
         {core(1527), no_key, {38, "                tunnel: { local: 192.0.2.1, remote: 198.51.100.8 }"}},
         {}},
        {"jumbo access",
         {{3, "  a0: { role: access, mtu: 9000 }"}},
         {{"5@9000 warning", "packets of 9000 octets (the access MTU)", "write mtu: 9028"}}},
    });
}

}  // namespace
}  // namespace peerlane::config::test
