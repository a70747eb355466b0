// Rings and queues that all customers share: whose each place is, and that a flood of one leaves room for the others.
#pragma once

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "dataplane/pipeline/worker.hpp"
#include "lib/base/reserved_array.hpp"

namespace peerlane::dataplane {

/// Who answers for a packet where many share a place: its circuit and customer, by slot of State, or whoever is next to
/// a core port. It travels with the packet by value, so that a reload changes nobody's count.
struct Payer {
    std::uint32_t circuit = kNowhere;  // kNowhere: the edge itself
    std::uint32_t customer = kNowhere;
};
inline constexpr std::size_t kPayers = kMaxCircuits + kMaxPorts;
static_assert(kMaxCustomers == kMaxCircuits);

/// Messages of unknown senders by a core port.
constexpr Payer core_payer(std::uint8_t port) noexcept {
    const auto cell = static_cast<std::uint32_t>(kMaxCircuits) + port;
    return {cell, cell};
}
inline Payer payer_of(const Snapshot& snapshot, std::uint32_t peering) noexcept {
    return {snapshot.peerings[peering].circuit, snapshot.peerings[peering].customer};
}
/// The payer of a received packet: by its tags, by its tunnel (that of its SA, where it is not opened yet), else by
/// port.
inline Payer payer_of(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    if (burst.direction == Direction::to_cloud) {
        const auto attachment = burst.attachment[slot];
        return attachment == kNowhere ? core_payer(burst.port) : payer_of(snapshot, attachment / kLinks);
    }
    const auto tunnel = burst.tunnel[slot];
    return tunnel == kNowhere ? core_payer(burst.port) : payer_of(snapshot, snapshot.tunnels[tunnel].peering());
}

/// In the packet's descriptor, where a device writes a hash that nothing here reads.
inline void set_payer(rte_mbuf& packet, Payer payer) noexcept {
    packet.hash.fdir.lo = payer.circuit;
    packet.hash.fdir.hi = payer.customer;
}
inline Payer payer_of(const rte_mbuf& packet) noexcept {
    return {packet.hash.fdir.lo, packet.hash.fdir.hi};
}

/// How many places of one shared room each circuit and each customer has. Dynamic thresholds (Choudhury and Hahne,
/// "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", IEEE/ACM Transactions on Networking 6 (2),
/// 1998) with α = 1: none may have more places than are free, so that n floods leave 1/(n+1) of the room to newcomers.
/// Any thread; between two threads that ask at once the bound may be passed by a place for each thread.
class Shares {
  public:
    /// Takes a place where `free` are left; false: the payer has its share.
    bool take(Payer payer, unsigned free) noexcept {
        auto& circuit = circuits_[payer.circuit];
        auto& customer = customers_[payer.customer];
        if (read(circuit) >= free || read(customer) >= free) { return false; }
        std::atomic_ref(circuit).fetch_add(1, std::memory_order_relaxed);
        std::atomic_ref(customer).fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    void give_back(Payer payer) noexcept {
        std::atomic_ref(circuits_[payer.circuit]).fetch_sub(1, std::memory_order_relaxed);
        std::atomic_ref(customers_[payer.customer]).fetch_sub(1, std::memory_order_relaxed);
    }
    /// Places of the payer's circuit, and of its customer.
    [[nodiscard]] Payer places(Payer payer) const noexcept {
        return {read(circuits_[payer.circuit]), read(customers_[payer.customer])};
    }

  private:
    static std::uint32_t read(std::uint32_t& cell) noexcept {
        return std::atomic_ref(cell).load(std::memory_order_relaxed);
    }
    ReservedArray<std::uint32_t> circuits_{kPayers}, customers_{kPayers};
};

/// A ring of packets with one consumer.
class SharedRing {
  public:
    /// `room`: a power of two, one more than the packets that fit. Throws Failure.
    SharedRing(const std::string& name, unsigned room, unsigned flags = 0);
    /// Frees what is in it.
    ~SharedRing();
    SharedRing(const SharedRing&) = delete;
    SharedRing& operator=(const SharedRing&) = delete;

    /// False: the payer has its share of all but `reserve` places. Producers.
    bool put(rte_mbuf* packet, Payer payer, unsigned reserve = 0) noexcept {
        const unsigned free = rte_ring_free_count(ring_);
        if (free <= reserve || !shares_.take(payer, free - reserve)) { return false; }
        set_payer(*packet, payer);
        if (rte_ring_enqueue(ring_, packet) == 0) { return true; }
        shares_.give_back(payer);
        return false;
    }
    /// For the edge's own packets: false only if no place is left.
    bool put_own(rte_mbuf* packet) noexcept {
        set_payer(*packet, {});
        return rte_ring_enqueue(ring_, packet) == 0;
    }
    /// Up to `most` packets, oldest first. The consumer.
    unsigned take(rte_mbuf** packets, unsigned most) noexcept {
        const auto count = rte_ring_dequeue_burst(ring_, reinterpret_cast<void**>(packets), most, nullptr);
        for (unsigned i = 0; i < count; ++i) {
            const Payer payer = payer_of(*packets[i]);
            if (payer.circuit != kNowhere) { shares_.give_back(payer); }
        }
        return count;
    }
    [[nodiscard]] unsigned waiting() const noexcept { return rte_ring_count(ring_); }
    [[nodiscard]] const Shares& shares() const noexcept { return shares_; }

  private:
    rte_ring* ring_;
    Shares shares_;
};

/// Places of packets that wait with control for their next hops, those on their way to it among them.
class HoldPlaces {
  public:
    explicit HoldPlaces(unsigned most) : most_(most) {}
    bool take(Payer payer) noexcept {
        const auto used = used_.load(std::memory_order_relaxed);
        if (used >= most_ || !shares_.take(payer, most_ - used)) { return false; }
        used_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    void give_back(Payer payer) noexcept {
        used_.fetch_sub(1, std::memory_order_relaxed);
        shares_.give_back(payer);
    }
    [[nodiscard]] unsigned used() const noexcept { return used_.load(std::memory_order_relaxed); }
    [[nodiscard]] const Shares& shares() const noexcept { return shares_; }

  private:
    unsigned most_;
    std::atomic<unsigned> used_{0};
    Shares shares_;
};

}  // namespace peerlane::dataplane
