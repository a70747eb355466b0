// Packets sent, to the ports they leave by. What a port refuses ends as tx_full, what has no link there as link_down,
// and what is longer than the port's interface now takes as tx_failed.
#pragma once

#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include <atomic>
#include <bit>

#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// What DPDK calls a port's device, while workers may touch it; else kNoDevice. Control writes it; a worker reads it
/// for every burst, and lets go of the device before it is next quiet.
using DeviceNumber = std::atomic<std::uint16_t>;
inline constexpr std::uint16_t kNoDevice = RTE_MAX_ETHPORTS;

/// The same for sending, where not everything may leave: the device's number in the upper half, the longest frame (in
/// bytes, without a tag of TPID 0x8100 in front) in the lower one. 0: nothing leaves.
using LimitedDevice = std::atomic<std::uint32_t>;

/// What control knows of a port's link, for the workers.
struct DeviceLink {
    DeviceNumber device{kNoDevice};  // kNoDevice: what `limited` says
    LimitedDevice limited{0};
};

/// A worker's way out of one port.
struct Outlet {
    const DeviceNumber* device = nullptr;
    std::uint16_t queue = 0;
    rte_spinlock_t* lock = nullptr;  // where workers share the queue
    const LimitedDevice* limited = nullptr;
};

static_assert(kBurst <= 32, "transmit() keeps its slots in one word");

/// Packets of one burst for one port.
struct Departure {
    rte_mbuf* packets[kBurst];
    std::uint8_t slots[kBurst];
    std::uint16_t count = 0;
};

namespace detail {

inline std::uint16_t give_to_device(const Outlet& out, std::uint16_t device, Departure& leaving) noexcept {
    if (out.lock != nullptr) { rte_spinlock_lock(out.lock); }
    const auto taken = rte_eth_tx_burst(device, out.queue, leaving.packets, leaving.count);
    if (out.lock != nullptr) { rte_spinlock_unlock(out.lock); }
    return taken;
}

/// A port without a link, or over an interface whose MTU somebody has lowered: what the device would lose without a
/// word is dropped by name. Linux's packet sockets take frames of MTU + 14 bytes, and 4 more behind a tag of 0x8100.
/// `leaving` keeps what the device was offered. Returns how many of these it has taken.
[[gnu::noinline, gnu::cold]] inline std::uint16_t transmit_limited(const Outlet& out, Burst& burst,
                                                                   Departure& leaving) noexcept {
    const auto word = out.limited == nullptr ? 0 : out.limited->load(std::memory_order_acquire);
    std::uint16_t kept = 0;
    for (std::uint16_t i = 0; i < leaving.count; ++i) {
        auto* const packet = leaving.packets[i];
        const auto type = rte_pktmbuf_mtod(packet, const ether::Header*)->type.get();
        const auto longest = (word & 0xffffU) + (type == ether::kVlan ? sizeof(ether::Tag) : 0U);
        if (word == 0 || packet->pkt_len > longest) {
            burst.fate[leaving.slots[i]] = word == 0 ? Fate::link_down : Fate::tx_failed;
            continue;
        }
        leaving.packets[kept] = packet;
        leaving.slots[kept++] = leaving.slots[i];
    }
    leaving.count = kept;
    return kept == 0 ? std::uint16_t{0} : give_to_device(out, static_cast<std::uint16_t>(word >> 16U), leaving);
}

}  // namespace detail

/// `outlets` by port. Order among packets of one port is kept.
inline void transmit(Worker& worker, const Outlet* outlets, Burst& burst) noexcept {
    std::uint32_t waiting = 0;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        waiting |= (burst.fate[slot] == Fate::sent ? 1U : 0U) << slot;
    }
    while (waiting != 0) {
        const auto port = burst.out_port[std::countr_zero(waiting)];
        Departure leaving;
        for (auto rest = waiting; rest != 0; rest &= rest - 1) {
            const auto slot = static_cast<std::uint8_t>(std::countr_zero(rest));
            if (burst.out_port[slot] != port) { continue; }
            leaving.packets[leaving.count] = burst.mbuf[slot];
            leaving.slots[leaving.count++] = slot;
            waiting &= ~(1U << slot);
        }
        const Outlet& out = outlets[port];
        const auto device = out.device->load(std::memory_order_acquire);
        std::uint16_t taken = 0;
        if (device != kNoDevice) [[likely]] {
            taken = detail::give_to_device(out, device, leaving);
        } else {
            taken = detail::transmit_limited(out, burst, leaving);
        }
        bump(worker.counters.ports[port].transmitted, taken);
        for (auto i = taken; i < leaving.count; ++i) [[unlikely]] { burst.fate[leaving.slots[i]] = Fate::tx_full; }
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
            const auto first = worker.burst.fate[slot];
            const bool lost = pieces.fate[slot] == Fate::sent && first != Fate::sent;
            if (lost) { pieces.fate[slot] = is_drop(first) ? first : Fate::tx_full; }
        }
        transmit(worker, outlets, pieces);
    }
}

}  // namespace peerlane::dataplane
