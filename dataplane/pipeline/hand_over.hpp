// Packets for a tunnel whose lanes are other workers': they go there as they came in, and begin again.
#pragma once

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/police.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/ipsec/esp.hpp"

namespace peerlane::dataplane {

namespace detail {

/// A tunnel with a next SA, or without a lane here: whose turn is it? kNowhere: this worker's, be it to drop the
/// packet.
[[gnu::noinline]] inline std::uint32_t turn(const Worker& worker, const Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    const std::uint32_t tunnel = burst.tunnel[slot];
    const ipsec::SaOut* first = &all[tunnel];
    if (first->next == ipsec::kNoSa) { return first->key != nullptr ? kNowhere : first->owner; }
    const auto gre = snapshot.tunnels[tunnel].header_length - std::uint32_t{first->skip};
    bool lane = false;
    for (const auto* sa = first;; sa = &all[sa->next]) {
        const ipsec::SaState& state = worker.state.sa_states[sa->state];
        lane |= sa->key != nullptr;
        if (relaxed(state.life) != 0 || ipsec::may_send(state, burst.length[slot] + gre, burst.now)) {
            return sa->key != nullptr ? kNowhere : sa->owner;
        }
        if (sa->next == ipsec::kNoSa) { break; }
    }
    return lane ? kNowhere : first->owner;
}

}  // namespace detail

/// Before anything of the packet is changed or charged. What its buckets could not pass now is not handed over: a
/// circuit that floods costs nobody else a place in the ring, and the other worker no time.
inline void hand_over(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    if (worker.alone || snapshot.sas_out.empty()) [[likely]] { return; }
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere || (snapshot.tunnels[index].flags & TunnelInfo::kProtected) == 0) { return; }
        if (all[index].key != nullptr && all[index].next == ipsec::kNoSa) [[likely]] { return; }
        const auto owner = detail::turn(worker, burst, slot);
        if (owner == kNowhere) { return; }
        if (!detail::could_pass(worker, burst.attachment[slot], burst.now, burst.length[slot])) {
            burst.end(slot, Fate::policed);
            return;
        }
        burst.owner[slot] = static_cast<std::uint8_t>(owner);
        burst.hands = true;
        burst.end(slot, make_whole(snapshot, burst, slot) ? Fate::handed : Fate::no_headroom);
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
