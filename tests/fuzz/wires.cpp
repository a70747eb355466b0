#include "tests/fuzz/wires.hpp"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sys/prctl.h>
#include <algorithm>

#include <cstring>
#include <string>

#include "dataplane/io/eal.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;

constexpr unsigned kBuffers = 2'047;
constexpr unsigned kQueue = 256;

void start_once() {
    static const bool once = [] {
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // an edge an execution: of each only a few pages are touched
        ipsec::allow_unlocked();
        start_eal(private_memory(64));
        return true;
    }();
    require(once, "DPDK does not start");
}

}  // namespace

Wires& Wires::get() {
    start_once();
    static Wires one;
    return one;
}

Wires::Wires() {
    pool = make_pool("fuzz", kBuffers, 1600, 0);
    for (unsigned port = 0; port < kPorts; ++port) {
        Wire& wire = wires_[port];
        const auto name = "f" + std::to_string(port);
        for (unsigned i = 0; i < kWorkers; ++i) {
            wire.in[i] = rte_ring_create((name + "i" + std::to_string(i)).c_str(), kQueue, SOCKET_ID_ANY, 0);
            wire.out[i] = rte_ring_create((name + "o" + std::to_string(i)).c_str(), 4 * kQueue, SOCKET_ID_ANY, 0);
        }
        const int device = rte_eth_from_rings(name.c_str(), wire.in.data(), kWorkers, wire.out.data(), kWorkers, 0);
        require(device >= 0, "no ring port");
        wire.device = static_cast<std::uint16_t>(device);
        const rte_eth_conf conf{};
        bool ready = rte_eth_dev_configure(wire.device, kWorkers, kWorkers, &conf) == 0;
        for (std::uint16_t queue = 0; queue < kWorkers; ++queue) {
            ready = ready && rte_eth_rx_queue_setup(wire.device, queue, 64, 0, nullptr, pool) == 0 &&
                    rte_eth_tx_queue_setup(wire.device, queue, 64, 0, nullptr) == 0;
        }
        require(ready && rte_eth_dev_start(wire.device) == 0, "a ring port does not start");
        wire.number = wire.device;
    }
    drain();
}

bool Wires::feed(unsigned port, unsigned worker, std::span<const std::uint8_t> frame) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    if (packet == nullptr) { return false; }
    auto* at = rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size()));
    if (at != nullptr) {
        std::ranges::copy(frame, at);
        if (rte_ring_enqueue(wires_[port].in[worker], packet) == 0) { return true; }
    }
    rte_pktmbuf_free(packet);
    return false;
}

void Wires::take(unsigned worker,
                 const std::function<void(unsigned port, std::span<const std::uint8_t> frame)>& visit) {
    for (unsigned port = 0; port < kPorts; ++port) {
        void* packet = nullptr;
        while (rte_ring_dequeue(wires_[port].out[worker], &packet) == 0) {
            auto* mbuf = static_cast<rte_mbuf*>(packet);
            require(mbuf->nb_segs == 1 && mbuf->data_len == mbuf->pkt_len, "a frame in pieces was sent");
            visit(port, {rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len});
            rte_pktmbuf_free(mbuf);
        }
    }
}

void Wires::plug(unsigned port, bool in) noexcept {
    wires_[port].number = in ? wires_[port].device : kNoDevice;
}

void Wires::starve() {
    while (auto* mbuf = rte_pktmbuf_alloc(pool)) { starved_.push_back(mbuf); }
}

void Wires::feed_again() {
    for (auto* mbuf : starved_) { rte_pktmbuf_free(mbuf); }
    starved_.clear();
}

WorkerSetup Wires::setup(unsigned index, unsigned workers) {
    WorkerSetup setup;
    setup.index = index;
    for (std::uint8_t port = 0; port < kPorts; ++port) {
        const auto queue = static_cast<std::uint16_t>(index);
        Inlet inlet;
        inlet.device = &wires_[port].number;
        inlet.queue = queue;
        inlet.port = port;
        setup.inlets.push_back(inlet);
        setup.outlets.push_back({&wires_[port].number, queue, nullptr});
    }
    if (workers > 1) { setup.rings = handover->all(); }
    setup.local = local->way(index, 0);
    return setup;
}

void Wires::each_waiting(const std::function<void(rte_mbuf*)>& visit) {
    const auto look = [&](rte_ring* ring) {
        for (unsigned left = rte_ring_count(ring); left != 0; --left) {
            void* packet = nullptr;
            if (rte_ring_dequeue(ring, &packet) != 0) { return; }
            visit(static_cast<rte_mbuf*>(packet));
            require(rte_ring_enqueue(ring, packet) == 0, "what was taken off a ring has no room in it");
        }
    };
    for (const auto& wire : wires_) {
        for (auto* ring : wire.in) { look(ring); }
    }
    for (auto* ring : handover->all()) {
        for (unsigned left = ring->waiting(); left != 0; --left) {
            rte_mbuf* packet = nullptr;
            if (ring->take(&packet, 1) == 0) { break; }
            visit(packet);
            require(ring->put(packet, payer_of(*packet)), "what was taken off a ring has no place in it");
        }
    }
}

void Wires::drain() {
    feed_again();
    const auto empty = [](rte_ring* ring) {
        void* packet = nullptr;
        while (rte_ring_dequeue(ring, &packet) == 0) { rte_pktmbuf_free(static_cast<rte_mbuf*>(packet)); }
    };
    for (unsigned port = 0; port < kPorts; ++port) {
        for (auto* ring : wires_[port].in) { empty(ring); }
        for (auto* ring : wires_[port].out) { empty(ring); }
        plug(port, true);
    }
    handover.reset();
    local.reset();
    require(rte_mempool_avail_count(pool) == kBuffers, "{} buffers were lost",
            kBuffers - rte_mempool_avail_count(pool));
    handover.emplace(kWorkers);
    local.emplace(kWorkers);
}

TscClock clock_at(Nanoseconds now) noexcept {
    // A cycle counts for so little, and so many are said to have passed, that those of an execution change nothing.
    TscClock clock;
    clock.scale = (now >> 31U) + 1;
    __extension__ using Wide = unsigned __int128;
    const auto cycles = (Wide{now} << 32U) / clock.scale + (std::uint64_t{1} << 31U) / clock.scale;
    clock.base = rte_rdtsc() - static_cast<std::uint64_t>(cycles);
    return clock;
}

}  // namespace peerlane::fuzz
