// What one worker has in hand while it runs the pipelines. No stage reaches beyond it.
#pragma once

#include <rte_mempool.h>

#include <span>

#include "dataplane/pipeline/burst.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"
#include "lib/ipsec/crypto.hpp"
#include "lib/table/route_table.hpp"

namespace peerlane::dataplane {

/// A packet of 9,600 octets cut for an MTU of 1,280 makes at most 8 pieces, one of them in the burst itself.
inline constexpr unsigned kExtraPieces = 8;

/// `burst` is received; what comes of it beside the packets themselves gets bursts of its own, the slot number the same
/// as its cause's.
struct Worker {
    /// `iv_seed`: where the IVs of CBC come from (ipsec::Engine).
    Worker(State& all, WorkerState& own, rte_mempool* buffers, table::Kernels look_up,
           std::span<const std::uint8_t, 16> iv_seed)
        : state(all), counters(own), pool(buffers), kernels(look_up), crypto(iv_seed) {}

    State& state;
    WorkerState& counters;
    rte_mempool* pool;  // for what the edge makes itself
    table::Kernels kernels;
    const Snapshot* snapshot = nullptr;  // set before each burst
    bool alone = true;                   // the only worker: its buckets need no atomics
    unsigned index = 0;                  // its number

    ipsec::Engine crypto;
    ipsec::Job jobs[kBurst];  // of one crypto pass

    Burst burst;
    Burst replies;               // ICMP errors and echo replies, the other way
    Burst pieces[kExtraPieces];  // fragments after the first, the same way
};

/// Called between stages with what the burst looks like now. This one compiles to nothing.
struct NoObserver {
    void operator()(const char* /*stage*/, const Burst& /*burst*/) const noexcept {}
};

}  // namespace peerlane::dataplane
