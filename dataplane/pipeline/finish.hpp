// The end of every packet: one fate each, counted once; what is not sent is freed.
#pragma once

#include "dataplane/pipeline/police.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

namespace detail {

/// Reasons that only a packet with a route has; in to_customer it has an exit.
constexpr bool has_exit(Fate why) noexcept {
    return why == Fate::ttl_expired || why == Fate::too_big || why == Fate::no_neighbour || why == Fate::policed ||
           why == Fate::source_not_accepted;
}

/// The circuit's drop cell that a slot is charged to, or kNowhere.
inline std::uint32_t drop_cell(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    if (burst.charged[slot] == kExitRefused) { return snapshot.exits[burst.exit[slot]].bucket; }
    if (burst.direction == Direction::to_cloud) {
        const auto index = burst.attachment[slot];
        return index == kNowhere ? kNowhere : snapshot.attachments[index].bucket;
    }
    const auto tunnel = burst.tunnel[slot];
    if (tunnel == kNowhere) { return kNowhere; }
    // Before the route is known the home link stands for the peering.
    const auto index = has_exit(burst.fate[slot]) ? burst.exit[slot] : snapshot.tunnels[tunnel].attachment;
    return snapshot.exits[index].bucket;
}

/// Counts what was not sent, takes back what it was charged, and frees it; what was given to control has no buffer
/// here.
[[gnu::noinline, gnu::cold]] inline void finish_unsent(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    PortCounters& port = worker.counters.ports[burst.port];
    const Fate fate = burst.fate[slot];
    if (fate == Fate::handed) { return; }
    if (fate == Fate::punted) {
        bump(port.punted);
    } else if (fate == Fate::held) {
        bump(port.held);
    } else {
        bump(port.dropped);
        const auto reason = reason_index(fate);
        bump(worker.counters.drops[reason]);
        const auto cell = drop_cell(snapshot, burst, slot);
        if (cell != kNowhere && kCircuitReason[reason] != kNoCircuitReason) {
            CircuitDrops& drops = worker.counters.circuit_drops[cell];
            bump(drops.packets[kCircuitReason[reason]]);
            if (fate == Fate::policed) {
                const bool entry = burst.direction == Direction::to_cloud && burst.charged[slot] != kExitRefused;
                const std::uint32_t length = burst.length[slot];
                bump(drops.policed_bytes, entry ? cost_of(snapshot.attachments[burst.attachment[slot]], length)
                                                : cost_of(snapshot.exits[burst.exit[slot]], length));
            }
        }
        if (burst.charged[slot] != 0) { refund(worker, burst, slot); }
    }
    rte_pktmbuf_free(burst.mbuf[slot]);
}

/// A circuit counts the packet it sent; its tunnel, through WorkerState::fragments, the pieces that came of it.
[[gnu::noinline, gnu::cold]] inline void finish_cut(Worker& worker, const Burst& burst) noexcept {
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::sent || burst.cut_mtu[slot] == 0) { continue; }
        bump(worker.counters.tallies[burst.tally[slot]].bytes, burst.cut_octets[slot]);
        bump(worker.counters.fragments[burst.tally[slot]].bytes, -std::uint64_t{burst.cut_octets[slot]});
    }
}

/// Packets that another worker takes and counts.
[[gnu::noinline, gnu::cold]] inline std::uint64_t handed(const Burst& burst) noexcept {
    std::uint64_t count = 0;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) { count += burst.fate[slot] == Fate::handed ? 1U : 0U; }
    return count;
}

/// What came from a customer and goes back to it is tallied on its way out like any other, and here on its way in.
[[gnu::noinline, gnu::cold]] inline void finish_hairpins(Worker& worker, const Burst& burst) noexcept {
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::sent || burst.tunnel[slot] != kNowhere) { continue; }
        const bool cut = burst.cuts && burst.cut_mtu[slot] != 0;
        Tally& tally = worker.counters.tallies[tally::attachment(burst.attachment[slot], Direction::to_cloud)];
        bump(tally.packets);
        bump(tally.bytes, burst.length[slot] + (cut ? burst.cut_octets[slot] : 0U));
    }
}

/// Tallies hold IP bytes and packets, from which the rest of what a packet costs follows, but for the padding of short
/// frames: of everything sent that a circuit counts.
[[gnu::noinline, gnu::cold]] inline void finish_padding(Worker& worker, const Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const auto pad = [&](const auto& end, std::uint32_t index, Direction way, std::uint32_t length) {
        const std::uint32_t bare = length + end.overhead;
        if (bare < end.shortest) { bump(worker.counters.padding[index * 2U + raw(way)], end.shortest - bare); }
    };
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::sent || burst.tally[slot] == kNowhere) { continue; }
        const std::uint32_t length = burst.length[slot];
        const std::uint32_t tunnel = burst.tunnel[slot];
        const bool up = burst.direction == Direction::to_cloud;
        if (up) {
            const bool reply = burst.kind == Burst::Kind::replies;
            const auto index = reply ? snapshot.tunnels[tunnel].attachment : burst.attachment[slot];
            pad(snapshot.attachments[index], index, Direction::to_cloud, length);
        }
        if (up && tunnel != kNowhere) { continue; }
        pad(snapshot.exits[burst.exit[slot]], burst.exit[slot], Direction::to_customer, length);
    }
}

/// What the edge made itself; slots are sparse.
[[gnu::noinline, gnu::cold]] inline void finish_originated(Worker& worker, Burst& burst) noexcept {
    PortCounters& port = worker.counters.ports[burst.port];
    auto& tallies = burst.kind == Burst::Kind::pieces ? worker.counters.fragments : worker.counters.tallies;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.mbuf[slot] == nullptr) { continue; }
        bump(port.originated);
        if (burst.fate[slot] != Fate::sent) {
            finish_unsent(worker, burst, slot);
            continue;
        }
        bump(port.sent);
        if (burst.tally[slot] == kNowhere) { continue; }
        bump(tallies[burst.tally[slot]].packets);
        bump(tallies[burst.tally[slot]].bytes, burst.length[slot]);
    }
    if (worker.snapshot->pads && burst.kind == Burst::Kind::replies) { finish_padding(worker, burst); }
    burst.count = 0;
}

}  // namespace detail

/// Counts every slot of the burst by its fate. Packets sent are the transmitter's; the others are freed here. Call it
/// once, after the transmitter has taken what it could and given the rest Fate::tx_full.
inline void finish(Worker& worker, Burst& burst) noexcept {
    PortCounters& port = worker.counters.ports[burst.port];
    Tally* tallies = worker.counters.tallies.data();
    std::uint64_t sent = 0;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::sent) [[unlikely]] {
            detail::finish_unsent(worker, burst, slot);
            continue;
        }
        ++sent;
        Tally& tally = tallies[burst.tally[slot]];
        bump(tally.packets);
        bump(tally.bytes, burst.length[slot]);
    }
    const bool again = burst.kind == Burst::Kind::released;  // it was received when it began to wait
    if (again) [[unlikely]] { bump(port.held, -std::uint64_t{burst.count}); }
    bump(port.received, (again ? 0 : burst.count) - (burst.hands ? detail::handed(burst) : 0));
    bump(port.sent, sent);
    if (burst.cuts) [[unlikely]] { detail::finish_cut(worker, burst); }
    if (burst.hairpins) [[unlikely]] { detail::finish_hairpins(worker, burst); }
    if (worker.snapshot->pads) [[unlikely]] { detail::finish_padding(worker, burst); }
    burst.count = 0;
}

/// The burst and everything that came of it.
inline void finish_all(Worker& worker) noexcept {
    finish(worker, worker.burst);
    if (worker.replies.count != 0) [[unlikely]] { detail::finish_originated(worker, worker.replies); }
    for (Burst& pieces : worker.pieces) {
        if (pieces.count == 0) [[likely]] { break; }
        detail::finish_originated(worker, pieces);
    }
}

}  // namespace peerlane::dataplane
