// What is said of common slips, that each mistake is said once, and that the same said of many is said in one.
#include <gtest/gtest.h>

#include <regex>

#include "dataplane/control/findings.hpp"
#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

/// One value of the right file, and what must be written in its place.
void slip(int line, const std::string& before, const std::string& value, const std::string& after,
          const std::string& what, const std::string& remedy) {
    const std::string text = before + value + after;
    run_cases({{text,
                {{line, text}},
                {{std::to_string(line) + ":" + std::to_string(before.size() + 1) + " error", what, remedy}}}});
}

TEST(ConfigMessages, UnitsOfOthers) {
    const auto rate = [](const std::string& text, const std::string& remedy) {
        slip(12, "        bandwidth: ", text, "", "is not a rate", remedy);
    };
    for (const std::string text : {"100M", "100 M", "100m", "100 Mbit/s", "100 Mbit", "100mbit", "100 mbps",
                                   "100 MBit/s", "100Mb/s", "100 Mb", "100 megabit/s", "100 Mbits/s", "100_000 kbit/s"})
        rate(text, text == "100_000 kbit/s" ? "write 100000 kbps" : "write 100 Mbps");
    rate("1 Gbit/s", "write 1 Gbps");
    rate("1.5 gbit", "write 1.5 Gbps");
    rate("1,5 Gbps", "write 1.5 Gbps");
    rate("64 kbit/s", "write 64 kbps");
    rate("64K", "write 64 kbps");
    rate("64 Kbps", "write 64 kbps");
    rate("5000 b/s", "write 5000 bps");
    rate("100 MB/s", "write 800 Mbps");
    rate("12.5 MBps", "write 100 Mbps");
    rate("100 MBPS", "write a rate from 1 kbps");  // may be either
    rate("100 MB", "write a rate from 1 kbps");
    rate("900 Tbps", "write a rate from 1 kbps");
    rate("900 Gbit/s", "write a rate from 1 kbps");  // out of range in any writing
    slip(12, "        bandwidth: ", "Mbps", "", "(a number is missing)", "such as 50 Mbps");
    slip(12, "        bandwidth: ", "100", "", "(the unit is missing)", "such as 50 Mbps");
    const auto burst = [](const std::string& text, const std::string& remedy) {
        run_cases({{text,
                    {{12, "        bandwidth: 100 Mbps\n        burst: " + text}},
                    {{"13:16 error", "is not a size up to 2300 MB or a time", remedy}}}});
    };
    burst("64 KB", "write 64 kB");
    burst("64k", "write 64 kB");
    burst("64 KiB", "write 65536 B");
    burst("1 MiB", "write 1048576 B");
    burst("2500 kbytes", "write 2500 kB");
    burst("500000 octets", "write 500000 B");
    burst("20 msec", "write 20 ms");
    burst("20 milliseconds", "write 20 ms");
    burst("1 sec", "write 1 s");
    burst("ms", "2500 kB or 20 ms");
    burst("9 GB", "2500 kB or 20 ms");
    slip(1, "edge: { workers: 2, tcp_rtt: ", "20 msec", " }", "is not a time", "write 20 ms");
    slip(1, "edge: { workers: 2, tcp_rtt: ", "ms", " }", "(a number is missing)", "20 ms");
    slip(1, "edge: { workers: 2, tcp_rtt: ", "1 minute", " }", "is not a time", "a time from 1 ms to 10 s");
}

TEST(ConfigMessages, PrefixesOfOthers) {
    const auto prefix = [](const std::string& text, const std::string& what, const std::string& remedy) {
        slip(18, "            customer_prefixes: [10.1.0.0/16, ", text, "]", what, remedy);
    };
    prefix("10.0.0.0/33", "`10.0.0.0/33` has a length of 33: IPv4 prefixes have 0 to 32", "10.0.0.0/16");
    prefix("\"fd00::/129\"", "has a length of 129: IPv6 prefixes have 0 to 128", "write");
    prefix("10.0.0.0/255.255.0.0", "has a netmask where a length belongs", "write 10.0.0.0/16");
    prefix("10.0.0.0 255.255.255.0", "has a netmask where a length belongs", "write 10.0.0.0/24");
    prefix("10.0.5.0/0.0.0.255", "has a wildcard mask where a length belongs", "write 10.0.5.0/24");
    prefix("10.0.0.0/255.0.255.0", "has a mask whose ones are not all in front", "10.0.0.0/16");
    prefix("10.0.0.0/", "is not an IPv4 or IPv6 prefix", "10.0.0.0/16");
    slip(16, "            subnet: ", "172.16.0.0/255.255.255.252", "", "has a netmask", "write 172.16.0.0/30");
    slip(5, "  c0: { role: core, mtu: 9000, gateway_mac: \"02:00:00:00:00:fe\", address: ", "192.0.2.1/255.255.255.0",
         " }", "has a netmask", "write 192.0.2.1/24");
    slip(22, "                tunnel: { local: 192.0.2.1, key: 1, remote: ", "198.51.100.7/32", " }",
         "`198.51.100.7/32` has a prefix length", "write 198.51.100.7");
    for (const std::string mac : {"02-00-00-00-01-0a", "0200.0000.010a", "02000000010a", "2:0:0:0:1:a"})
        slip(17, "            customer_mac: ", "\"" + mac + "\"", "", "is not a unicast Ethernet address",
             "write \"02:00:00:00:01:0a\"");
}

/// What a value would have had to do with is not said on top, as if the default had been written.
TEST(ConfigMessages, AMistakeIsSaidOnce) {
    run_cases({
        {"core mtu",
         {{5, "  c0: { role: core, mtu: 1200, address: 192.0.2.1/24, gateway_mac: \"02:00:00:00:00:fe\" }"}},
         {{"5@1200 error", "mtu: `1200` is not a whole number from 1280 to 9600", "1280"}}},
        {"access mtu",
         {{3, "  a0: { role: access, mtu: 12000 }"},
          {5, "  c0: { role: core, mtu: 1500, address: 192.0.2.1/24, gateway_mac: \"02:00:00:00:00:fe\" }"}},
         {{"3@12000 error", "mtu: `12000` is not", "1280"}}},
        {"workers", {{1, "edge: { workers: 65, cores: [2, 3] }"}}, {{"1@65 error", "workers: `65` is not", "64"}}},
        {"tcp_rtt",
         {{1, "edge: { tcp_rtt: 20 }"}, {12, "        bandwidth: 10 Gbps\n        burst: 64 kB"}},
         {{"1@20 error", "(the unit is missing)", "20 ms"}}},
        {"accounting",
         {{12, "        bandwidth: 10 kbps\n        burst: 1510 B\n        accounting: l4"}},
         {{"14@l4 error", "accounting: `l4` is not", "l3"}}},
        {"service_vlan",
         {{11, "        service_vlan: 4095"}, {27, ""}},
         {{"11@4095 error", "service_vlan: `4095` is not", "4094"}}},
        {"vlan",
         {{15, "            vlan: 0"}, {27, "        service_vlan: 100"}},
         {{"15@0 error", "vlan: `0` is not", "4094"},
          {"27@100 warning", "S-VID 100 on port a0 is another circuit's too", "of its own"}}},
    });
}

/// Every value of a file that has them all, made wrong: one error there, and nothing that follows from it.
TEST(ConfigMessages, EveryBadValueIsSaidOnce) {
    const std::string whole =
        R"(edge: { workers: 2, cores: [3, 5], idle: sleep, icmp_errors_per_second: 7, tcp_rtt: 30 ms }
ports:
  a0: { role: access, mtu: 1600, mac: 02:00:00:00:00:0a, steering: false, service_tpid: 0x9100, tap: t0 }
  a1: { role: access, mtu: 1600, single_tpid: auto, inner_tpid: 0x88a8, accept_tpids: [0x9200] }
  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254, address6: "2001:db8::1/64", gateway6: "2001:db8::fe", gateway_mac: 02:00:00:00:00:fe }
customers:
  - name: contoso
    circuits:
      - name: sea
        links: { secondary: a1, primary: a0 }
        service_vlan: 100
        bandwidth: 1.5 Gbps
        burst: 9 MB
        accounting: wire
        peerings:
          - type: microsoft
            vlan: 4094
            subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }
            subnets6: { secondary: "fd00::4/126", primary: "fd00::/126" }
            customer_mac: 02:00:00:00:01:01
            customer_prefixes: [203.0.113.0/24, "2001:db8:7::/48"]
            bandwidth: 100 Mbps
            burst: 40 ms
            virtual_networks:
              - name: prod
                prefixes: [0.0.0.0/0, "::/0"]
                tunnel: { local: 192.0.2.9, remote: 198.51.100.7, key: 0, dscp: 0, inner_df: ignore, mss_clamp: true }
                ipsec:
                  mode: transport
                  suite: aes-gcm-128
                  local: 192.0.2.9
                  remote: 198.51.100.7
                  outbound: { spi: 256, spi_count: 2, first_lane: 0, key: a1f0c3d2e5b4978689fa1b2c3d4e5f6071829304 }
                  inbound: [{ spi: 257, key: b1f0c3d2e5b4978689fa1b2c3d4e5f6071829304 }, { spi: 258, key: c1f0c3d2e5b4978689fa1b2c3d4e5f6071829304 }]
                  replay_window: 64
                  esn: true
                  udp_encapsulation: true
                  dscp: copy
)";
    const Loaded right = load_text(whole, "f.yaml");
    ASSERT_TRUE(right.findings.empty()) << text(right.findings);
    const std::regex value(R"(([a-z_0-9]+): ("[^"]*"|[^\s,{}\[\]"][^,{}\[\]\n]*[^\s,{}\[\]]|[^\s,{}\[\]"]))");
    unsigned values = 0;
    for (std::sregex_iterator at(whole.begin(), whole.end(), value), end; at != end; ++at) {
        auto bad = whole;
        bad.replace(static_cast<std::size_t>(at->position(2)), static_cast<std::size_t>(at->length(2)), "\"!\"");
        SCOPED_TRACE(at->str());
        const Loaded loaded = load_text(bad, "f.yaml");
        EXPECT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
        EXPECT_FALSE(loaded.ok());
        ++values;
    }
    EXPECT_GT(values, 50U);
}

TEST(ConfigMessages, WhatIsEmpty) {
    const Loaded nothing = load_text("ports: { a0: { role: access } }\ncustomers:\n", "f.yaml");
    ASSERT_EQ(nothing.findings.size(), 1U) << text(nothing.findings);
    EXPECT_EQ(nothing.findings[0].what, "customers: nothing is given");
    EXPECT_TRUE(nothing.findings[0].remedy.ends_with(", or leave the key out")) << nothing.findings[0].remedy;
    for (const std::string yaml : {"ports:\n", "ports: ~\n", "ports: { a0: { role: access } }\nedge:\n"}) {
        const Loaded loaded = load_text(yaml, "f.yaml");
        ASSERT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
        EXPECT_NE(loaded.findings[0].what.find("nothing is given"), std::string::npos) << text(loaded.findings);
        EXPECT_EQ(loaded.findings[0].remedy.ends_with("leave the key out"), yaml.contains("edge"));
    }
}

TEST(ConfigMessages, AnUnclosedQuoteIsSaidWhereItOpens) {
    struct Open {
        std::string yaml, where;
    };
    for (const auto& [yaml, where] : std::vector<Open>{
             {"edge: { name: e }\nports:\n  a0: { role: access, device: \"x }\n  a1:\n    role: \"access\"\n", "3:31"},
             {"edge: { name: 'e }\nports:\n  a0:\n    role: access\n", "1:15"},
             {"edge:\n  name: \"e\nports:\n  a0:\n    role: access\n", "2:9"},
             {"edge: # it's a comment\n  name: 'it''s'\n  socket: \"\\\"x\nports: { a0: { role: access } }\n", "3:11"},
             {"edge: { näme: \"e }\n", "1:15"}}) {
        const Loaded loaded = load_text(yaml, "f.yaml");
        ASSERT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
        EXPECT_EQ(loaded.findings[0].where, "f.yaml:" + where) << yaml;
        EXPECT_NE(loaded.findings[0].what.find("is not closed on this line"), std::string::npos);
    }
    const Loaded other = load_text("edge: { name: \"e\" }\nports: ]\n", "f.yaml");
    ASSERT_EQ(other.findings.size(), 1U);
    EXPECT_EQ(other.findings[0].what.find("is not closed"), std::string::npos) << "every quote is closed";
}

TEST(ConfigMessages, TheSameOfManyIsSaidInOne) {
    std::string yaml =
        "ports: { a0: { role: access }, c0: { role: core, mtu: 1600, gateway_mac: 02:00:00:00:00:fe } }\n"
        "customers:\n  - name: contoso\n    circuits:\n";
    for (unsigned i = 0; i < 40; ++i) {
        const auto number = std::to_string(100 + i);
        yaml +=
            "      - { name: c" + number + ", port: a0, service_vlan: " + number +
            ", bandwidth: 1 Gbps, peerings: [ { type: private, vlan: 10, subnet: 10.0.0.0/30, virtual_networks: [ { "
            "name: n, prefixes: [10.9.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: " +
            number + " } } ] } ] }\n";
    }
    const Loaded loaded = load_text(yaml, "f.yaml");
    EXPECT_TRUE(loaded.ok()) << text(loaded.findings);
    ASSERT_EQ(loaded.findings.size(), 1U) << text(loaded.findings);
    EXPECT_TRUE(loaded.findings[0].where.starts_with("f.yaml:5:"));
    EXPECT_NE(loaded.findings[0].what.find("no core port has an IPv4 address"), std::string::npos);
    EXPECT_NE(loaded.findings[0].what.find("(40 times: also at f.yaml:6:"), std::string::npos);
    EXPECT_TRUE(loaded.findings[0].what.ends_with(" and 37 more places)")) << loaded.findings[0].what;
}

TEST(ConfigMessages, ATotalIsSaid) {
    const auto total = [](const std::vector<Edit>& edits) {
        const auto said = dataplane::to_text(load_text(edited(edits), "f.yaml").findings);
        const auto last = said.rfind('\n', said.size() - 2);
        return said.empty() ? said : said.substr(last + 1);
    };
    EXPECT_EQ(total({}), "");
    EXPECT_EQ(total({{12, "        bandwidth: 1"}}), "1 error\n");
    EXPECT_EQ(total({{12, "        bandwidth: 1"}, {15, "            vlan: 0"}}), "2 errors\n");
    EXPECT_EQ(total({{16, "            subnet: 169.254.8.0/30"}}), "1 warning\n");
    EXPECT_EQ(total({{12, "        bandwidth: 1"}, {16, "            subnet: 169.254.8.0/30"}}),
              "1 error, 1 warning\n");
}

}  // namespace
}  // namespace peerlane::config::test
