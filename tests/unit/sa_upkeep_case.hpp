// An edge's control side around a state directory of the test's own. The traffic is the test's: it counts up what a
// worker would.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/load.hpp"
#include "dataplane/control/configuration.hpp"
#include "dataplane/control/sa_state_text.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane::test {

namespace fs = std::filesystem;

inline constexpr std::uint64_t kBlock = std::uint64_t{1} << 20U;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

/// One protected tunnel. Keys are told apart by their first octet.
struct Tunnel {
    std::string suite = "aes-gcm-128";
    unsigned out = 1, in = 2;  // keys
    std::string more = {};     // of ipsec
    std::string lanes = {};    // of outbound
    std::string next = {};     // another outbound
};
inline std::vector<std::uint8_t> material(const std::string& suite, unsigned mark) {
    const bool counts = suite.find("cbc") == std::string::npos;
    const bool brief = suite == "aes-gcm-128" || suite.starts_with("aes-cbc-128");
    std::vector<std::uint8_t> octets((brief ? 16 : 32) + (counts ? 4 : 32));
    for (std::size_t i = 0; i < octets.size(); ++i) { octets[i] = static_cast<std::uint8_t>(i + 1); }
    octets[0] = static_cast<std::uint8_t>(mark);
    return octets;
}
inline std::string hex_key(const std::string& suite, unsigned mark) {
    return fmt::format("\"{:02x}\"", fmt::join(material(suite, mark), ""));
}
inline SaKey name_of(unsigned mark, bool outbound = true, std::uint32_t number = 0,
                     const std::string& suite = "aes-gcm-128") {
    const auto which = suite == "aes-gcm-128" ? EspSuite::aes_gcm_128 : EspSuite::aes_cbc_128_hmac_sha256_128;
    return {ipsec::fingerprint(which, material(suite, mark)), outbound, number};
}
inline const std::string kCbc = "aes-cbc-128-hmac-sha256-128";
inline constexpr std::uint32_t kSpiIn = 0x2000;  // and on

class Upkeep : public testing::Test {
  protected:
    explicit Upkeep(const fs::path& above = fs::temp_directory_path()) : own_("upkeep", above) {}

    static void SetUpTestSuite() { ipsec::allow_unlocked(); }

    void write(const std::vector<Tunnel>& tunnels) const {
        std::string text = fmt::format(R"(edge: {{ name: e1, state_dir: "{}", state_dir_volatile: true }}
ports:
  a0: {{ role: access, device: net_null0 }}
  c0: {{ role: core, device: net_null1, mtu: 9000, address: 192.0.2.1/24, gateway: 192.0.2.254,
        gateway_mac: "02:00:00:00:00:fe" }}
customers:
  - name: contoso
    circuits:
      - {{ name: sea, port: a0, service_vlan: 100, bandwidth: 1 Gbps, peerings: [ {{
          type: private, vlan: 10, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:01:01",
          customer_prefixes: [10.0.0.0/16], virtual_networks: [
)",
                                       directory_.native());
        unsigned i = 0;
        for (const auto& [suite, out, in, more, lanes, next] : tunnels) {
            ++i;
            text += fmt::format(
                "{{ name: n{0}, prefixes: [10.{1}.0.0/16], tunnel: {{ local: 192.0.2.1, remote: 198.51.100.7, "
                "key: {0} }}, ipsec: {{ suite: {2}, outbound: [{{ spi: {3}, key: {4}{5} }}{6}], inbound: {{ spi: {7}, "
                "key: {8} }}{9} }} }},\n",
                i, 100 + i, suite, 0x1000 + 16 * i, hex_key(suite, out), lanes, next, kSpiIn + in, hex_key(suite, in),
                more);
        }
        std::ofstream(root_ / "edge.yaml") << text << "] }] }\n";
    }

    /// An edge from its start to its end, orderly or not.
    struct Run {
        Run(const fs::path& file, const Nanoseconds& now)
            : upkeep(state, [&now] { return now; }),
              configuration(file, loaded(file), state, publication, upkeep, std::vector<Mac>(2), [&now] { return now; },
                            {[this](const Snapshot& next) {
                                if (admitted) { admitted(next); }
                            }}) {}
        static config::Model loaded(const fs::path& file) {
            auto read = config::load(file, {.live = true});
            for (const auto& finding : read.findings) {
                if (finding.severity == config::Finding::Severity::error) { throw std::logic_error(finding.what); }
            }
            return std::move(read.model);
        }
        std::function<void(const Snapshot&)> admitted;  // where ports are steered
        State state{1};
        Publication publication{1};
        SaUpkeep upkeep;
        Configuration configuration;
    };
    void start(const std::vector<Tunnel>& tunnels) {
        write(tunnels);
        run_.reset();
        run_ = std::make_unique<Run>(root_ / "edge.yaml", now_);
    }
    /// As the edge ends when it is told to.
    void end() {
        run_->upkeep.end(snapshot());
        run_.reset();
    }
    void crash() { run_.reset(); }
    void reload(const std::vector<Tunnel>& tunnels) {
        write(tunnels);
        const auto applied = run_->configuration.reload();
        for (const auto& finding : applied.findings) {
            EXPECT_NE(finding.severity, config::Finding::Severity::error) << finding.what;
        }
        ASSERT_TRUE(applied.ok);
    }
    Configuration& configuration() { return run_->configuration; }
    /// Whether a reload takes `tunnels`.
    bool turned(const std::vector<Tunnel>& tunnels) {
        write(tunnels);
        return run_->configuration.reload().ok;
    }
    void tick() { run_->upkeep.look(snapshot()); }

    [[nodiscard]] const Snapshot& snapshot() const { return run_->configuration.snapshot(); }
    [[nodiscard]] const SaPlan& plan(const SaKey& key) const {
        for (const auto& one : snapshot().sas) {
            if (one.key == key) { return one; }
        }
        throw std::invalid_argument("no such SA");
    }
    [[nodiscard]] ipsec::SaState& sa(const SaKey& key) const { return run_->state.sa_states[plan(key).slot]; }
    /// What the file says now.
    [[nodiscard]] SaMemory on_disk() const {
        std::ifstream in(directory_ / "sa-state", std::ios::binary);
        const auto state = parse_sa_state(std::string(std::istreambuf_iterator<char>(in), {}));
        EXPECT_TRUE(state) << state.error();
        return state ? state->memory : SaMemory{};
    }
    /// A worker's `packets` of 100 octets; returns how many it may send. Every number is on disk as used by then.
    std::uint64_t send(const SaKey& key, std::uint64_t packets) {
        auto& state = sa(key);
        if (state.life != 0) { ipsec::begin_life(state, run_->state.sa_faults[plan(key).slot], now_); }
        std::uint64_t sent = std::min(packets, state.sequence_limit - std::min(state.sequence_limit, state.sequence));
        if (now_ >= state.deadline) { sent = 0; }
        sent = std::min(sent, state.packets_limit - std::min(state.packets_limit, state.packets));
        state.sequence += sent;
        state.packets += sent;
        state.bytes += 100 * sent;
        if (sent != 0 && key.outbound && fs::exists(directory_ / "sa-state")) {
            const auto saved = on_disk();
            EXPECT_TRUE(saved.contains(key));
            if (saved.contains(key)) { EXPECT_LE(state.sequence, saved.at(key).sequence); }
        }
        return sent;
    }

    const peerlane::test::OwnDirectory own_;
    fs::path root_ = own_.path(), directory_ = root_ / "state";
    Nanoseconds now_ = 5 * kSecond;
    std::unique_ptr<Run> run_;
};

}  // namespace peerlane::dataplane::test
