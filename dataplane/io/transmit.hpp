// Packets sent, to the ports they leave by. What a port refuses, or has no device for, ends as tx_full.
#pragma once

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include <atomic>
#include <bit>

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// What DPDK calls a port's device, while workers may touch it; else kNoDevice. Control writes it; a worker reads it
/// for every burst, and lets go of the device before it is next quiet.
using DeviceNumber = std::atomic<std::uint16_t>;
inline constexpr std::uint16_t kNoDevice = RTE_MAX_ETHPORTS;

/// A worker's way out of one port.
struct Outlet {
    const DeviceNumber* device = nullptr;
    std::uint16_t queue = 0;
    rte_spinlock_t* lock = nullptr;  // where workers share the queue
};

static_assert(kBurst <= 32, "transmit() keeps its slots in one word");

/// `outlets` by port. Order among packets of one port is kept.
inline void transmit(Worker& worker, const Outlet* outlets, Burst& burst) noexcept {
    std::uint32_t waiting = 0;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        waiting |= (burst.fate[slot] == Fate::sent ? 1U : 0U) << slot;
    }
    while (waiting != 0) {
        const auto port = burst.out_port[std::countr_zero(waiting)];
        rte_mbuf* packets[kBurst];
        std::uint8_t slots[kBurst];
        std::uint16_t count = 0;
        for (auto rest = waiting; rest != 0; rest &= rest - 1) {
            const auto slot = static_cast<std::uint8_t>(std::countr_zero(rest));
            if (burst.out_port[slot] != port) { continue; }
            packets[count] = burst.mbuf[slot];
            slots[count++] = slot;
            waiting &= ~(1U << slot);
        }
        const Outlet& out = outlets[port];
        const auto device = out.device->load(std::memory_order_acquire);
        std::uint16_t taken = 0;
        if (device != kNoDevice) [[likely]] {
            if (out.lock != nullptr) { rte_spinlock_lock(out.lock); }
            taken = rte_eth_tx_burst(device, out.queue, packets, count);
            if (out.lock != nullptr) { rte_spinlock_unlock(out.lock); }
        }
        bump(worker.counters.ports[port].transmitted, taken);
        for (auto i = taken; i < count; ++i) [[unlikely]] { burst.fate[slots[i]] = Fate::tx_full; }
    }
}

/// The burst, then what came of it.
inline void transmit_all(Worker& worker, const Outlet* outlets) noexcept {
    transmit(worker, outlets, worker.burst);
    if (worker.replies.count != 0) [[unlikely]] { transmit(worker, outlets, worker.replies); }
    for (Burst& pieces : worker.pieces) {
        if (pieces.count == 0) [[likely]] { break; }
        // Without its first piece a packet is lost, and the bucket has its tokens back.
        for (std::uint32_t slot = 0; slot < pieces.count; ++slot) {
            const bool lost = pieces.fate[slot] == Fate::sent && worker.burst.fate[slot] != Fate::sent;
            if (lost) { pieces.fate[slot] = Fate::tx_full; }
        }
        transmit(worker, outlets, pieces);
    }
}

}  // namespace peerlane::dataplane
