// What loading says about single values and keys.
#include <gtest/gtest.h>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

const std::string kTunnel = "                tunnel: ";

TEST(ConfigValues, TheRightOneHasNoFindings) {
    run_cases({{"right", {}, {}}});
}

TEST(ConfigValues, Keys) {
    run_cases({
        {"unknown, near",
         {{12, "        bandwith: 100 Mbps"}},
         {{"9:9 error", "`bandwidth` is missing", "add `bandwidth`"},
          {"12:9 error", "unknown key `bandwith` in customers[].circuits[]", "did you mean `bandwidth`?"}}},
        {"unknown, far",
         {{1, "edge: { frobnicate: 1 }"}},
         {{"1:9 error", "unknown key `frobnicate`", "known here: name, workers"}}},
        {"unknown at the top", {{1, "edges: { name: e1 }"}}, {{"1:1 error", "unknown key `edges`", "`edge`"}}},
        {"duplicate",
         {{12, "        bandwidth: 100 Mbps\n        bandwidth: 200 Mbps"}},
         {{"13:9 error", "key `bandwidth` is given twice; first at f.yaml:12:9", "keep one"}}},
        {"duplicate port",
         {{4, "  a0: { role: access }"}},
         {{"4:3 error", "key `a0` is given twice; first at f.yaml:3:3", "keep one"}}},
        {"missing role", {{4, "  a1: { mtu: 1500 }"}}, {{"4:7 error", "port: `role` is missing", "`access` faces"}}},
        {"no ports, so no port to refer to",
         {{2, ""}, {3, ""}, {4, ""}, {5, ""}},
         {{"1:1 error", "`ports` is missing", "add `ports`"},
          {"10:15 error", "there is no port `a0`", "nothing is known"},
          {"22:34 error", "there is no core port", "role: core"},
          {"26:15 error", "there is no port `a0`", "nothing is known"},
          {"38:34 error", "there is no core port", "role: core"}}},
        {"a list as a key",
         {{1, "? [a, b]\n: 1"}},
         {{"1:3 error", "a list or mapping stands where a key", "KEY: VALUE"}}},
        {"port name", {{4, "  \"a 1\": { role: access }"}}, {{"4:3 error", "`a 1` is not a name", "another name"}}},
        {"role decides keys",
         {{4, "  a1: { role: access, address: 192.0.2.9/24 }"}},
         {{"4:32 error", "address: only for ports with `role: core`", "correct the role"}}},
        {"role decides keys, core",
         {{5,
           "  c0: { role: core, service_tpid: 0x8100, mtu: 9000, address: 192.0.2.1/24, "
           "gateway_mac: \"02:00:00:00:00:fe\" }"}},
         {{"5:35 error", "service_tpid: only for ports with `role: access`", "correct the role"}}},
    });
}

TEST(ConfigValues, Kinds) {
    run_cases({
        {"edge is no mapping",
         {{1, "edge: fast"}},
         {{"1:7 error", "a mapping is needed here, not a single value", "edge"}}},
        {"edge is empty", {{1, "edge:"}}, {{"1:6 error", "edge: nothing is given", "KEY: VALUE"}}},
        {"a list for one",
         {{1, "edge: { name: [e1] }"}},
         {{"1:15 error", "name: a single value is needed here, not a list", "write a name"}}},
        {"one for a list",
         {{18, "            customer_prefixes: 10.0.0.0/16"}},
         {{"18:32 error", "a list is needed here, not a single value", "[A, B]"}}},
        {"no peerings",
         {{13, "        peerings: []"},
          {14, ""},
          {15, ""},
          {16, ""},
          {17, ""},
          {18, ""},
          {19, ""},
          {20, ""},
          {21, ""},
          {22, ""}},
         {{"13:19 error", "the list is empty", "at least one"}}},
        {"no prefixes", {{21, "                prefixes: []"}}, {{"21:27 error", "the list is empty", "at least one"}}},
        {"nothing given", {{12, "        bandwidth:"}}, {{"12:19 error", "bandwidth: nothing is given", "50 Mbps"}}},
        {"ports are none",
         {{2, "ports: {}"}, {3, ""}, {4, ""}, {5, ""}},
         {{"2:8 error", "ports: there is none", "NAME"},
          {"10:15 error", "there is no port", ""},
          {"22:34 error", "no core port", ""},
          {"26:15 error", "there is no port", ""},
          {"38:34 error", "no core port", ""}}},
    });
}

/// One line changed, one finding there.
void one(int line, const std::string& text, const std::string& where, const std::string& what,
         const std::string& remedy) {
    run_cases({{text, {{line, text}}, {{std::to_string(line) + ":" + where, what, remedy}}}});
}

TEST(ConfigValues, Numbers) {
    for (const std::string vlan :
         {"0", "4095", "65546", "-1", "1.5", "010", "ten", "0x", "18446744073709551616", "1e2"})
        one(15, "            vlan: " + vlan, "19 error", "vlan: `" + vlan + "` is not a whole number from 1 to 4094",
            "from 1 to 4094");
    one(11, "        service_vlan: 4095", "23 error", "`4095` is not a whole number from 1 to 4094", "4094");
    one(15, "            vlan: \"10\"", "19 error", "a number in quotes is a text", "write 10 without quotes");
    one(3, "  a0: { role: access, mtu: 1279 }", "28 error", "from 1280 to 9600", "1280");
    one(3, "  a0: { role: access, mtu: 9601 }", "28 error", "from 1280 to 9600", "9600");
    one(3, "  a0: { role: access, service_tpid: 0x8847 }", "37 error", "one of 0x8100, 0x88a8, 0x9100", "0x88a8");
    one(1, "edge: { workers: 65 }", "18 error", "from 1 to 64", "64");
    one(1, "edge: { workers: 0 }", "18 error", "from 1 to 64", "64");
    one(22, kTunnel + "{ local: 192.0.2.1, remote: 198.51.100.7, key: 0x100000000 }", "72 error",
        "from 0 to 4294967295", "");
    one(22, kTunnel + "{ local: 192.0.2.1, remote: 198.51.100.7, key: 1, dscp: 64 }", "81 error",
        "`copy` or a whole number", "63");
    one(22, kTunnel + "{ local: 192.0.2.1, remote: 198.51.100.7, key: 1, mss_clamp: yes }", "86 error", "true or false",
        "");
    one(22, kTunnel + "{ local: 192.0.2.1, remote: 198.51.100.7, key: 1, inner_df: honor }", "85 error",
        "one of honour, ignore", "did you mean `honour`?");
    one(14, "          - type: Private", "19 error", "`Private` is not one of private", "did you mean `private`?");
}

TEST(ConfigValues, Quantities) {
    one(12, "        bandwidth: 100", "20 error", "(the unit is missing)", "units: bps, kbps, Mbps, Gbps");
    one(12, "        bandwidth: 100 Mbit", "20 error", "(no such unit)", "Mbps");
    one(12, "        bandwidth: 999 bps", "20 error", "a rate from 1 kbps to 400 Gbps", "");
    one(12, "        bandwidth: 400.000000001 Gbps", "20 error", "a rate from 1 kbps to 400 Gbps", "");
    one(12, "        bandwidth: 1.0000000001 Gbps", "20 error", "(no whole number of bps)", "");
    one(12, "        bandwidth: 1.05 bps", "20 error", "(no whole number of bps)", "");
    one(12, "        bandwidth: 99999999999999999999 Gbps", "20 error", "(too large)", "");
    one(12, "        bandwidth: -1 Gbps", "20 error", "is not a rate", "");
    one(12, "        bandwidth: .5 Gbps", "20 error", "is not a rate", "");
}

/// A line added after another, one finding in it.
void added(int line, const std::string& first, const std::string& text, const std::string& where,
           const std::string& what, const std::string& remedy) {
    run_cases({{text, {{line, first + "\n" + text}}, {{std::to_string(line + 1) + ":" + where, what, remedy}}}});
}

TEST(ConfigValues, Bursts) {
    const auto burst = [](const std::string& text, const std::string& what, const std::string& remedy) {
        added(12, "        bandwidth: 100 Mbps", "        burst: " + text, "16 error", what, remedy);
    };
    burst("2500000", "(the unit is missing)", "2500 kB or 20 ms");
    burst("0 kB", "is not a size up to 2300 MB or a time", "");
    burst("2300000001 B", "is not a size up to 2300 MB or a time", "");
    burst("1.5 B", "(no whole number of octets)", "");
    burst("64 XB", "is not a size", "units: B, kB, MB, GB; ns, us, ms, s");
    added(1, "edge:", "  tcp_rtt: 20", "12 error", "(the unit is missing)", "20 ms");
    added(1, "edge:", "  tcp_rtt: 500 us", "12 error", "(no whole number of ms)", "20 ms");
    added(1, "edge:", "  tcp_rtt: 11 s", "12 error", "a time from 1 ms to 10 s", "20 ms");
}

TEST(ConfigValues, Addresses) {
    one(17, "            customer_mac: \"01:00:5e:00:00:01\"", "27 error", "is a group (multicast) address", "unicast");
    one(17, "            customer_mac: \"00:00:00:00:00:00\"", "27 error", "is no station's address", "unicast");
    one(17, "            customer_mac: 02-00-00-00-01-01", "27 error", "is not a unicast Ethernet address", "02:00");
    one(18, "            customer_prefixes: [10.0.0.0/16, 10.1.2.3/16]", "46 error", "has host bits set",
        "write 10.1.0.0/16");
    one(18, "            customer_prefixes: [10.0.0.0/16, 10.1.2.3]", "46 error", "has no prefix length",
        "10.1.2.3/32");
    one(18, "            customer_prefixes: [10.0.0.0/33]", "33 error", "has a length of 33", "10.0.0.0/16");
    one(16, "            subnet: 172.16.0.1/30", "21 error", "has host bits set", "write 172.16.0.0/30");
    one(16, "            subnet: 172.16.0.0/32", "21 error", "leaves no two usable addresses", "/31");
    one(16, "            subnet: 172.16.0.0/23", "21 error", "is too large", "/24");
    one(16, "            subnet: 224.0.0.0/30", "21 error", "is not a unicast subnet", "");
    one(16, "            subnet: fd00::/126", "21 error", "is IPv6 where IPv4 is needed", "ends in 6");
    const std::string subnet = "            subnet: 172.16.0.0/30";
    added(16, subnet, "            subnet6: 172.16.0.4/30", "22 error", "is IPv4 where IPv6 is needed",
          "without the 6");
    added(16, subnet, "            subnet6: fd00::1/126", "22 error", "has host bits set", "write fd00::/126");
    added(16, subnet, "            subnet6: fd00::/63", "22 error", "is too large", "/64");
    added(16, subnet, "            subnet6: fd00::/128", "22 error", "leaves no two usable addresses", "/127");
    added(16, subnet, "            subnet6: ff02::/126", "22 error", "is not a unicast subnet", "");
    for (const std::string address :
         {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "\"::\"", "\"::1\"", "\"ff02::1\""})
        one(22, kTunnel + "{ local: 192.0.2.1, key: 1, remote: " + address + " }", "61 error",
            "is not a unicast address", "unicast");
    const auto core = [](const std::string& address, const std::string& what) {
        one(5, "  c0: { role: core, mtu: 9000, gateway_mac: \"02:00:00:00:00:fe\", address: " + address + " }",
            "75 error", what, "192.0.2.1/24");
    };
    core("192.0.2.0/24", "is the subnet's own address");
    core("192.0.2.255/24", "is the subnet's broadcast address");
    core("192.0.2.1/0", "cannot be an interface's address");
    core("224.0.0.1/24", "is not a unicast address: 224.0.0.0/4 is multicast");
}

}  // namespace
}  // namespace peerlane::config::test
