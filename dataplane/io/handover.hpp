// Packets that go to the worker that has their SA, as they came in: a ring before each worker.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/io/shared_ring.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Places in the ring before a worker, a power of two; every port has the buffers for that. A circuit that is alone
/// there finds half of them; what does not fit is dropped by name.
inline constexpr unsigned kHandoverRoom = 2048;

/// One ring for each worker; none where there is one worker only.
class HandoverRings {
  public:
    /// Throws Failure.
    explicit HandoverRings(unsigned workers);

    [[nodiscard]] const std::vector<SharedRing*>& all() const noexcept { return all_; }

  private:
    std::vector<std::unique_ptr<SharedRing>> rings_;
    std::vector<SharedRing*> all_;
};

/// Gives the slots that are handed to their workers. A packet whose circuit or customer has its share of the ring gets
/// its fate here. `rings` by worker.
inline void give_away(const Snapshot& snapshot, Burst& burst, SharedRing* const* rings) noexcept {
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::handed) { continue; }
        burst.mbuf[slot]->port = burst.port;
        if (!rings[burst.owner[slot]]->put(burst.mbuf[slot], payer_of(snapshot, burst, slot))) {
            burst.fate[slot] = Fate::handover_full;
        }
    }
}

/// A burst of what waits in `ring`, all of one port, into `burst.mbuf`; the rest of what was taken off the ring stays
/// in `waiting`. Returns how many; `port` is theirs.
struct Handed {
    rte_mbuf* waiting[kBurst];
    std::uint32_t first = 0, end = 0;

    std::uint32_t take(SharedRing* ring, Burst& burst, std::uint8_t& port) noexcept {
        if (first == end) {
            first = 0;
            end = ring->take(waiting, kBurst);
            if (end == 0) { return 0; }
        }
        port = static_cast<std::uint8_t>(waiting[first]->port);
        std::uint32_t count = 0;
        while (first < end && waiting[first]->port == port) { burst.mbuf[count++] = waiting[first++]; }
        return count;
    }
};

}  // namespace peerlane::dataplane
