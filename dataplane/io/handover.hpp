// Packets that go to the worker that has their SA, as they came in: a ring before each worker.
#pragma once

#include <rte_ring.h>

#include <vector>

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Packets a worker may find before it, a power of two; every port has the buffers for that. What does not fit is
/// dropped by name.
inline constexpr unsigned kHandoverRoom = 1024;

/// One ring for each worker; none where there is one worker only.
class HandoverRings {
  public:
    /// Throws Failure.
    explicit HandoverRings(unsigned workers);
    ~HandoverRings();
    HandoverRings(const HandoverRings&) = delete;
    HandoverRings& operator=(const HandoverRings&) = delete;

    [[nodiscard]] const std::vector<rte_ring*>& all() const noexcept { return rings_; }

  private:
    std::vector<rte_ring*> rings_;
};

/// Gives the slots that are handed to their workers; what does not fit gets its fate here. `rings` by worker.
inline void give_away(Burst& burst, rte_ring* const* rings) noexcept {
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] != Fate::handed) { continue; }
        burst.mbuf[slot]->port = burst.port;
        if (rte_ring_enqueue(rings[burst.owner[slot]], burst.mbuf[slot]) != 0) {
            burst.fate[slot] = Fate::handover_full;
        }
    }
}

/// A burst of what waits in `ring`, all of one port, into `burst.mbuf`; the rest of what was taken off the ring stays
/// in `waiting`. Returns how many; `port` is theirs.
struct Handed {
    rte_mbuf* waiting[kBurst];
    std::uint32_t first = 0, end = 0;

    std::uint32_t take(rte_ring* ring, Burst& burst, std::uint8_t& port) noexcept {
        if (first == end) {
            first = 0;
            end = rte_ring_dequeue_burst(ring, reinterpret_cast<void**>(waiting), kBurst, nullptr);
            if (end == 0) { return 0; }
        }
        port = static_cast<std::uint8_t>(waiting[first]->port);
        std::uint32_t count = 0;
        while (first < end && waiting[first]->port == port) { burst.mbuf[count++] = waiting[first++]; }
        return count;
    }
};

}  // namespace peerlane::dataplane
