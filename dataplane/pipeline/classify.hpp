// (port, S-VID, C-VID) → attachment. From here on every fate is charged to a circuit.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Fills attachment; brings its cache line on the way.
inline void classify(Worker& worker, Burst& burst) noexcept {
    const table::VlanTable& vlans = worker.snapshot->ports[burst.port].vlans;
    const Attachment* attachments = worker.snapshot->attachments.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t id = vlans.find(burst.tci[slot] & 0xfffU, burst.inner_vid[slot]);
        burst.attachment[slot] = id;
        if (id == kNowhere) [[unlikely]] {
            burst.end(slot, Fate::unknown_vlan);
            return;
        }
        rte_prefetch0(&attachments[id]);
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
