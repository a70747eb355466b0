// Rules for security associations, their addresses and their sizes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/config_ipsec_case.hpp"

namespace peerlane::config::test {
namespace {

/// `out` and `in` are what stands in the braces; lines 24 to 26, or 44 to 46 behind another ipsec of three lines.
std::string with(const std::string& out, const std::string& in, const std::string& more = "") {
    return "suite: aes-gcm-128\noutbound: " + out + "\ninbound: " + in + (more.empty() ? "" : "\n" + more);
}
std::string sa(unsigned spi, std::string_view key, const std::string& more = "") {
    return fmt::format("{{ spi: {:#x}, key: {}{} }}", spi, key, more);
}
/// Of AES-CBC: the cipher key, and an authentication key of its own.
std::string cbc(std::string_view cipher, char authentication) {
    return std::string(cipher) + std::string(64, authentication);
}

TEST(ConfigIpsecRules, Keys) {
    const std::string a(kKeyA.substr(0, 32));
    const auto pair = [](const std::string& first, const std::string& second) {
        return std::vector<Edit>{kOneWorker, ipsec(first), ipsec(second, 38)};
    };
    const std::string remedy = "a key of its own";
    run_cases({
        {"both directions",
         {kOneWorker, ipsec(sas(kKeyA, kKeyA))},
         {{"26@a1f0 error", "key: the cipher key is another security association's already, at f.yaml:25:49", remedy}}},
        {"another salt",
         {kOneWorker, ipsec(sas(a + "00000000", a + "11111111"))},
         {{"26@a1f0 error", "already, at f.yaml:25:49", remedy}}},
        {"another authentication key",
         {kOneWorker, ipsec(sas(cbc(a, '1'), cbc(a, '2'), "aes-cbc-128-hmac-sha256-128"))},
         {{"26@a1f0 error", "already, at f.yaml:25:49", remedy}}},
        {"the same authentication key is another matter",
         {kOneWorker, ipsec(sas(cbc(a, '1'), cbc(kKeyB.substr(0, 32), '1'), "aes-cbc-128-hmac-sha256-128"))},
         {}},
        {"of two tunnels",
         pair(sas(kKeyA, kKeyB), with(sa(0x3001, kKeyC), sa(0x4001, kKeyA))),
         {{"46@a1f0 error", "already, at f.yaml:25:49", remedy}}},
        {"across suites",
         pair(sas(kKeyA, kKeyB), "suite: aes-cbc-128-hmac-sha256-128\noutbound: " + sa(0x3001, cbc(a, '1')) +
                                     "\ninbound: " + sa(0x4001, cbc(kKeyC.substr(0, 32), '1'))),
         {{"45@a1f0 error", "already, at f.yaml:25:49", remedy}}},
        {"of two outbound SAs",
         {kOneWorker, ipsec(with("[" + sa(1001, kKeyA) + ", " + sa(1002, kKeyA) + "]", sa(0x2001, kKeyB)))},
         {{"25@a1f0 error", "already, at f.yaml:25:", remedy}}},
        {"many lanes have one",
         {kOneWorker, ipsec(with(sa(1001, kKeyA, ", spi_count: 256"), sa(1, kKeyB)))},
         {{"26@0x1 error", "spi: `0x1` is not a whole number from 256 to 4294967295", "write"}}},
        {"all zeroes",
         {kOneWorker, ipsec(sas(std::string(32, '0') + "12345678", kKeyA))},
         {{"25@" + std::string(32, '0') + "1234 error", "a key of all zeroes", "random octets"}}},
        {"an authentication key of zeroes",
         {kOneWorker, ipsec(sas(cbc(a, '0'), cbc(kKeyB.substr(0, 32), '1'), "aes-cbc-128-hmac-sha256-128"))},
         {{"25@a1f0 error", "a key of all zeroes", "random octets"}}},
        {"a salt of zeroes", {kOneWorker, ipsec(sas(a + "00000000", kKeyB))}, {}},
    });
}

TEST(ConfigIpsecRules, SpisAndLanes) {
    const auto other_remote = [](const std::string& lines) {
        return ipsec(lines, 38, "local: 192.0.2.1, remote: 198.51.100.8, key: 2");
    };
    const std::string four = ", spi_count: 4";
    run_cases({
        {"inbound twice",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB)), other_remote(with(sa(0x3001, kKeyC), sa(0x2001, kKeyD)))},
         {{"46@0x2001 error", "spi: 0x2001 is another inbound SA's already, at f.yaml:26:35", "unique on this edge"}}},
        {"inbound and outbound are two spaces", {kOneWorker, ipsec(with(sa(0x2001, kKeyA), sa(0x2001, kKeyB)))}, {}},
        {"outbound twice to one gateway",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB)), ipsec(with(sa(0x1001, kKeyC), sa(0x2002, kKeyD)), 38)},
         {{"45@0x1001 error", "spi: an SPI from 0x1001 to 0x1001 is used towards 198.51.100.7 already, at f.yaml:25:36",
           "SPIs of its own at the receiver"}}},
        {"outbound twice to two gateways",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB)), other_remote(with(sa(0x1001, kKeyC), sa(0x2002, kKeyD)))},
         {}},
        {"ranges that meet, the later in the file first in number",
         {kOneWorker, ipsec(with(sa(0x1003, kKeyA, four), sa(0x2001, kKeyB))),
          ipsec(with(sa(0x1000, kKeyC, four), sa(0x2002, kKeyD)), 38)},
         {{"45@0x1000 error", "an SPI from 0x1003 to 0x1003 is used towards", "its own"}}},
        {"ranges side by side",
         {kOneWorker, ipsec(with(sa(0x1004, kKeyA, four), sa(0x2001, kKeyB))),
          ipsec(with(sa(0x1000, kKeyC, four), sa(0x2002, kKeyD)), 38)},
         {}},
        {"a range within another",
         {kOneWorker,
          ipsec(with("[" + sa(0x1000, kKeyA, ", spi_count: 256") + ", " + sa(0x1080, kKeyC, ", spi_count: 256") + "]",
                     sa(0x2001, kKeyB)))},
         {{"25@0x1080 error", "from 0x1080 to 0x10ff", "its own"}}},
        {"lanes beyond 255",
         {kOneWorker, ipsec(with(sa(0x1001, kKeyA, ", first_lane: 253, spi_count: 4"), sa(0x2001, kKeyB)))},
         {{"25@253 error", "first_lane: lanes 253 to 256, but the last there is is 255", "write 252 or less"}}},
        {"the last lanes",
         {kOneWorker, ipsec(with(sa(0x1001, kKeyA, ", first_lane: 252, spi_count: 4"), sa(0x2001, kKeyB)))},
         {}},
        {"SPIs beyond 32 bits",
         {kOneWorker, ipsec(with(sa(0xfffffffe, kKeyA, four), sa(0x2001, kKeyB)))},
         {{"25@0xfffffffe error", "spi: 4 SPIs from 0xfffffffe go beyond 0xffffffff", "write 0xfffffffc or less"}}},
        {"the last SPIs", {kOneWorker, ipsec(with(sa(0xfffffffc, kKeyA, four), sa(0x2001, kKeyB)))}, {}},
        {"three outbound",
         {kOneWorker, ipsec(with("[" + sa(0x1001, kKeyA) + ", " + sa(0x1002, kKeyC) + ", " + sa(0x1003, kKeyD) + "]",
                                 sa(0x2001, kKeyB)))},
         {{"25@{ error", "outbound: 3 SAs, but there is one in use and one next", "keep two"}}},
    });
}

TEST(ConfigIpsecRules, Addresses) {
    const auto at = [](const std::string& more) { return ipsec(sas(kKeyA, kKeyB) + "\n" + more); };
    const Edit core6{5,
                     "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, address6: \"2001:db8::1/64\", gateway_mac: "
                     "02:00:00:00:00:fe }"};
    run_cases({
        {"another family in tunnel mode", {kOneWorker, core6, at("local: 2001:db8::1\nremote: 2001:db8::7")}, {}},
        {"half of another family",
         {kOneWorker, core6, at("remote: 2001:db8::7")},
         {{"27@2001 error", "remote: 2001:db8::7 is IPv6, local 192.0.2.1 is IPv4", "one family"}}},
        {"the other half",
         {kOneWorker, core6, at("local: 2001:db8::7")},
         {{"27@2001 error", "remote: 198.51.100.7 is IPv4, local 2001:db8::7 is IPv6", "one family"}}},
        {"to itself",
         {kOneWorker, at("remote: 192.0.2.1")},
         {{"27@192 error", "remote: 192.0.2.1 is the local address too", "gateway"}}},
        {"others in transport mode",
         {kOneWorker, at("mode: transport\nlocal: 192.0.2.2\nremote: 198.51.100.9")},
         {{"28@192 error", "local: 192.0.2.2 is not the tunnel's, 192.0.2.1, as transport mode needs",
           "`mode: tunnel`"},
          {"29@198 error", "remote: 198.51.100.9 is not the tunnel's, 198.51.100.7", "remove it"}}},
        {"the tunnel's in transport mode",
         {kOneWorker, at("mode: transport\nlocal: 192.0.2.1\nremote: 198.51.100.7")},
         {}},
        {"no core port of the outer family",
         {kOneWorker, at("local: 2001:db8::1\nremote: 2001:db8::7")},
         {{"27@2001 warning", "local: no core port has an IPv6 address; 2001:db8::1 will leave by `c0`",
           "add `address6` to the port"}}},
        {"the delivery header needs no core port",
         {kOneWorker, ipsec(sas(kKeyA, kKeyB) + "\nlocal: 192.0.2.1\nremote: 198.51.100.7", 22,
                            "local: 2001:db8::1, remote: 2001:db8::7")},
         {}},
        {"not addresses",
         {kOneWorker, at("local: gateway\nremote: 224.0.0.1")},
         {{"27@gateway error", "local: `gateway` is not a unicast IPv4 or IPv6 address", ""},
          {"28@224 error", "remote: `224.0.0.1` is not a unicast address", ""}}},
    });
}

TEST(ConfigIpsecRules, LimitsAndSequences) {
    const auto at = [](const std::string& more) { return ipsec(sas(kKeyA, kKeyB) + "\n" + more); };
    const std::string remedy = "lower it";
    run_cases({
        {"soft above hard",
         {kOneWorker, at("lifetime:\n  soft: { packets: 11, bytes: 2 kB, time: 2 min }\n  hard: { packets: 10, bytes: "
                         "2000 B, time: 100 s }")},
         {{"28@11 error", "packets: the soft limit is not below the hard one", remedy},
          {"28@2 kB error", "bytes: the soft limit", remedy},
          {"28@2 min error", "time: the soft limit", remedy}}},
        {"soft below hard",
         {kOneWorker, at("lifetime:\n  soft: { packets: 9, bytes: 1 kB, time: 99 s }\n  hard: { packets: 10, bytes: 2 "
                         "kB, time: 100 "
                         "s }")},
         {}},
        {"each alone", {kOneWorker, at("lifetime: { soft: { packets: 9, time: 99 s }, hard: { bytes: 2 kB } }")}, {}},
        {"2^32 at 10 Gbps",
         {kOneWorker, {12, "        bandwidth: 10 Gbps"}, at("esn: false")},
         {{"27@false warning",
           "esn: false, and at 10 Gbps the 2^32 packets (of 64 octets) after which an SA of contoso/sea/private/prod "
           "ends pass in 3 minutes",
           "write `esn: true`"}}},
        {"2^32 at 100 Gbps",
         {kOneWorker, {12, "        bandwidth: 100 Gbps"}, ipsec(sas(kKeyA, kKeyB))},
         {{"24@suite warning", "pass in 21 seconds", "write `esn: true`"}}},
        {"ESN at 10 Gbps", {kOneWorker, {12, "        bandwidth: 10 Gbps"}, at("esn: true")}, {}},
        {"less than 10 Gbps", {kOneWorker, {12, "        bandwidth: 9.9 Gbps"}, at("esn: false")}, {}},
    });
}

TEST(ConfigIpsecRules, Workers) {
    const std::string two = "[" + sa(0x2001, kKeyB) + ", " + sa(0x2002, kKeyC) + "]";
    const std::string remedy = "an `spi_count` of the workers";
    run_cases({
        {"one lane, one SPI",
         {ipsec(sas(kKeyA, kKeyB))},
         {{"24@suite warning",
           "ipsec: of 2 workers, contoso/sea/private/prod is limited to 1 outbound (one per lane) and 1 inbound (one "
           "per SPI)",
           remedy}}},
        {"two lanes, one SPI",
         {ipsec(with(sa(0x1001, kKeyA, ", spi_count: 2"), sa(0x2001, kKeyB)))},
         {{"24@suite warning", "limited to 2 outbound (one per lane) and 1 inbound", remedy}}},
        {"one lane, two SPIs",
         {ipsec(with(sa(0x1001, kKeyA), two))},
         {{"24@suite warning", "limited to 1 outbound (one per lane) and 2 inbound", remedy}}},
        {"enough", {ipsec(with(sa(0x1001, kKeyA, ", spi_count: 2"), two))}, {}},
        {"the next SA has fewer",
         {ipsec(with("[" + sa(0x1001, kKeyA, ", spi_count: 2") + ", " + sa(0x1003, kKeyD) + "]", two))},
         {{"24@suite warning", "limited to 1 outbound", remedy},
          {"25@{ error", "spi_count: 1, but the SA before it has 2", "write the same for both"}}},
    });
}

/// Many tunnels are one finding.
TEST(ConfigIpsecRules, ManyTunnelsAreOneFinding) {
    const auto findings = [](int tunnels) {
        std::string networks;
        for (int n = 0; n < tunnels; ++n)
            networks += fmt::format(
                "              - name: n{0}\n                prefixes: [10.100.{0}.0/24]\n                tunnel: {{ "
                "local: 192.0.2.1, remote: 198.51.100.7, key: {1} }}\n                ipsec: {{ suite: aes-gcm-128, "
                "outbound: {{ spi: {2}, key: {2}{3:0>36} }}, inbound: {{ spi: {2}, key: {4}{3:0>36} }} }}\n",
                n, n + 10, n + 1000, 7, n + 2000);
        const Loaded loaded = load_text(edited({{20, networks}, {21, ""}, {22, ""}}), "f.yaml");
        EXPECT_TRUE(loaded.ok()) << text(loaded.findings);
        return loaded.findings;
    };
    EXPECT_EQ(findings(5).size(), 5U);
    const std::vector<Finding> many = findings(6);
    ASSERT_EQ(many.size(), 1U) << text(many);
    EXPECT_EQ(many[0].where, "f.yaml:23:24");
    EXPECT_NE(many[0].what.find("contoso/sea/private/n0"), std::string::npos);
    EXPECT_NE(many[0].what.find("; 5 more tunnels likewise"), std::string::npos) << many[0].what;
}

TEST(ConfigIpsecRules, Mtus) {
    const auto core = [](int mtu) {
        return Edit{5, "  c0: { role: core, mtu: " + std::to_string(mtu) +
                           ", address: 192.0.2.1/24, address6: \"2001:db8::1/64\", gateway_mac: 02:00:00:00:00:fe }"};
    };
    const Edit gcm = ipsec(sas(kKeyA, kKeyB));
    const Edit all =
        ipsec(sas(cbc(kKeyA.substr(0, 32), '1'), cbc(kKeyB.substr(0, 32), '1'), "aes-cbc-128-hmac-sha256-128") +
                  "\nlocal: 2001:db8::1\nremote: 2001:db8::7\nudp_encapsulation: true",
              22, "local: 2001:db8::1, remote: 2001:db8::7, key: 1");
    run_cases({
        // 20 + 8 + 8 + (28 + 1280 + 2 + 2) + 16
        {"1280 sealed, short by one",
         {kOneWorker, core(1363), gcm},
         {{"5@1363 error",
           "mtu: 1363 of port c0 is 1 octets short: packets of 1280 octets (the least a customer may rely on) and 84 "
           "octets of overhead in tunnel contoso/sea/private/prod make 1364 (1 tunnel is too large)",
           "write mtu: 1584 or more"}}},
        {"1280 sealed",
         {kOneWorker, core(1364), gcm},
         {{"5@1364 warning", "packets of 1500 octets (the access MTU) and 84 octets of overhead",
           "write mtu: 1584, or an MTU of 1282 for the access ports"}}},
        {"1500 sealed, short by one",
         {kOneWorker, core(1583), gcm},
         {{"5@1583 warning", "is 1 octets short", "write mtu: 1584, or an MTU of 1498 for the access ports"}}},
        {"1500 sealed", {kOneWorker, core(1584), gcm}, {}},
        // 20 + 8 + 8 + (8 + 1500 + 2 + 2) + 16
        {"transport mode, short by one",
         {kOneWorker, core(1563), ipsec(sas(kKeyA, kKeyB) + "\nmode: transport")},
         {{"5@1563 warning", "make 1564", "write mtu: 1564, or an MTU of 1498"}}},
        {"transport mode", {kOneWorker, core(1564), ipsec(sas(kKeyA, kKeyB) + "\nmode: transport")}, {}},
        // 40 + 8 + 8 + 16 + (48 + 1500 + 2 + 2) + 16: the text is 97 blocks
        {"the most there is, short by one",
         {kOneWorker, core(1639), all},
         {{"5@1639 warning", "140 octets of overhead", "write mtu: 1640, or an MTU of 1486 for the access ports"}}},
        {"the most there is", {kOneWorker, core(1640), all}, {}},
    });
}

}  // namespace
}  // namespace peerlane::config::test
