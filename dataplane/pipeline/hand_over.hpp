// Packets for a tunnel whose lanes are other workers': they go there as they came in, and begin again.
#pragma once

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Before anything of the packet is changed or charged.
inline void hand_over(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    if (worker.alone || snapshot.sas_out.empty()) [[likely]] { return; }
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere || (snapshot.tunnels[index].flags & TunnelInfo::kProtected) == 0) { return; }
        if (all[index].key != nullptr) [[likely]] { return; }
        burst.owner[slot] = all[index].owner;
        burst.hands = true;
        burst.end(slot, Fate::handed);
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
