// Workers and control over DPDK's ring ports: the test holds the other ends of the wires and says when each has its
// turn, and what time it is. Everybody's MAC has to be asked for.
#pragma once

#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "dataplane/control/local.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/pipeline/sealed.hpp"
#include "tests/pipeline/tags_beside.hpp"

namespace peerlane::dataplane::test {

using peerlane::test::Association;
using peerlane::test::Octets;
using peerlane::test::Packet;
using peerlane::test::Vpn;

inline constexpr unsigned kBuffers = 8'191;
inline constexpr unsigned kAccess = 0, kCore = 1, kSecond = 2;  // kSecond: access, of start() with three
inline constexpr const char* kOwnMacs[] = {"02:00:00:00:00:00", "02:00:00:00:00:01"};  // as replay has them
inline constexpr const char* kRouterMac = peerlane::test::kContosoMac;
inline constexpr const char* kOtherMac = peerlane::test::kFabrikamMac;

/// Contoso with its three tunnels (vpn_edge()), and fabrikam with the same addresses behind one tag.
inline std::string edge_text(const Vpn& vpn = {}, const std::string& edge = "{}", bool fabrikam = true) {
    auto text = peerlane::test::vpn_edge(vpn, "bandwidth: 400 Gbps\n        burst: 100 MB");
    const auto cut = [&](std::string_view what) { text.erase(text.find(what), what.size()); };
    cut(R"(, gateway_mac: "02:00:00:00:00:fe")");
    cut(R"(            customer_mac: "02:00:00:00:01:01")");
    if (fabrikam) {
        text += R"(
  - { name: fabrikam, circuits: [ { name: single, port: access0, bandwidth: 400 Gbps, burst: 100 MB, peerings: [ {
      type: private, vlan: 100, subnet: 172.16.0.0/30, subnet6: "fd00:172::/126",
      customer_prefixes: [10.0.0.0/16, "fd00:10::/48"], virtual_networks: [ { name: n, prefixes: [10.100.0.0/14],
      tunnel: { local: 192.0.2.1, remote: 198.51.100.10, key: 7 } } ] } ] } ] }
)";
    }
    return "edge: " + edge + "\n" + text;
}

/// ARP from 172.16.0.1, or another address, to an address of the edge; its octets said here.
inline Packet arp(bool request, const char* mac, const char* from, const char* to) {
    Octets octets{0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(request ? 1 : 2)};
    const auto add = [&](const Octets& more) { octets.insert(octets.end(), more.begin(), more.end()); };
    const auto ether = Packet().ether(mac).octets();
    add(Octets(ether.begin(), ether.begin() + 6));
    add(peerlane::test::address(from));
    add(Octets(6));
    add(peerlane::test::address(to));
    return Packet().raw(octets, 0x0806);
}
inline Packet from_router(const Packet& body, const char* mac = kRouterMac) {
    return Packet().ether(kOwnMacs[kAccess], mac).tag(100).tag(10).then(body);
}
inline Packet by_fabrikam(const Packet& body) {
    return Packet().ether(kOwnMacs[kAccess], kOtherMac).tag(100).then(body);
}
inline Packet from_gateway(const Packet& body) {
    return Packet().ether(kOwnMacs[kCore], peerlane::test::kGatewayMac).then(body);
}
inline Packet answer_of_router(const char* mac = kRouterMac) {
    return from_router(arp(false, mac, "172.16.0.1", "172.16.0.2"), mac);
}
inline Packet answer_of_gateway() {
    return from_gateway(arp(false, peerlane::test::kGatewayMac, "192.0.2.254", "192.0.2.1"));
}

class Local : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        static const bool once = [] {
            ipsec::allow_unlocked();
            start_eal(private_memory(256));
            return true;
        }();
        ASSERT_TRUE(once);
    }

    void start(const std::string& yaml = edge_text(), std::uint16_t count = 1, unsigned ports = 2) {
        wires.resize(ports);
        static unsigned made = 0;  // names are for ever
        pool = make_pool("pool" + std::to_string(++made), kBuffers, 1600, 0);
        for (unsigned port = 0; port < ports; ++port) {
            const auto name = "l" + std::to_string(made) + "_" + std::to_string(port);
            Wire& wire = wires[port];
            for (std::uint16_t i = 0; i < count; ++i) {
                const auto side = std::to_string(i);
                wire.in.push_back(rte_ring_create((name + "i" + side).c_str(), 8192, SOCKET_ID_ANY, 0));
                wire.out.push_back(rte_ring_create((name + "o" + side).c_str(), 8192, SOCKET_ID_ANY, 0));
            }
            const int device = rte_eth_from_rings(name.c_str(), wire.in.data(), count, wire.out.data(), count, 0);
            ASSERT_GE(device, 0);
            wire.device = static_cast<std::uint16_t>(device);
            wire.number = std::make_unique<DeviceNumber>(wire.device);
            const rte_eth_conf conf{};
            ASSERT_EQ(rte_eth_dev_configure(wire.device, count, count, &conf), 0);
            for (std::uint16_t queue = 0; queue < count; ++queue) {
                ASSERT_EQ(rte_eth_rx_queue_setup(wire.device, queue, 64, 0, nullptr, pool), 0);
                ASSERT_EQ(rte_eth_tx_queue_setup(wire.device, queue, 64, 0, nullptr), 0);
            }
            ASSERT_EQ(rte_eth_dev_start(wire.device), 0);
        }
        state.emplace(count);
        handover.emplace(count);
        rings.emplace(count);
        local.emplace(*rings, *state, std::vector<std::optional<Tap>>(ports), pool);
        for (std::uint16_t i = 0; i < count; ++i) {
            auto& one = *workers.emplace_back(
                std::make_unique<Worker>(*state, *state->workers[i], pool, table::best_kernels(), kFixedIvSeed));
            one.alone = count == 1;
            one.index = i;
            WorkerSetup setup{i, false, {}, {}, handover->all(), rings->way(i, 0)};
            for (std::uint8_t port = 0; port < ports; ++port) {
                setup.inlets.push_back({wires[port].number.get(), i, port, false, peerlane::test::tags_are_beside()});
                setup.outlets.push_back({wires[port].number.get(), i, nullptr});
            }
            setups.push_back(setup);
        }
        handed.resize(count);
        from.resize(count);
        publish(yaml);
    }
    void TearDown() override {
        local.reset();
        rings.reset();
        handover.reset();
        for (unsigned port = 0; port < wires.size(); ++port) { take(port); }
        EXPECT_EQ(rte_mempool_avail_count(pool), kBuffers) << "buffers are lost";
        for (const auto& wire : wires) {
            rte_eth_dev_stop(wire.device);
            rte_eth_dev_close(wire.device);
            for (auto* ring : wire.in) { rte_ring_free(ring); }
            for (auto* ring : wire.out) { rte_ring_free(ring); }
        }
        rte_mempool_free(pool);
    }

    void publish(const std::string& yaml) {
        const auto loaded = config::load_text(yaml, "f");
        ASSERT_TRUE(loaded.ok()) << (loaded.findings.empty() ? "" : loaded.findings[0].what);
        const auto* before = snapshots.empty() ? nullptr : snapshots.back().get();
        snapshots.push_back(compile(loaded.model, *state, before, {{}, 0}));
        state->commit();
        set_limits(*snapshots.back(), *state, 0, false);
        for (auto& one : workers) { one->snapshot = snapshots.back().get(); }
        local->adopt(*snapshots.back(), now);
    }

    void feed(unsigned port, const Packet& packet, unsigned worker = 0) {
        const auto octets = packet.octets();
        auto* mbuf = rte_pktmbuf_alloc(pool);
        ASSERT_NE(mbuf, nullptr);
        mbuf->data_off = static_cast<std::uint16_t>(packet.room());
        std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(octets.size())), octets.data(), octets.size());
        peerlane::test::take_off_tag(*mbuf);
        ASSERT_EQ(rte_ring_enqueue(wires[port].in[worker], mbuf), 0);
        ++fed;
    }
    /// Every worker, until it has nothing to do.
    void poll() {
        for (std::size_t i = 0; i < workers.size(); ++i) {
            auto& worker = *workers[i];
            while (poll_control(worker, setups[i], from[i], clock) + poll_inlets(worker, setups[i], clock) +
                       poll_handed(worker, setups[i], handed[i], clock) !=
                   0) {}
        }
        expect_conservation();
    }
    /// Control's turn, `after` later.
    void serve(Nanoseconds after = 0) {
        now += after;
        local->serve(*snapshots.back(), std::vector<bool>(wires.size(), true), now);
        expect_conservation();
    }
    /// Both, until nobody has anything to do.
    void settle_all() {
        do {
            poll();
            serve();
        } while (rings->to_control().waiting() != 0);
        poll();
    }
    void feed_and_settle(unsigned port, const Packet& packet) {
        feed(port, packet);
        settle_all();
    }

    /// What left by a port since: what the edge asks and answers for neighbours by itself, the rest by itself.
    struct Taken {
        std::vector<Octets> packets, neighbours, announcements;
    };
    Taken take(unsigned port) {
        Taken all;
        for (auto* ring : wires[port].out) {
            void* packet = nullptr;
            while (rte_ring_dequeue(ring, &packet) == 0) {
                auto* mbuf = static_cast<rte_mbuf*>(packet);
                const auto* start = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
                Octets frame(start, start + mbuf->data_len);
                rte_pktmbuf_free(mbuf);
                std::size_t at = 12;
                while (frame.at(at) == 0x81 || (frame.at(at) == 0x88 && frame.at(at + 1) == 0xa8)) { at += 4; }
                const bool nd = frame.at(at) == 0x86 && frame.at(at + 8) == 58 && frame.at(at + 42) >= 135;
                const bool asks = (frame.at(at) == 0x08 && frame.at(at + 1) == 0x06) || nd;
                // Unasked: ARP from an address to itself, an advertisement without the S flag.
                const auto octets = [&](std::size_t first) {
                    return Octets(frame.begin() + first, frame.begin() + first + 4);
                };
                const bool unasked = nd ? frame.at(at + 42) == 136 && (frame.at(at + 46) & 0x40U) == 0
                                        : asks && octets(at + 16) == octets(at + 26);
                auto& kind = unasked ? all.announcements : asks ? all.neighbours : all.packets;
                kind.push_back(std::move(frame));
            }
        }
        return all;
    }

    [[nodiscard]] std::uint64_t sum(unsigned port, std::uint64_t PortCounters::* what) const {
        std::uint64_t all = 0;
        for (const auto& worker : state->workers) { all += read(worker->ports[port].*what); }
        return all;
    }
    [[nodiscard]] std::uint64_t held(unsigned port) const { return sum(port, &PortCounters::held); }
    [[nodiscard]] std::uint64_t drops(Fate reason) const {
        std::uint64_t all = 0;
        for (const auto& worker : state->workers) { all += read(worker->drops[reason_index(reason)]); }
        return all;
    }
    [[nodiscard]] std::uint64_t dropped() const {
        return sum(kAccess, &PortCounters::dropped) + sum(kCore, &PortCounters::dropped);
    }
    /// Charged to a circuit, one direction.
    [[nodiscard]] std::uint64_t charged(const char* customer, Direction way, Fate reason) const {
        for (const auto& one : snapshots.back()->names.circuits) {
            if (one.customer != customer) { continue; }
            const auto cell = circuit_cell(one.slot, Link::primary, way);
            return read(state->workers[0]->circuit_drops[cell].packets[kCircuitReason[reason_index(reason)]]);
        }
        throw std::out_of_range(customer);
    }
    /// At every moment, for each worker and port.
    void expect_conservation() const {
        for (const auto& worker : state->workers) {
            for (const auto& port : worker->ports) {
                ASSERT_EQ(port.received + port.originated, port.sent + port.dropped + port.punted + port.held);
                ASSERT_LE(port.held, fed);
            }
        }
    }
    /// And when all is done: each once.
    void expect_done() const {
        const auto all = [&](std::uint64_t PortCounters::* what) {
            std::uint64_t total = 0;
            for (unsigned port = 0; port < wires.size(); ++port) { total += sum(port, what); }
            return total;
        };
        EXPECT_EQ(all(&PortCounters::received), fed);
        EXPECT_EQ(all(&PortCounters::held), 0U);
        EXPECT_EQ(local->neighbours().held(), 0U);
        EXPECT_EQ(all(&PortCounters::sent), all(&PortCounters::transmitted));
    }

    struct Wire {
        std::vector<rte_ring*> in, out;
        std::uint16_t device = 0;
        std::unique_ptr<DeviceNumber> number{};
    };
    TscClock clock{0, 0};  // stands still: no bucket fills
    Nanoseconds now = 1'000'000'000;
    rte_mempool* pool = nullptr;
    std::vector<Wire> wires;
    std::optional<State> state;
    std::optional<HandoverRings> handover;
    std::optional<LocalRings> rings;
    std::optional<LocalDelivery> local;
    std::vector<std::unique_ptr<const Snapshot>> snapshots;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<WorkerSetup> setups;
    std::vector<Handed> handed;
    std::vector<FromControl> from;
    std::uint64_t fed = 0;
};

}  // namespace peerlane::dataplane::test
