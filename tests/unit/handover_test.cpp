// Two workers and the SAs of both: what lands on the worker without the SA goes to the one that has it, once, in order.
// Every worker has queues of its own on DPDK's ring ports, and the test holds the other ends.
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

namespace peerlane::dataplane {
namespace {

using test::Association;
using test::Octets;
using test::Packet;
using test::Vpn;

constexpr unsigned kBuffers = 16'383;
constexpr unsigned kAccess = 0, kCore = 1;
constexpr Association kOut{EspSuite::aes_gcm_128, 0x1001, 1};
constexpr Association kNext{EspSuite::aes_gcm_128, 0x1101, 3};
constexpr Association kIn{EspSuite::aes_gcm_128, 0x2001, 2};

struct Taken {
    unsigned worker;
    Octets frame;
};

/// The customer's packet number `id` of a flow.
Octets up(unsigned id = 0, const std::string& to = "10.100.0.1", const std::string& from = "10.0.0.1") {
    return from_contoso(Packet().ip4(from, to).id(id).udp().payload(40)).octets();
}
Octets down(std::uint64_t sequence) {
    return Vpn{}.down(sequence, test::down4(), &kIn).octets();
}

class Handover : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        static const bool once = [] {
            ipsec::allow_unlocked();
            start_eal(private_memory(256));
            return true;
        }();
        ASSERT_TRUE(once);
    }

    /// `prod` with so many lanes. Its SAs begin with worker 0, those of `other` with worker 0 too: tunnels 0 and 2.
    /// With `next` a second outbound SA with one lane, which takes over after ten packets of a lane.
    void start(unsigned lanes, bool next = false) {
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
        const auto loaded = config::load_text(test::vpn_edge(vpn, "bandwidth: 400 Gbps\n        burst: 100 MB"), "f");
        ASSERT_TRUE(loaded.ok());
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

TEST_F(Handover, ToTheWorkerWithTheLane) {
    start(1);
    for (unsigned i = 0; i < 100; ++i) { ASSERT_TRUE(feed(kAccess, 1, up(i))); }
    poll(1);
    EXPECT_TRUE(take(kCore).empty());
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 0U) << "whoever has it counts it";
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 100U);
    for (unsigned i = 0; i < 100; ++i) {
        EXPECT_EQ(sent[i].worker, 0U);
        EXPECT_EQ(opened(sent[i], 1), i) << "the order of the flow";
    }
    EXPECT_EQ(count(0, kAccess, &PortCounters::received), 100U);
    EXPECT_EQ(read(state->workers[1]->tallies[tally::tunnel(0, Link::primary, Direction::to_cloud)].packets), 0U);
    EXPECT_EQ(read(state->workers[0]->tallies[tally::tunnel(0, Link::primary, Direction::to_cloud)].packets), 100U);
    expect_conservation(100);
}

TEST_F(Handover, OnlyWhatMust) {
    start(1);
    // One burst: clear, protected, refused, and frames of both ports on the same ring.
    for (unsigned i = 0; i < 8; ++i) {
        ASSERT_TRUE(feed(kAccess, 1, up(i)));
        ASSERT_TRUE(feed(kAccess, 1, up(i, "10.101.0.1")));
        ASSERT_TRUE(feed(kAccess, 1, up(i, "10.99.0.1", "11.0.0.1")));
        ASSERT_TRUE(feed(kCore, 1, down(i + 1)));
    }
    poll(1);
    auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 8U);
    for (const auto& one : sent) { EXPECT_TRUE(test::esp_in(one.frame).empty()); }
    EXPECT_EQ(drops(1, Fate::source_not_accepted), 8U);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 16U);
    EXPECT_EQ(count(1, kCore, &PortCounters::received), 0U);
    poll(0);
    sent = take(kCore);
    ASSERT_EQ(sent.size(), 8U);
    for (unsigned i = 0; i < 8; ++i) { EXPECT_EQ(opened(sent[i], 1), i); }
    EXPECT_EQ(take(kAccess).size(), 8U);
    EXPECT_EQ(count(0, kAccess, &PortCounters::received), 8U);
    EXPECT_EQ(count(0, kCore, &PortCounters::received), 8U);
    expect_conservation(32);
}

TEST_F(Handover, NoRoomForTheTag) {
    start(1);
    setups[1].inlets[kAccess].strips = true;
    ASSERT_EQ(rte_ring_enqueue(wires[kAccess].in[1], test::crowded(pool, up())), 0);
    poll(1);
    EXPECT_EQ(drops(1, Fate::no_headroom), 1U);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 1U);
    poll(0);
    EXPECT_TRUE(take(kCore).empty());
    expect_conservation(1);
}

TEST_F(Handover, TwoLanesNeedNone) {
    start(2);
    for (unsigned i = 0; i < 64; ++i) { ASSERT_TRUE(feed(kAccess, i % 2, up(i))); }
    poll(1);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), 32U);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 64U);
    for (const auto& one : sent) { EXPECT_EQ(opened(one, 2) % 2, one.worker); }
    EXPECT_EQ(last[0], 32U);
    EXPECT_EQ(last[1], 32U);
    EXPECT_EQ(ivs.size(), 64U) << "the same numbers in two lanes of one key";
    expect_conservation(64);
}

TEST_F(Handover, TheNextSaIsAnotherWorkers) {
    start(1, true);
    for (const bool first : {true, false}) {
        for (unsigned i = 0; i < 10; ++i) { ASSERT_TRUE(feed(kAccess, 0, up(i))); }
        poll(0);
        const auto here = take(kCore);
        ASSERT_EQ(here.size(), first ? 10U : 0U) << "what the first SA may send";
        poll(1);
        const auto there = take(kCore);
        ASSERT_EQ(there.size(), first ? 0U : 10U);
        for (unsigned i = 0; i < there.size(); ++i) {
            EXPECT_EQ(there[i].worker, 1U);
            const auto got = test::unseal(kNext, test::esp_in(there[i].frame));
            ASSERT_TRUE(got) << i;
            EXPECT_EQ(got->sequence, i + 1);
        }
    }
    expect_conservation(20);
}

TEST_F(Handover, AFullRing) {
    start(1);
    constexpr unsigned kPackets = 5'000;
    for (unsigned fed = 0; fed < kPackets;) {
        while (fed < kPackets && feed(kAccess, 1, up(fed))) { ++fed; }
        poll(1);
    }
    const auto full = kPackets - (kHandoverRoom - 1);
    EXPECT_EQ(drops(1, Fate::handover_full), full);
    EXPECT_EQ(count(1, kAccess, &PortCounters::received), full);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), kHandoverRoom - 1);
    for (unsigned i = 0; i < sent.size(); ++i) { EXPECT_EQ(opened(sent[i], 1), i) << "the first ones"; }
    expect_conservation(kPackets);
}

TEST_F(Handover, AnSpiOfTheOtherWorker) {
    start(1);
    // Copies on both workers: one passes, whoever comes first.
    for (unsigned i = 1; i <= 40; ++i) {
        ASSERT_TRUE(feed(kCore, 1, down(i)));
        ASSERT_TRUE(feed(kCore, 0, down(i)));
    }
    auto forged = down(41);
    forged.back() ^= 1U;
    ASSERT_TRUE(feed(kCore, 1, forged));
    poll(1);
    EXPECT_TRUE(take(kAccess).empty());
    poll(0);
    const auto got = take(kAccess);
    ASSERT_EQ(got.size(), 40U);
    for (const auto& one : got) {
        EXPECT_EQ(one.worker, 0U);
        EXPECT_EQ(one.frame, at_contoso(test::hop(test::down4())).octets());
    }
    EXPECT_EQ(drops(0, Fate::esp_replayed), 40U);
    EXPECT_EQ(drops(0, Fate::esp_bad_icv), 1U);
    expect_conservation(81);
}

TEST_F(Handover, WhatTheEdgeMakesWithoutALane) {
    start(1);
    // From the clear tunnel, its TTL at an end, and the way back is a tunnel whose lane is the other worker's.
    const auto expired = Packet()
                             .ether(test::kCoreMac, test::kGatewayMac)
                             .ip4("198.51.100.8", "192.0.2.1")
                             .gre(1)
                             .then(test::down4().ttl(1))
                             .octets();
    ASSERT_TRUE(feed(kCore, 1, expired));
    ASSERT_TRUE(feed(kCore, 0, expired));
    poll(1);
    EXPECT_TRUE(take(kCore).empty()) << "neither sealed nor in clear";
    EXPECT_EQ(drops(1, Fate::no_lane), 1U);
    EXPECT_EQ(count(1, kCore, &PortCounters::originated), 1U);
    poll(0);
    const auto sent = take(kCore);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].worker, 0U);
    opened(sent[0], 1);
    expect_conservation(2);
}

class Running : public Handover, public testing::WithParamInterface<unsigned> {};

TEST_P(Running, NothingLostNoIvTwiceAndOrderKept) {
    constexpr unsigned kPackets = 20'000;
    constexpr unsigned kFlows = 6;
    const auto lanes = GetParam();
    start(lanes);
    std::thread threads[2];
    for (unsigned i = 0; i < 2; ++i) {
        threads[i] = std::thread([this, i] { worker_loop(*workers[i], setups[i], *publication, clock, stop); });
    }
    unsigned next[kFlows]{};
    unsigned seen[kFlows]{};
    unsigned fed = 0;
    unsigned taken = 0;
    const auto look = [&] {
        for (const auto& one : take(kCore)) {
            const auto id = opened(one, lanes);
            ASSERT_LT(source, kFlows);
            EXPECT_EQ(id, seen[source]++) << "of flow " << source;
            ++taken;
        }
    };
    while (taken < kPackets) {
        // A flow stays on its queue.
        for (unsigned i = 0; i < 32 && fed < kPackets && fed - taken < 1'000; ++i) {
            const unsigned flow = fed % kFlows;
            if (!feed(kAccess, flow % 2, up(next[flow], "10.100.0.1", "10.0.0." + std::to_string(flow)))) { break; }
            ++next[flow];
            ++fed;
        }
        look();
        if (HasFatalFailure()) { break; }
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    look();
    EXPECT_EQ(taken, kPackets);
    EXPECT_EQ(ivs.size(), kPackets);
    if (lanes == 1) { EXPECT_EQ(count(1, kAccess, &PortCounters::received), 0U); }
    expect_conservation(kPackets);
}

INSTANTIATE_TEST_SUITE_P(Lanes, Running, testing::Values(1U, 2U));

}  // namespace
}  // namespace peerlane::dataplane
