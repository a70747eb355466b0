// The token buckets: the peering's own if it has one, then the circuit's; what the second refuses is given back to the
// first.
#pragma once

#include <algorithm>

#include "dataplane/pipeline/worker.hpp"
#include "lib/meter/bucket.hpp"
#include "lib/meter/shared_bucket.hpp"

namespace peerlane::dataplane {

/// Values of Burst::charged.
inline constexpr std::uint8_t kChargedEntry = 1;  // the to_cloud buckets of Burst::attachment
inline constexpr std::uint8_t kChargedExit = 2;   // the to_customer buckets of Burst::exit
inline constexpr std::uint8_t kExitRefused = 4;   // nothing is charged: the exit's bucket, not the entry's, was empty

namespace detail {

/// One bucket with all that drawing from it takes.
struct Purse {
    meter::SharedBucket& bucket;
    meter::Credit& credit;  // of this worker
    const meter::BucketRate& rate;
    std::uint32_t hold;  // octets
};

inline meter::SharedRate shared(const Purse& purse) noexcept {
    return {purse.rate, purse.hold * meter::kUnitsPerByte};
}
inline bool take(const Worker& worker, const Purse& purse, Nanoseconds now, std::uint32_t cost) noexcept {
    if (worker.alone) [[likely]] { return meter::take(purse.bucket.bucket, purse.rate, now, cost); }
    return meter::take(purse.bucket, purse.credit, shared(purse), now, cost);
}
inline void give_back(const Worker& worker, const Purse& purse, std::uint32_t cost) noexcept {
    if (worker.alone) {
        meter::give_back(purse.bucket.bucket, purse.rate, cost);
    } else {
        meter::give_back(purse.bucket, purse.credit, shared(purse), cost);
    }
}

/// The own bucket of the peering behind `attachment`.
inline Purse peering_purse(Worker& worker, std::uint32_t attachment, Direction direction) noexcept {
    const std::uint32_t slot = attachment / kLinks;
    const auto cell = circuit_cell(slot, static_cast<Link>(attachment % kLinks), direction);
    const PeeringInfo& peering = worker.snapshot->peerings[slot];
    return {worker.state.peering_buckets[cell], worker.counters.peering_credits[cell], peering.rate, peering.hold};
}
inline Purse circuit_purse(Worker& worker, std::uint32_t attachment, std::uint32_t bucket,
                           const meter::BucketRate& rate) noexcept {
    return {worker.state.circuit_buckets[bucket], worker.counters.circuit_credits[bucket], rate,
            worker.snapshot->attachments[attachment].hold};
}

/// Several workers, or a peering with a bucket of its own.
[[gnu::noinline]] inline bool charge_purses(Worker& worker, std::uint32_t attachment, Direction direction,
                                            const Purse& circuit, bool own_bucket, Nanoseconds now,
                                            std::uint32_t cost) noexcept {
    if (!own_bucket) { return take(worker, circuit, now, cost); }
    const Purse own = peering_purse(worker, attachment, direction);
    if (!take(worker, own, now, cost)) { return false; }
    if (take(worker, circuit, now, cost)) { return true; }
    give_back(worker, own, cost);
    return false;
}

/// What a packet of `length` bytes costs at an Attachment or an Exit.
template <class End>
[[gnu::always_inline]] inline std::uint32_t cost_of(const End& end, std::uint32_t length) noexcept {
    return std::max<std::uint32_t>(length + end.overhead, end.shortest);
}

/// `end` is the Attachment (to_cloud) or the Exit (to_customer) with index `attachment`. `buckets` are the circuits'.
template <class End>
[[gnu::always_inline]] inline bool charge(Worker& worker, meter::SharedBucket* buckets, const End& end,
                                          std::uint32_t attachment, Direction direction, Nanoseconds now,
                                          std::uint32_t length) noexcept {
    const std::uint32_t cost = cost_of(end, length);
    if (worker.alone && !end.own_bucket) [[likely]] {
        return meter::take(buckets[end.bucket].bucket, end.rate, now, cost);
    }
    return charge_purses(worker, attachment, direction, circuit_purse(worker, attachment, end.bucket, end.rate),
                         end.own_bucket, now, cost);
}

template <class End>
void uncharge(Worker& worker, const End& end, std::uint32_t attachment, Direction direction,
              std::uint32_t length) noexcept {
    const std::uint32_t cost = cost_of(end, length);
    give_back(worker, circuit_purse(worker, attachment, end.bucket, end.rate), cost);
    if (end.own_bucket) { give_back(worker, peering_purse(worker, attachment, direction), cost); }
}

/// Several workers: whether the to_cloud buckets of `attachment` could pass a packet now; takes nothing.
[[gnu::noinline]] inline bool could_pass(Worker& worker, std::uint32_t attachment, Nanoseconds now,
                                         std::uint32_t length) noexcept {
    const Attachment& end = worker.snapshot->attachments[attachment];
    const std::uint32_t cost = cost_of(end, length);
    const auto covers = [&](const Purse& purse) {
        return meter::covers(purse.bucket, purse.credit, shared(purse), now, cost);
    };
    return (!end.own_bucket || covers(peering_purse(worker, attachment, Direction::to_cloud))) &&
           covers(circuit_purse(worker, attachment, end.bucket, end.rate));
}

/// A slot that was dropped after it had been charged costs nothing.
[[gnu::noinline, gnu::cold]] inline void refund(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const bool cut = burst.cuts && burst.cut_mtu[slot] != 0;
    const std::uint32_t length = burst.length[slot] + (cut ? burst.cut_octets[slot] : 0U);
    if ((burst.charged[slot] & kChargedEntry) != 0) {
        const auto index = burst.attachment[slot];
        uncharge(worker, worker.snapshot->attachments[index], index, Direction::to_cloud, length);
    }
    if ((burst.charged[slot] & kChargedExit) != 0) {
        const auto index = burst.exit[slot];
        uncharge(worker, worker.snapshot->exits[index], index, Direction::to_customer, length);
    }
    burst.charged[slot] = 0;
}

/// Back to a customer: it uses the way in and the way out.
[[gnu::noinline, gnu::cold]] inline void police_exit(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const auto index = burst.exit[slot];
    if (charge(worker, worker.state.circuit_buckets.data(), worker.snapshot->exits[index], index,
               Direction::to_customer, burst.now, burst.length[slot])) {
        burst.charged[slot] |= kChargedExit;
    } else {
        burst.end(slot, Fate::policed);
        refund(worker, burst, slot);
        burst.charged[slot] = kExitRefused;
    }
}

}  // namespace detail

inline void police_to_cloud(Worker& worker, Burst& burst) noexcept {
    const Attachment* attachments = worker.snapshot->attachments.data();
    meter::SharedBucket* buckets = worker.state.circuit_buckets.data();
    const Nanoseconds now = burst.now;
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const auto index = burst.attachment[slot];
        if (!detail::charge(worker, buckets, attachments[index], index, Direction::to_cloud, now, burst.length[slot]))
            [[unlikely]] {
            burst.end(slot, Fate::policed);
            return;
        }
        burst.charged[slot] = kChargedEntry;
        if (burst.tunnel[slot] == kNowhere) [[unlikely]] { detail::police_exit(worker, burst, slot); }
    });
    burst.sweep();
}

inline void police_to_customer(Worker& worker, Burst& burst) noexcept {
    const Exit* exits = worker.snapshot->exits.data();
    meter::SharedBucket* buckets = worker.state.circuit_buckets.data();
    const Nanoseconds now = burst.now;
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const auto index = burst.exit[slot];
        if (!detail::charge(worker, buckets, exits[index], index, Direction::to_customer, now, burst.length[slot]))
            [[unlikely]] {
            burst.end(slot, Fate::policed);
            return;
        }
        burst.charged[slot] = kChargedExit;
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
