// Two workers and the SAs of both. Every worker has queues of its own on DPDK's ring ports, and the test holds the
// other ends.
#pragma once

#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "config/load.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/pipeline/sealed.hpp"
#include "tests/pipeline/tags_beside.hpp"

namespace peerlane::dataplane::handover_test {

using test::Association;
using test::Octets;
using test::Packet;
using test::Vpn;

inline constexpr unsigned kBuffers = 16'383;
inline constexpr unsigned kAccess = 0, kCore = 1;
inline constexpr Association kOut{EspSuite::aes_gcm_128, 0x1001, 1};
inline constexpr Association kNext{EspSuite::aes_gcm_128, 0x1101, 3};
inline constexpr Association kIn{EspSuite::aes_gcm_128, 0x2001, 2};

struct Taken {
    unsigned worker;
    Octets frame;
};

/// The customer's packet number `id` of a flow.
inline Octets up(unsigned id = 0, const std::string& to = "10.100.0.1", const std::string& from = "10.0.0.1") {
    return from_contoso(Packet().ip4(from, to).id(id).udp().payload(40)).octets();
}
inline Octets down(std::uint64_t sequence) {
    return Vpn{}.down(sequence, test::down4(), &kIn).octets();
}

class Handover : public testing::Test {
  protected:
    static constexpr const char* kFast = "bandwidth: 400 Gbps\n        burst: 100 MB";

    static void SetUpTestSuite() {
        static const bool once = [] {
            ipsec::allow_unlocked();
            start_eal(private_memory(256));
            return true;
        }();
        ASSERT_TRUE(once);
    }

    /// `prod` with so many lanes. Its SAs begin with worker 0, those of `other` with worker 0 too: tunnels 0 and 2.
    /// With `next` a second outbound SA with one lane, which takes over after ten packets of a lane. `more` customers.
    void start(unsigned lanes, bool next = false, const std::string& circuit = kFast, const std::string& more = {}) {
        static unsigned made = 0;  // names are for ever
        pool = make_pool("pool" + std::to_string(++made), kBuffers, 1600, 0);
        for (unsigned port = 0; port < 2; ++port) {
            const auto name = "h" + std::to_string(made) + "_" + std::to_string(port);
            Wire& wire = wires[port];
            for (unsigned i = 0; i < 2; ++i) {
                wire.in[i] = rte_ring_create((name + "i" + std::to_string(i)).c_str(), 1024, SOCKET_ID_ANY, 0);
                wire.out[i] = rte_ring_create((name + "o" + std::to_string(i)).c_str(), 8192, SOCKET_ID_ANY, 0);
            }
            const int device = rte_eth_from_rings(name.c_str(), wire.in, 2, wire.out, 2, 0);
            ASSERT_GE(device, 0);
            wire.device = static_cast<std::uint16_t>(device);
            wire.number = std::make_unique<DeviceNumber>(wire.device);
            const rte_eth_conf conf{};
            ASSERT_EQ(rte_eth_dev_configure(wire.device, 2, 2, &conf), 0);
            for (std::uint16_t queue = 0; queue < 2; ++queue) {
                ASSERT_EQ(rte_eth_rx_queue_setup(wire.device, queue, 64, 0, nullptr, pool), 0);
                ASSERT_EQ(rte_eth_tx_queue_setup(wire.device, queue, 64, 0, nullptr), 0);
            }
            ASSERT_EQ(rte_eth_dev_start(wire.device), 0);
        }
        state.emplace(2);
        publication.emplace(2);
        rings.emplace(2);
        auto out = kOut;
        out.count = lanes;
        test::Vpn vpn{.outbound = {out}, .inbound = {kIn}};
        if (next) {
            vpn.outbound.push_back(kNext);
            vpn.more = ", lifetime: { soft: { packets: 10 } }";
        }
        const auto loaded = config::load_text(test::vpn_edge(vpn, circuit) + more, "f");
        ASSERT_TRUE(loaded.ok()) << loaded.findings[0].what;
        snapshot = compile(loaded.model, *state, nullptr, {{}, clock.now()});
        if (next) {  // as if its key had been another tunnel's before
            state->commit();
            state->sa_owners[snapshot->sas[1].slot] = 1;
            snapshot = compile(loaded.model, *state, snapshot.get(), {{}, clock.now()});
        }
        set_limits(*snapshot, *state, clock.now(), false);
        publication->publish(*snapshot);
        state->commit();
        for (std::uint16_t i = 0; i < 2; ++i) {
            auto& one = *workers.emplace_back(
                std::make_unique<Worker>(*state, *state->workers[i], pool, table::best_kernels(), kFixedIvSeed));
            one.alone = false;
            one.index = i;
            one.snapshot = snapshot.get();
            WorkerSetup setup{i, false, {}, {}, rings->all()};
            for (std::uint8_t port = 0; port < 2; ++port) {
                setup.inlets.push_back({wires[port].number.get(), i, port, false, test::tags_are_beside()});
                setup.outlets.push_back({wires[port].number.get(), i, nullptr});
            }
            setups.push_back(setup);
        }
    }
    void TearDown() override {
        for (unsigned port = 0; port < 2; ++port) { take(port); }
        rings.reset();
        EXPECT_EQ(rte_mempool_avail_count(pool), kBuffers) << "buffers are lost";
        for (const auto& wire : wires) {
            rte_eth_dev_stop(wire.device);
            rte_eth_dev_close(wire.device);
            for (unsigned i = 0; i < 2; ++i) {
                rte_ring_free(wire.in[i]);
                rte_ring_free(wire.out[i]);
            }
        }
        rte_mempool_free(pool);
    }

    bool feed(unsigned port, unsigned worker, const Octets& frame) {
        auto* packet = rte_pktmbuf_alloc(pool);
        if (packet == nullptr) { return false; }
        std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size())), frame.data(), frame.size());
        test::take_off_tag(*packet);
        if (rte_ring_enqueue(wires[port].in[worker], packet) == 0) { return true; }
        rte_pktmbuf_free(packet);
        return false;
    }
    void poll(unsigned index) {
        while (poll_inlets(*workers[index], setups[index], clock) +
                   poll_handed(*workers[index], setups[index], handed[index], clock) !=
               0) {}
    }
    std::vector<Taken> take(unsigned port) {
        std::vector<Taken> all;
        for (unsigned i = 0; i < 2; ++i) {
            void* packet = nullptr;
            while (rte_ring_dequeue(wires[port].out[i], &packet) == 0) {
                auto* mbuf = static_cast<rte_mbuf*>(packet);
                const auto* start = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
                all.push_back({i, Octets(start, start + mbuf->data_len)});
                rte_pktmbuf_free(mbuf);
            }
        }
        return all;
    }

    [[nodiscard]] std::uint64_t count(unsigned worker, unsigned port, std::uint64_t PortCounters::* what) const {
        return read(state->workers[worker]->ports[port].*what);
    }
    [[nodiscard]] std::uint64_t sum(unsigned port, std::uint64_t PortCounters::* what) const {
        return count(0, port, what) + count(1, port, what);
    }
    [[nodiscard]] std::uint64_t drops(unsigned worker, Fate reason) const {
        return read(state->workers[worker]->drops[reason_index(reason)]);
    }
    /// Over both workers, and each for itself.
    void expect_conservation(std::uint64_t fed) const {
        std::uint64_t received = 0;
        for (unsigned port = 0; port < 2; ++port) {
            for (unsigned i = 0; i < 2; ++i) {
                EXPECT_EQ(count(i, port, &PortCounters::received) + count(i, port, &PortCounters::originated),
                          count(i, port, &PortCounters::sent) + count(i, port, &PortCounters::dropped) +
                              count(i, port, &PortCounters::punted));
            }
            received += sum(port, &PortCounters::received);
        }
        EXPECT_EQ(received, fed) << "each once";
        EXPECT_EQ(sum(kAccess, &PortCounters::sent) + sum(kCore, &PortCounters::sent),
                  sum(kAccess, &PortCounters::transmitted) + sum(kCore, &PortCounters::transmitted));
    }

    /// One sealed frame of `prod`: the number of the customer's packet in it. Its IV is noted.
    unsigned opened(const Taken& taken, unsigned lanes) {
        auto sa = kOut;
        sa.lane = lanes == 1 ? 0 : taken.worker;
        sa.spi += sa.lane;
        const auto got = test::unseal(sa, test::esp_in(taken.frame));
        EXPECT_TRUE(got) << "not sealed under the lane of worker " << taken.worker;
        if (!got) { return 0; }
        EXPECT_TRUE(ivs.insert(got->number()).second) << "an IV came twice";
        EXPECT_EQ(got->sequence, ++last[sa.lane]) << "numbers of a lane follow one another on the wire";
        source = got->payload[28 + 15];
        return static_cast<unsigned>(got->payload[28 + 4] << 8U | got->payload[28 + 5]);
    }

    struct Wire {
        rte_ring* in[2];
        rte_ring* out[2];
        std::uint16_t device;
        std::unique_ptr<DeviceNumber> number;
    };
    TscClock clock{rte_rdtsc(), std::uint64_t{1} << 31U};
    rte_mempool* pool = nullptr;
    Wire wires[2]{};
    std::optional<State> state;
    std::optional<Publication> publication;
    std::optional<HandoverRings> rings;
    std::unique_ptr<const Snapshot> snapshot;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<WorkerSetup> setups;
    Handed handed[2];
    std::atomic<bool> stop{false};
    std::set<std::uint64_t> ivs;  // of kOut's key
    std::map<unsigned, std::uint32_t> last;
    unsigned source = 0;  // last octet of the customer's address in the packet opened last
};

}  // namespace peerlane::dataplane::handover_test
