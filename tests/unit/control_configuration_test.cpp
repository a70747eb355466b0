// Reloads in one process, without workers: what is kept, what is shared, what is refused.
#include "dataplane/control/configuration.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "config/load.hpp"
#include "dataplane/control/commands.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/control/told_file.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

struct CustomerText {
    std::string name;
    int service_vlan;
    std::string bandwidth = "100 Mbps, burst: 100 kB";
    std::string prefixes = "10.100.0.0/16";
};

std::string text_of(const std::vector<CustomerText>& customers, const std::string& edge = "workers: 2") {
    std::string text = "edge: { name: e1, " + edge + R"( }
ports:
  a0: { role: access, device: net_null0 }
  c0: { role: core, device: net_null1, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254, gateway_mac: "02:00:00:00:00:fe" }
customers:
)";
    for (const auto& one : customers) {
        text += "  - { name: " + one.name +
                ", circuits: [{ name: sea, port: a0, service_vlan: " + std::to_string(one.service_vlan) +
                ", bandwidth: " + one.bandwidth +
                ", peerings: [{ type: private, vlan: 10, subnet: 172.16.0.0/30, customer_mac: \"02:00:00:00:01:01\", "
                "customer_prefixes: [10.0.0.0/16], virtual_networks: [{ name: prod, prefixes: [" +
                one.prefixes +
                "], tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: " + std::to_string(one.service_vlan) +
                " } }] }] }] }\n";
    }
    return text;
}

const CustomerText kContoso{"contoso", 100};
const CustomerText kFabrikam{"fabrikam", 200};

class Reload : public testing::Test {
  protected:
    void write(const std::string& text) const { std::ofstream(file_) << text; }
    void start(const std::string& text) {
        write(text);
        const auto loaded = config::load(file_, {.live = true});
        ASSERT_TRUE(loaded.ok());
        configuration.emplace(file_, loaded.model, state, publication, upkeep, std::vector<Mac>(2),
                              [this] { return now; });
    }
    Applied reload(const std::string& text) {
        write(text);
        auto applied = configuration->reload();
        if (applied.ok) { settle(configuration->snapshot(), state, now); }
        return applied;
    }
    /// What worker 0 counts for a packet of the circuit at `index` in the configuration, through its first tunnel.
    void count(std::size_t index, std::uint64_t packets) {
        const auto tunnel = configuration->snapshot().names.tunnels.at(index).slot;
        bump(state.workers[0]->tallies[tally::tunnel(tunnel, Link::primary, Direction::to_cloud)].packets, packets);
    }
    [[nodiscard]] std::uint64_t counted(const std::string& customer) const {
        const auto& snapshot = configuration->snapshot();
        for (const auto& circuit : snapshot.names.circuits) {
            if (circuit.customer != customer) { continue; }
            return circuit_counters(snapshot, state, circuit, Link::primary, Direction::to_cloud).passed.packets;
        }
        ADD_FAILURE() << customer << " has no circuit";
        return 0;
    }
    meter::SharedBucket& bucket(std::size_t index) {
        const auto slot = configuration->snapshot().names.circuits.at(index).slot;
        return state.circuit_buckets[circuit_cell(slot, Link::primary, Direction::to_cloud)];
    }

    const peerlane::test::OwnDirectory own_{"reload"};
    const fs::path file_ = own_.path() / "edge.yaml";
    Nanoseconds now = 1'000'000'000;
    State state{2};
    Publication publication{2};
    SaUpkeep upkeep{state, [this] { return now; }};
    std::optional<Configuration> configuration;
};

TEST_F(Reload, CountersAndBucketsOfWhatStaysAreKept) {
    start(text_of({kContoso, kFabrikam}));
    count(0, 5);
    count(1, 7);
    bucket(1).bucket = {1234 * meter::kUnitsPerByte, now};
    const CustomerText first{"adatum", 300};
    ASSERT_TRUE(reload(text_of({first, kFabrikam, kContoso})).ok);
    EXPECT_EQ(counted("adatum"), 0U);
    EXPECT_EQ(counted("fabrikam"), 7U);
    EXPECT_EQ(counted("contoso"), 5U);
    EXPECT_EQ(bucket(1).bucket.level, 1234 * meter::kUnitsPerByte);
    EXPECT_EQ(publication.current(), &configuration->snapshot());
}

TEST_F(Reload, ACircuitKeepsWhatATunnelCarriedThatLeft) {
    start(text_of({kContoso, kFabrikam}));
    count(0, 5);
    count(1, 7);
    // Its tunnel has another key now, and the key it had is fabrikam's.
    ASSERT_TRUE(reload(text_of({{"contoso", 300}, {"fabrikam", 100}})).ok);
    EXPECT_EQ(counted("contoso"), 5U);
    EXPECT_EQ(counted("fabrikam"), 7U);
    count(0, 1);
    EXPECT_EQ(counted("contoso"), 6U);
    ASSERT_TRUE(reload(text_of({kContoso, kFabrikam})).ok);
    EXPECT_EQ(counted("contoso"), 6U);
    EXPECT_EQ(counted("fabrikam"), 7U);
}

TEST_F(Reload, AChangedRateFillsAtTheOldOneUntilNow) {
    start(text_of({kContoso, kFabrikam}));
    bucket(0).bucket = {0, now};
    now += 1'000'000;  // 1 ms at 100 Mb/s: 12,500 octets
    ASSERT_TRUE(reload(text_of({{"contoso", 100, "1 Gbps, burst: 200 kB"}, kFabrikam})).ok);
    EXPECT_EQ(bucket(0).bucket.level, 12'500 * meter::kUnitsPerByte);
    EXPECT_EQ(bucket(0).bucket.at, now);
    // A smaller burst cuts the level, at once.
    ASSERT_TRUE(reload(text_of({{"contoso", 100, "1 Gbps, burst: 10 kB"}, kFabrikam})).ok);
    const auto slot = configuration->snapshot().names.circuits[0].slot;
    EXPECT_EQ(bucket(0).bucket.level, configuration->snapshot().circuit_rates[slot * kLinks].depth);
    EXPECT_LT(bucket(0).bucket.level, 12'500 * meter::kUnitsPerByte);
}

TEST_F(Reload, AnUnchangedVrfIsTheSameObject) {
    start(text_of({kContoso, kFabrikam}));
    const auto routes = [&](std::size_t index) {
        const auto& snapshot = configuration->snapshot();
        return snapshot.vrfs.at(snapshot.names.peerings.at(index).slot)->routes4.get();
    };
    const auto* contoso = routes(0);
    const auto* fabrikam = routes(1);
    ASSERT_TRUE(
        reload(text_of({kContoso, {"fabrikam", 200, "100 Mbps, burst: 100 kB", "10.100.0.0/16, 10.9.0.0/16"}})).ok);
    EXPECT_EQ(routes(0), contoso);
    EXPECT_NE(routes(1), fabrikam);
}

TEST_F(Reload, ASlotComesBackOnlyAfterItsGrace) {
    start(text_of({kContoso, kFabrikam}));
    count(1, 9);
    const auto slot = configuration->snapshot().names.circuits[1].slot;
    ASSERT_TRUE(reload(text_of({kContoso})).ok);
    ASSERT_TRUE(reload(text_of({kContoso, {"northwind", 300}})).ok);
    EXPECT_NE(configuration->snapshot().names.circuits[1].slot, slot) << "a worker could still be counting there";
    ASSERT_TRUE(reload(text_of({kContoso, {"northwind", 300}, {"tailspin", 400}})).ok);
    EXPECT_EQ(configuration->snapshot().names.circuits[2].slot, slot);
    EXPECT_EQ(counted("tailspin"), 0U) << "another customer's packets";
}

TEST_F(Reload, ABadFileChangesNothingAndSaysEverything) {
    start(text_of({kContoso, kFabrikam}));
    count(0, 5);
    const auto* before = publication.current();
    const auto applied =
        reload(text_of({{"contoso", 5000}, {"fabrikam", 200, "0 Mbps, burst: 100 kB"}, {"northwind", 300}}));
    EXPECT_FALSE(applied.ok);
    EXPECT_GE(applied.findings.size(), 2U);
    EXPECT_EQ(publication.current(), before);
    EXPECT_EQ(counted("contoso"), 5U);
    fs::remove(file_);
    EXPECT_FALSE(configuration->reload().ok);
    EXPECT_EQ(publication.current(), before);
    // And the next good one is compared with what runs, not with what failed.
    ASSERT_TRUE(reload(text_of({kContoso, kFabrikam})).ok);
    EXPECT_EQ(counted("contoso"), 5U);
    EXPECT_TRUE(configuration->snapshot().retunes.empty());
}

TEST_F(Reload, WhatNeedsARestartIsRefusedByName) {
    start(text_of({kContoso}));
    const auto* before = publication.current();
    const auto says = [&](const std::string& text, const std::string& what) {
        const auto applied = reload(text);
        EXPECT_FALSE(applied.ok);
        std::string all;
        for (const auto& finding : applied.findings) { all += finding.where + ' ' + finding.what + '\n'; }
        EXPECT_NE(all.find(what), std::string::npos) << all;
        EXPECT_EQ(publication.current(), before);
    };
    const auto good = text_of({kContoso});
    const auto with = [&](const std::string& from, const std::string& to) {
        auto text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    says(text_of({kContoso}, "workers: 3"), ":1:19 edge.workers is 3, not 2");
    says(text_of({kContoso}, "workers: 2, cores: [0, 1]"), ":1:31 edge.cores");
    says(text_of({kContoso}, "workers: 2, idle: sleep"), ":1:31 edge.idle");
    says(text_of({kContoso}, "workers: 2, socket: /tmp/x"), ":1:31 edge.socket is /tmp/x");
    says(text_of({kContoso}, "workers: 2, read_socket: /tmp/x"), ":1:31 edge.read_socket has changed");
    says(with("name: e1, workers: 2", "name: e1"), ":1:1 edge.workers is 1, not 2");  // where it would be
    says(with("net_null0", "net_null7"), ":3:23 port a0: device has changed");
    says(with("mtu: 9000", "mtu: 9001"), ":4:40 port c0: mtu has changed");
    says(with("mtu: 9000, ", ""), ":4:3 port c0: mtu has changed");
    says(with("device: net_null0", "mac: \"02:00:00:00:00:01\", device: net_null0"), "port a0: mac has changed");
    says(with("customers:", "  a1: { role: access, device: net_null2 }\ncustomers:"), "port a1 is new");
    // Addresses, gateways and the edge's name may change.
    EXPECT_TRUE(reload(with("192.0.2.254", "192.0.2.253")).ok);
    EXPECT_TRUE(reload(with("name: e1", "name: e2")).ok);
}

TEST_F(Reload, CommandsAnswerInJson) {
    start(text_of({kContoso}));
    const Commands commands{
        *configuration, state, [] { return nlohmann::ordered_json::parse(R"([{"link":"up"},{"link":"down"}])"); },
        [] {
            return Rows{1, [](std::size_t, nlohmann::ordered_json& list) { list.push_back({{"state", "reachable"}}); }};
        },
        [this](const Peer&) { return configuration->reload(); }};
    const Peer root{0, 1, true};
    const auto ask = [&](std::string_view request) {
        return nlohmann::json::parse(commands.answer(request, root).text);
    };
    count(0, 3);
    const auto circuits = ask(R"({"command":"show","what":"circuits"})");
    EXPECT_EQ(circuits["ok"], true);
    EXPECT_EQ(circuits["circuits"][0]["packets"], 3);
    const auto ports = ask(R"({"command":"show","what":"ports"})")["ports"];
    EXPECT_EQ(ports["a0"]["link"], "up");
    EXPECT_EQ(ports["c0"]["link"], "down");
    EXPECT_EQ(ports["a0"]["received"], 0);
    EXPECT_EQ(ask(R"({"command":"show","what":"workers"})")["workers"].size(), 2U);
    EXPECT_EQ(ask(R"({"command":"show","what":"sas"})")["sas"].size(), 0U);
    EXPECT_EQ(ask(R"({"command":"show","what":"neighbours"})")["neighbours"][0]["state"], "reachable");
    const auto circuit = ask(R"({"command":"show","what":"circuit","name":"contoso/sea"})");
    EXPECT_EQ(circuit["ok"], true);
    EXPECT_EQ(circuit["circuit"]["links"][0]["to_cloud"]["packets"], 3);
    EXPECT_EQ(circuit["circuit"]["links"][0]["port_link"], "up");
    EXPECT_EQ(ask(R"({"command":"reload"})")["ok"], true);
    const auto before = configuration->generation();
    const auto read = nlohmann::json::parse(commands.answer(R"({"command":"reload"})", {0, 1, false}).text);
    EXPECT_EQ(read["error"], "this socket answers `show` only: reload by the edge's other one, edge.socket");
    for (const auto* another : {R"({"command":"reload","config":{"path":"/etc/passwd","device":1,"inode":2}})",
                                R"({"command":"show","what":"ports","config":"edge.yaml"})"}) {
        EXPECT_EQ(ask(another)["ok"], false) << another;
        EXPECT_NE(ask(another)["error"].get<std::string>().find("this edge runs with " + file_.string()),
                  std::string::npos);
    }
    EXPECT_EQ(configuration->generation(), before) << "nothing was read";
    EXPECT_EQ(ask(R"({"command":"reload","config":)" + told_file(file_).dump() + "}")["ok"], true);
    EXPECT_EQ(configuration->generation(), before + 1);
    write("customers: 7\n");
    const auto refused = ask(R"({"command":"reload"})");
    EXPECT_EQ(refused["ok"], false);
    EXPECT_FALSE(refused["findings"].empty());
    for (const auto* wrong :
         {"", "7", "{", R"({"command":"stop"})", R"({"command":"show"})", R"({"command":"show","what":"secrets"})",
          R"({"command":"show","what":"circuit"})", R"({"command":"show","what":"circuit","name":"conotso/sea"})",
          R"({"command":"show","what":"circuit","name":7})", R"({"command":{}})"}) {
        EXPECT_EQ(ask(wrong)["ok"], false) << wrong;
        EXPECT_TRUE(ask(wrong).contains("error")) << wrong;
    }
}

}  // namespace
}  // namespace peerlane::dataplane
