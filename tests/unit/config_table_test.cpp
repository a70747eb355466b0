// The field table: every field lands where it should, defaults are those of the model, the committed pages are fresh.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include "config/fields.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "config/values.hpp"
#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {
namespace {

TEST(ConfigTable, EveryFieldIsStored) {
    const Loaded loaded = load_text(R"(edge:
  name: e
  workers: 2
  cores: [3, 5]
  idle: sleep
  state_dir: /s
  socket: /k
  icmp_errors_per_second: 7
  replies_per_second: 8
  tcp_rtt: 0.03 s
ports:
  a0: { role: access, device: "0000:01:00.0", mtu: 1600, mac: 02:00:00:00:00:0A, service_tpid: 0x9100, single_tpid: auto,
        inner_tpid: 0x88a8, accept_tpids: [0x9200, 0x9300], accept_inner_tpids: [0x9100] }
  a1: { role: access }
  c0:
    role: core
    mtu: 9000
    address: 192.0.2.1/24
    gateway: 192.0.2.254
    address6: 2001:db8::1/64
    gateway6: 2001:db8::fe
    gateway_mac: 02:00:00:00:00:fe
customers:
  - name: contoso
    circuits:
      - name: sea
        links: { secondary: a1, primary: a0 }
        service_vlan: 0x64
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
                tunnel: { local: "2001:db8::1", remote: "2001:db8::7", key: 0, dscp: 0, inner_df: ignore, mss_clamp: true }
)",
                                    "f.yaml");
    ASSERT_TRUE(loaded.findings.empty()) << text(loaded.findings);
    const Edge& edge = loaded.model.edge;
    EXPECT_EQ(edge.name, "e");
    EXPECT_EQ(edge.workers, 2U);
    EXPECT_EQ(edge.cores, (std::vector<std::uint32_t>{3, 5}));
    EXPECT_EQ(edge.idle, Idle::sleep);
    EXPECT_EQ(edge.state_dir, "/s");
    EXPECT_EQ(edge.socket, "/k");
    EXPECT_EQ(edge.icmp_errors_per_second, 7U);
    EXPECT_EQ(edge.replies_per_second, 8U);
    EXPECT_EQ(edge.tcp_rtt_ms, 30U);

    ASSERT_EQ(loaded.model.ports.size(), 3U);
    const Port& access = loaded.model.ports[0];
    EXPECT_EQ(access.name, "a0");
    EXPECT_EQ(access.role, Role::access);
    EXPECT_EQ(access.device, "0000:01:00.0");
    EXPECT_EQ(access.mtu, 1600);
    EXPECT_EQ(access.mac, parse_mac("02:00:00:00:00:0a"));
    EXPECT_EQ(access.service_tpid, 0x9100);
    EXPECT_EQ(access.single_tpid, kHeardTpid);
    EXPECT_EQ(access.inner_tpid, 0x88a8);
    EXPECT_EQ(access.accept_tpids, (std::vector<std::uint16_t>{0x9200, 0x9300}));
    EXPECT_EQ(access.accept_inner_tpids, std::vector<std::uint16_t>{0x9100});
    EXPECT_EQ(access.place.line, 12U);
    const Port& core = loaded.model.ports[2];
    EXPECT_EQ(core.role, Role::core);
    EXPECT_EQ(core.address, parse_prefix4("192.0.2.1/24"));
    EXPECT_EQ(core.gateway, parse_ip4("192.0.2.254"));
    EXPECT_EQ(core.address6, parse_prefix6("2001:db8::1/64"));
    EXPECT_EQ(core.gateway6, parse_ip6("2001:db8::fe"));
    EXPECT_EQ(core.gateway_mac, parse_mac("02:00:00:00:00:fe"));

    ASSERT_EQ(loaded.model.customers.size(), 1U);
    EXPECT_EQ(loaded.model.customers[0].name, "contoso");
    ASSERT_EQ(loaded.model.customers[0].circuits.size(), 1U);
    const Circuit& circuit = loaded.model.customers[0].circuits[0];
    EXPECT_EQ(circuit.name, "sea");
    ASSERT_EQ(circuit.links.size(), 2U);
    EXPECT_EQ(circuit.links[0].link, Link::primary);
    EXPECT_EQ(circuit.links[0].port, 0U);
    EXPECT_EQ(circuit.links[1].link, Link::secondary);
    EXPECT_EQ(circuit.links[1].port, 1U);
    EXPECT_EQ(circuit.service_vlan, 100);
    EXPECT_EQ(circuit.bandwidth, BitsPerSecond{1'500'000'000});
    EXPECT_EQ(circuit.burst, Bytes{9'000'000});
    EXPECT_EQ(circuit.accounting, Accounting::wire);
    EXPECT_EQ(circuit.place.line, 26U);
    EXPECT_EQ(circuit.place.column, 9U);

    ASSERT_EQ(circuit.peerings.size(), 1U);
    const Peering& peering = circuit.peerings[0];
    EXPECT_EQ(peering.type, PeeringType::microsoft);
    EXPECT_EQ(peering.vlan, 4094);
    ASSERT_EQ(peering.links.size(), 2U);
    EXPECT_EQ(peering.links[0].link, Link::primary);
    EXPECT_EQ(peering.links[0].subnet, parse_prefix4("172.16.0.0/30"));
    EXPECT_EQ(peering.links[0].subnet6, parse_prefix6("fd00::/126"));
    EXPECT_EQ(peering.links[1].link, Link::secondary);
    EXPECT_EQ(peering.links[1].subnet, parse_prefix4("172.16.0.4/30"));
    EXPECT_EQ(peering.links[1].subnet6, parse_prefix6("fd00::4/126"));
    EXPECT_EQ(peering.customer_mac, parse_mac("02:00:00:00:01:01"));
    EXPECT_EQ(peering.customer_prefixes,
              (std::vector<Prefix>{*parse_prefix("203.0.113.0/24"), *parse_prefix("2001:db8:7::/48")}));
    EXPECT_EQ(peering.bandwidth, BitsPerSecond{100'000'000});
    EXPECT_EQ(peering.burst, Bytes{500'000});

    ASSERT_EQ(peering.virtual_networks.size(), 1U);
    const VirtualNetwork& network = peering.virtual_networks[0];
    EXPECT_EQ(network.name, "prod");
    EXPECT_EQ(network.prefixes, (std::vector<Prefix>{*parse_prefix("0.0.0.0/0"), *parse_prefix("::/0")}));
    EXPECT_EQ(network.tunnel.local, parse_ip("2001:db8::1"));
    EXPECT_EQ(network.tunnel.remote, parse_ip("2001:db8::7"));
    EXPECT_EQ(network.tunnel.key, GreKey{0});
    EXPECT_EQ(network.tunnel.dscp, 0);
    EXPECT_EQ(network.tunnel.inner_df, InnerDf::ignore);
    EXPECT_TRUE(network.tunnel.mss_clamp);
}

TEST(ConfigTable, ShortFormsOfLinksAndSubnets) {
    const Loaded one =
        load_text(edited({{16, "            subnet: 172.16.0.0/30\n            subnet6: fd00::/126"}}), "f.yaml");
    ASSERT_TRUE(one.ok()) << text(one.findings);
    const Circuit& circuit = one.model.customers[0].circuits[0];
    ASSERT_EQ(circuit.links.size(), 1U);
    EXPECT_EQ(circuit.links[0].link, Link::primary);
    EXPECT_EQ(circuit.peerings[0].links[0].subnet, parse_prefix4("172.16.0.0/30"));
    EXPECT_EQ(circuit.peerings[0].links[0].subnet6, parse_prefix6("fd00::/126"));

    const Loaded half =
        load_text(edited({{10, "        links: { secondary: a1 }"},
                          {16, "            subnets: { primary: 10.9.0.0/30, secondary: 10.9.0.4/30 }"}}),
                  "f.yaml");
    ASSERT_TRUE(half.ok()) << text(half.findings);
    const Peering& peering = half.model.customers[0].circuits[0].peerings[0];
    ASSERT_EQ(peering.links.size(), 1U);
    EXPECT_EQ(peering.links[0].link, Link::secondary);
    EXPECT_EQ(peering.links[0].subnet, parse_prefix4("10.9.0.4/30"));
}

/// The table's defaults and the model's own initial values are the same.
TEST(ConfigTable, DefaultsAreTheModels) {
    for (const std::string_view edge : {"", "edge: {}\n"}) {
        const Loaded loaded = load_text(std::string(edge) + "ports: { a0: { role: access } }\n", "f.yaml");
        ASSERT_TRUE(loaded.findings.empty()) << text(loaded.findings);
        const Edge& got = loaded.model.edge;
        const Edge model;
        EXPECT_EQ(got.name, model.name);
        EXPECT_EQ(got.workers, model.workers);
        EXPECT_EQ(got.cores, model.cores);
        EXPECT_EQ(got.idle, model.idle);
        EXPECT_EQ(got.state_dir, model.state_dir);
        EXPECT_EQ(got.socket, model.socket);
        EXPECT_EQ(got.icmp_errors_per_second, model.icmp_errors_per_second);
        EXPECT_EQ(got.replies_per_second, model.replies_per_second);
        EXPECT_EQ(got.tcp_rtt_ms, model.tcp_rtt_ms);
        EXPECT_EQ(loaded.model.ports[0].mtu, Port{}.mtu);
        EXPECT_EQ(loaded.model.ports[0].service_tpid, Port{}.service_tpid);
        EXPECT_EQ(loaded.model.ports[0].single_tpid, Port{}.single_tpid);
        EXPECT_EQ(loaded.model.ports[0].inner_tpid, Port{}.inner_tpid);
    }
    const Loaded loaded = load_text(kRight, "f.yaml");
    const Circuit& circuit = loaded.model.customers[0].circuits[0];
    EXPECT_EQ(circuit.accounting, Circuit{}.accounting);
    const Tunnel& tunnel = circuit.peerings[0].virtual_networks[0].tunnel;
    EXPECT_EQ(tunnel.dscp, Tunnel{}.dscp);
    EXPECT_EQ(tunnel.inner_df, Tunnel{}.inner_df);
    EXPECT_EQ(tunnel.mss_clamp, Tunnel{}.mss_clamp);
}

TEST(ConfigTable, IsWellFormed) {
    for (const Mapping* mapping : all_mappings()) {
        std::set<std::string_view> names;
        for (const Field& field : mapping->fields) {
            SCOPED_TRACE(std::string(mapping->name) + "." + std::string(field.name));
            EXPECT_TRUE(names.insert(field.name).second);
            EXPECT_FALSE(field.meaning.empty());
            EXPECT_EQ(field.meaning.find('|'), std::string_view::npos);  // would end a cell of the page
            EXPECT_TRUE(!field.required || field.preset.empty());
            EXPECT_EQ(field.mapping != nullptr, field.type == Type::mapping);
            EXPECT_EQ(field.mapping != nullptr, field.child != nullptr);
            EXPECT_EQ(field.store != nullptr,
                      field.type != Type::mapping && field.type != Type::paths && field.type != Type::key_file);
            if (field.preset.empty()) continue;
            EXPECT_FALSE(parse_value(field, field.preset, true, Model{}).complaint.has_value());
        }
        for (const Alternatives& group : mapping->alternatives)
            for (const std::string_view key : group.keys) EXPECT_TRUE(names.contains(key)) << key;
    }
}

/// Compares with the committed page; with PEERLANE_REGENERATE set, writes it.
void expect_fresh(const std::string& path, const std::string& content) {
    const std::string whole = std::string(PEERLANE_SOURCE_ROOT) + "/" + path;
    if (std::getenv("PEERLANE_REGENERATE") != nullptr) std::ofstream(whole) << content;
    std::ostringstream committed;
    committed << std::ifstream(whole).rdbuf();
    EXPECT_EQ(committed.str(), content) << path << " is stale: run this test with PEERLANE_REGENERATE=1 and commit it";
}

TEST(ConfigTable, CommittedReferenceIsFresh) {
    expect_fresh("docs/configuration.md", reference_markdown());
}
TEST(ConfigTable, CommittedSchemaIsFresh) {
    expect_fresh("docs/configuration.schema.json", json_schema());
}

}  // namespace
}  // namespace peerlane::config::test
