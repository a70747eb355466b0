// Everything traffic changes: buckets and counters. It outlives snapshots; a snapshot holds slot numbers into it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "dataplane/pipeline/fate.hpp"
#include "dataplane/tables/slots.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "lib/base/reserved_array.hpp"
#include "lib/base/types.hpp"
#include "lib/ipsec/replay_window.hpp"
#include "lib/ipsec/sa.hpp"
#include "lib/meter/bucket.hpp"
#include "lib/meter/shared_bucket.hpp"

namespace peerlane::dataplane {

inline constexpr std::size_t kMaxCircuits = std::size_t{1} << 16U;
inline constexpr std::size_t kMaxCustomers = kMaxCircuits;
inline constexpr std::size_t kMaxPeerings = std::size_t{1} << 18U;
inline constexpr std::size_t kMaxTunnels = std::size_t{1} << 20U;
inline constexpr std::size_t kMaxSas = std::size_t{1} << 18U;
static_assert(kMaxSas < kAnySa);
inline constexpr std::size_t kMaxCoreNeighbours = std::size_t{1} << 16U;
static_assert(kMaxPeerings * kLinks * 2 <= neighbour::kFirstCore);
static_assert(kMaxTunnels <= route::kIndexMask && kMaxPeerings * kLinks <= route::kIndexMask);

/// A counter has one writer, its worker; readers sum. Plain moves on x86, no locked instruction.
inline void bump(std::uint64_t& counter, std::uint64_t by = 1) noexcept {
    const std::atomic_ref<std::uint64_t> cell(counter);
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}
inline std::uint64_t read(const std::uint64_t& counter) noexcept {
    return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(counter)).load(std::memory_order_relaxed);
}

/// Packets and IP octets that went a way. The four of a tunnel (or the four of an attachment pair) share a cache line.
struct Tally {
    std::uint64_t packets;
    std::uint64_t bytes;
};

/// What is known of a neighbour, one word: its MAC, as a load of the first six octets of a frame sees it, and
/// flags. Control writes it, workers read it: at most a few times a second, so that it stays in their caches.
namespace neighbour {
inline constexpr std::uint64_t kMac = 0xffff'ffff'ffff;
inline constexpr std::uint64_t kKnown = std::uint64_t{1} << 48U;
inline constexpr std::uint64_t kHolds = std::uint64_t{1} << 49U;   // it has been asked for, and packets may wait
inline constexpr std::uint64_t kFailed = std::uint64_t{1} << 50U;  // it was asked for in vain
}  // namespace neighbour

/// What control knows of a link: whether a family's next hop can be reached by it.
namespace alive {
inline constexpr std::uint8_t kV4 = 1, kV6 = 2;
}

/// Where a packet is tallied: first the tunnels, then what meets no tunnel (between a customer and the edge, or back to
/// the customer).
namespace tally {
constexpr std::uint32_t tunnel(std::uint32_t slot, Link link, Direction direction) noexcept {
    return slot * 4U + raw(link) * 2U + raw(direction);
}
inline constexpr std::uint32_t kAttachments = static_cast<std::uint32_t>(kMaxTunnels * 4U);
constexpr std::uint32_t attachment(std::uint32_t index, Direction direction) noexcept {
    return kAttachments + index * 2U + raw(direction);
}
inline constexpr std::size_t kCells = kAttachments + kMaxPeerings * kLinks * kDirections;
}  // namespace tally

/// Where packets for the edge itself are counted against their limits: by attachment, then by core port.
namespace local_cell {
constexpr std::uint32_t core(std::uint32_t port) noexcept {
    return static_cast<std::uint32_t>(kMaxPeerings * kLinks) + port;
}
inline constexpr std::size_t kCells = kMaxPeerings * kLinks + kMaxPorts;
}  // namespace local_cell

/// The circuit's bucket and drop cell of (slot, link, direction).
constexpr std::uint32_t circuit_cell(std::uint32_t slot, Link link, Direction direction) noexcept {
    return slot * 4U + raw(link) * 2U + raw(direction);
}

/// Drops that a customer can cause, by kCircuitReason, and the accounted octets of those the bucket took.
struct CircuitDrops {
    std::array<std::uint64_t, kCircuitReasons> packets;
    std::uint64_t policed_bytes;
};

struct PortCounters {
    std::uint64_t received, originated, sent, dropped, punted, held;  // by where the packet came in
    std::uint64_t transmitted;                                        // by where it left
};

/// One worker's own. Only it writes.
struct WorkerState {
    std::array<PortCounters, kMaxPorts> ports{};
    std::array<std::uint64_t, kDropReasons> drops{};
    std::array<std::uint64_t, kMaxPorts> unclaimed{};  // of punted: nobody took it
    std::uint64_t bursts = 0, packets = 0, busy_cycles = 0, idle_polls = 0;
    ReservedArray<Tally> tallies{tally::kCells};
    ReservedArray<Tally> fragments{tally::kCells};  // what cutting packets added: more packets, more header octets
    // By circuit_cell of the peering: bytes that short packets cost beyond IP length and overhead
    // (Attachment::shortest).
    ReservedArray<std::uint64_t> padding{kMaxPeerings * 4};
    ReservedArray<CircuitDrops> circuit_drops{kMaxCircuits * 4};
    ReservedArray<meter::Credit> circuit_credits{kMaxCircuits * 4};
    ReservedArray<meter::Credit> peering_credits{kMaxPeerings * 4};
    // Frames whose TPIDs are not those that are sent back: by attachment, and all.
    ReservedArray<std::uint64_t> tpid_mismatches{kMaxPeerings * kLinks};
    std::uint64_t all_tpid_mismatches = 0;
};

struct State {
    explicit State(unsigned workers);

    /// Control: the snapshot compiled last was published; what it does not name is let go.
    void commit() {
        for (auto* slots : {&customers, &circuits, &peerings, &tunnels, &sas, &core_neighbours}) { slots->commit(); }
    }

    Slots customers{kMaxCustomers};
    Slots circuits{kMaxCircuits};
    Slots peerings{kMaxPeerings};
    Slots tunnels{kMaxTunnels};
    Slots sas{kMaxSas};  // by SaKey
    Slots core_neighbours{kMaxCoreNeighbours};
    ReservedArray<std::uint64_t> neighbours{neighbour::kFirstCore + kMaxCoreNeighbours};  // namespace neighbour
    ReservedArray<std::uint8_t> links_alive{kMaxPeerings * kLinks};  // by attachment; control writes, workers read
    // By attachment: the TPIDs of the last frame for which somebody asked, 0: none yet. Inner << 16 | outer or only
    // one. Whichever worker hears another one writes it, which is as rare as a customer's router changes it.
    ReservedArray<std::uint32_t> heard_tpids{kMaxPeerings * kLinks};
    ReservedArray<meter::SharedBucket> circuit_buckets{kMaxCircuits * 4};  // circuit_cell
    ReservedArray<meter::SharedBucket> peering_buckets{kMaxPeerings * 4};  // peering slot * 4 + link * 2 + direction
    ReservedArray<meter::SharedBucket> icmp_buckets{kMaxPeerings};
    // By local_cell. A flood of what anybody can send leaves room for those the edge has asked, and one that comes by
    // one link of a pair for the other.
    ReservedArray<meter::SharedBucket> punt_buckets{local_cell::kCells};
    ReservedArray<meter::SharedBucket> ask_buckets{local_cell::kCells};
    ReservedArray<meter::SharedBucket> neighbour_buckets{local_cell::kCells};
    // By local_cell: what the edge originates in answer to what came in there.
    ReservedArray<meter::SharedBucket> reply_buckets{local_cell::kCells};
    // PeeringInfo::mark, by slot, and how many were given so far; control's own.
    ReservedArray<std::uint64_t> peering_marks{kMaxPeerings};
    std::uint64_t marks_given = 0;
    // By SA slot. An SA belongs to one worker as long as it has its slot.
    ReservedArray<ipsec::SaState> sa_states{kMaxSas};
    ReservedArray<ipsec::SaFaults> sa_faults{kMaxSas};
    ReservedArray<ipsec::ReplayRing> replay_rings{kMaxSas};
    std::vector<std::unique_ptr<WorkerState>> workers;
    // Control's own, by SA slot.
    std::vector<std::uint8_t> sa_owners;
    std::vector<Nanoseconds> sa_ages;  // of the key when this run took it up; SaFaults::born says since when it grows
    SaMemory sa_memory;  // what is known of keys that are not in use, and what is reserved for those that are
    SaFloors sa_floors;
    /// By tally::attachment: what tunnels carried that the peering no longer has. Control's own.
    std::unordered_map<std::uint32_t, Tally> departed;
};

/// The seed of the IVs of replay and of tests: the same capture gives the same octets.
inline constexpr std::array<std::uint8_t, 16> kFixedIvSeed{'p', 'e', 'e', 'r', 'l', 'a', 'n', 'e'};

}  // namespace peerlane::dataplane
