// What the edge originates in answer to packets is limited twice: by a budget per link and core port, asked before any
// work is done, and by the buckets of the circuit that it leaves by, like every packet that is forwarded.
#pragma once

#include "dataplane/pipeline/police.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane::detail {

/// Takes `packets` from the reply budget of `cell` (namespace local_cell). False: the budget is used up, and nothing is
/// taken.
inline bool draw_replies(Worker& worker, std::uint32_t cell, Nanoseconds now, std::uint32_t packets = 1) noexcept {
    meter::Credit none;
    return meter::take(worker.state.reply_buckets[cell], none, {worker.snapshot->reply_rate, 0}, now, packets);
}

/// Charges a reply, `length` bytes of IP, to the to_customer buckets of the exit in its slot. False: it ended as
/// policed, on that circuit.
inline bool charge_to_customer(Worker& worker, Burst& replies, std::uint32_t slot, std::uint32_t length) noexcept {
    const auto index = replies.exit[slot];
    if (charge(worker, worker.state.circuit_buckets.data(), worker.snapshot->exits[index], index,
               Direction::to_customer, replies.now, length)) {
        replies.charged[slot] = kChargedExit;
        return true;
    }
    replies.charged[slot] = kExitRefused;
    replies.end(slot, Fate::policed);
    return false;
}

/// The same for a reply that goes into the tunnel in its slot: the to_cloud buckets of the peering's home link.
inline bool charge_to_cloud(Worker& worker, Burst& replies, std::uint32_t slot, std::uint32_t length) noexcept {
    const auto index = worker.snapshot->tunnels[replies.tunnel[slot]].attachment;
    replies.attachment[slot] = index;
    if (charge(worker, worker.state.circuit_buckets.data(), worker.snapshot->attachments[index], index,
               Direction::to_cloud, replies.now, length)) {
        replies.charged[slot] = kChargedEntry;
        return true;
    }
    replies.end(slot, Fate::policed);
    return false;
}

}  // namespace peerlane::dataplane::detail
