// `show circuit NAME`: which circuit a name means, and what is said of it.
#include "dataplane/control/circuit_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "config/load.hpp"
#include "dataplane/tables/compile.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kConfiguration = R"(
ports:
  access0: { role: access, mtu: 1500 }
  core0: { role: core, mtu: 1600, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1500 }
customers:
  - name: contoso
    circuits:
      - name: contoso-sea
        links: { primary: access0, secondary: access1 }
        bandwidth: 1.5 Gbps
        accounting: l2
        service_vlan: 100
        peerings:
          - { type: private, vlan: 10, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
              subnets6: { primary: "fd00:172::/126", secondary: "fd00:172::4/126" }, customer_prefixes: [10.0.0.0/16],
              virtual_networks: [ { name: n, prefixes: [10.100.0.0/16],
                                    tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 } } ] }
          - { type: microsoft, vlan: 20, subnets: { primary: 203.0.113.0/30, secondary: 203.0.113.4/30 } }
      - { name: west, port: access0, service_vlan: 101, bandwidth: 10 Mbps,
          peerings: [ { type: private, vlan: 10, subnet: 172.16.0.0/30 } ] }
  - name: fabrikam
    circuits:
      - { name: west, port: access1, service_vlan: 102, bandwidth: 10 Mbps,
          peerings: [ { type: private, vlan: 10, subnet: 172.16.0.0/30 } ] }
)";

class CircuitView : public testing::Test {
  protected:
    CircuitView() {
        const auto loaded = config::load_text(kConfiguration, "test.yaml");
        EXPECT_TRUE(loaded.ok());
        snapshot_ = compile(loaded.model, state_, nullptr, {});
    }
    [[nodiscard]] std::string found(std::string_view name) const {
        const auto circuit = find_circuit(snapshot_->names, name);
        return circuit ? (*circuit)->customer + '/' + (*circuit)->circuit : circuit.error();
    }
    [[nodiscard]] Json view(std::string_view name, const Json& ports = Json::array()) const {
        return circuit_json(*snapshot_, state_, **find_circuit(snapshot_->names, name), ports);
    }
    void passed(Link link, Direction way, std::uint64_t packets) {
        auto& tally = state_.workers[0]->tallies[tally::tunnel(snapshot_->names.tunnels[0].slot, link, way)];
        bump(tally.packets, packets);
        bump(tally.bytes, packets * 100);
    }
    void policed(Link link, std::uint64_t packets) {
        const auto cell = circuit_cell(snapshot_->names.circuits[0].slot, link, Direction::to_customer);
        CircuitDrops& drops = state_.workers[0]->circuit_drops[cell];
        bump(drops.packets[kCircuitReason[reason_index(Fate::policed)]], packets);
        bump(drops.policed_bytes, packets * 122);
    }
    std::uint8_t& lives(std::size_t peering, Link link) {
        return state_.links_alive[snapshot_->names.peerings[peering].slot * kLinks + raw(link)];
    }
    State state_{1};
    std::unique_ptr<Snapshot> snapshot_;
};

TEST_F(CircuitView, Names) {
    EXPECT_EQ(found("contoso-sea"), "contoso/contoso-sea");
    EXPECT_EQ(found("contoso/contoso-sea"), "contoso/contoso-sea");
    EXPECT_EQ(found("fabrikam/west"), "fabrikam/west");
    EXPECT_EQ(found("west"), "2 customers have a circuit `west`: say which, contoso/west, fabrikam/west");
    EXPECT_EQ(found("contoso-see"), "no circuit is called `contoso-see`: did you mean contoso/contoso-sea?");
    EXPECT_EQ(found("fabrikan/west"), "no circuit is called `fabrikan/west`: did you mean fabrikam/west?");
    EXPECT_EQ(found("sea"), "no circuit is called `sea`: did you mean contoso/contoso-sea?");
    EXPECT_EQ(found("wset"), "no circuit is called `wset`: did you mean contoso/west, fabrikam/west?");
    for (const std::string other : {"", "nothing-like-it"}) {
        EXPECT_EQ(found(other), "no circuit is called `" + other + "`: `show circuits` lists them");
    }
    EXPECT_EQ(found(std::string(60'000, 'x')),
              "no circuit is called `" + std::string(64, 'x') + "`: `show circuits` lists them");
}

TEST_F(CircuitView, NamesAFewOfMany) {
    Names names;
    for (int i = 0; i < 1000; ++i) { names.circuits.push_back({"c" + std::to_string(i), "sea", 0, {}, 0, {}}); }
    const auto same = find_circuit(names, "sea");
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error(),
              "1000 customers have a circuit `sea`: say which, c0/sea, c1/sea, c2/sea, c3/sea, c4/sea, …");
    const auto near = find_circuit(names, "c999/see");
    ASSERT_FALSE(near);
    EXPECT_TRUE(near.error().starts_with("no circuit is called `c999/see`: did you mean c999/sea, ")) << near.error();
    EXPECT_EQ(std::count(near.error().begin(), near.error().end(), ','), 4);
}

TEST_F(CircuitView, SaysWhichLinkCarriesWhat) {
    passed(Link::primary, Direction::to_customer, 300);
    passed(Link::secondary, Direction::to_customer, 150);
    passed(Link::secondary, Direction::to_cloud, 7);
    policed(Link::secondary, 2);
    lives(0, Link::secondary) = alive::kV6;
    lives(1, Link::primary) = 0;
    lives(1, Link::secondary) = 0;
    const auto ports = Json::parse(R"([{"link":"up"},{"link":"up"},{"link":"down"}])");
    EXPECT_EQ(view("contoso-sea", ports), Json::parse(R"({
      "customer": "contoso", "circuit": "contoso-sea", "bandwidth_bps": 1500000000, "links": [
        { "link": "primary", "port": "access0", "port_link": "up",
          "peerings": [
            { "peering": "private", "flows": {"ipv4": "all", "ipv6": "half"}, "alive": {"ipv4": true, "ipv6": true},
              "edge_addresses": ["172.16.0.2", "fd00:172::2"] },
            { "peering": "microsoft", "flows": {"ipv4": "half"}, "alive": {"ipv4": false},
              "edge_addresses": ["203.0.113.2"] } ],
          "to_cloud": { "packets": 0, "bytes": 0, "policed_packets": 0, "policed_bytes": 0, "drops": {} },
          "to_customer": { "packets": 300, "bytes": 36600, "policed_packets": 0, "policed_bytes": 0, "drops": {} },
          "share_to_customer_percent": 66.7 },
        { "link": "secondary", "port": "access1", "port_link": "down",
          "peerings": [
            { "peering": "private", "flows": {"ipv4": "none", "ipv6": "half"}, "alive": {"ipv4": false, "ipv6": true},
              "edge_addresses": ["172.16.0.6", "fd00:172::6"] },
            { "peering": "microsoft", "flows": {"ipv4": "half"}, "alive": {"ipv4": false},
              "edge_addresses": ["203.0.113.6"] } ],
          "to_cloud": { "packets": 7, "bytes": 854, "policed_packets": 0, "policed_bytes": 0, "drops": {} },
          "to_customer": { "packets": 150, "bytes": 18300, "policed_packets": 2, "policed_bytes": 244,
                           "drops": {"policed": 2} },
          "share_to_customer_percent": 33.3 } ] })"));
}

TEST_F(CircuitView, OneLinkCarriesAll) {
    const auto west = view("fabrikam/west");
    ASSERT_EQ(west["links"].size(), 1U);
    const auto& link = west["links"][0];
    EXPECT_EQ(link["port"], "access1");
    EXPECT_EQ(link["port_link"], nullptr) << "nobody said";
    EXPECT_EQ(link["share_to_customer_percent"], nullptr) << "of nothing";
    EXPECT_EQ(link["peerings"][0]["flows"], Json::parse(R"({"ipv4":"all"})"));
}

TEST_F(CircuitView, ForPeople) {
    passed(Link::primary, Direction::to_customer, 300);
    passed(Link::secondary, Direction::to_customer, 100);
    policed(Link::secondary, 2);
    lives(1, Link::secondary) = 0;
    EXPECT_EQ(
        circuit_text(view("contoso-sea", Json::parse(R"([{"link":"up"},{"link":"up"},{"link":"up"}])"))),
        "contoso/contoso-sea, 1500 Mbps each way on each link\n"
        "\n"
        "link       port     port_link  peering    flows                 alive               edge_addresses\n"
        "primary    access0  up         private    ipv4 half, ipv6 half  ipv4 yes, ipv6 yes  172.16.0.2, fd00:172::2\n"
        "primary    access0  up         microsoft  ipv4 all              ipv4 yes            203.0.113.2\n"
        "secondary  access1  up         private    ipv4 half, ipv6 half  ipv4 yes, ipv6 yes  172.16.0.6, fd00:172::6\n"
        "secondary  access1  up         microsoft  ipv4 none             ipv4 no             203.0.113.6\n"
        "\n"
        "link       direction    packets  bytes  policed_packets  policed_bytes  drops      share_percent\n"
        "primary    to_cloud           0      0                0              0  -          -\n"
        "primary    to_customer      300  36600                0              0  -          75.0\n"
        "secondary  to_cloud           0      0                0              0  -          -\n"
        "secondary  to_customer      100  12200                2            244  policed 2  25.0\n");
}

}  // namespace
}  // namespace peerlane::dataplane
