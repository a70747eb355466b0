// Local delivery: what the workers punted goes to the neighbours' state machine and to the taps, what waits for a next
// hop waits here, and what the taps and the neighbours' state machine send goes back to a worker, which sends it.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/control/announcer.hpp"
#include "dataplane/control/neighbour_events.hpp"
#include "dataplane/control/neighbours.hpp"
#include "dataplane/control/tap.hpp"
#include "dataplane/io/local_rings.hpp"

namespace peerlane::dataplane {

/// One port's share.
struct LocalCounts {
    std::uint64_t to_tap = 0, tap_refused = 0;  // frames delivered; those the system did not take
    std::uint64_t from_tap = 0,
                  from_refused = 0;  // frames sent; those with tags of no peering, or when workers were behind
};

/// Control thread.
class LocalDelivery {
  public:
    /// `taps` by port. `buffers` is what frames that control makes are in.
    LocalDelivery(LocalRings& rings, State& state, std::vector<std::optional<Tap>> taps, rte_mempool* buffers,
                  const NeighbourTimes& times = {});
    ~LocalDelivery();
    LocalDelivery(const LocalDelivery&) = delete;
    LocalDelivery& operator=(const LocalDelivery&) = delete;

    /// `snapshot` has been published.
    void adopt(const Snapshot& snapshot, Nanoseconds now) {
        snapshot_ = &snapshot;
        neighbours_.adopt(snapshot, now);
        announcer_.adopt(snapshot, now);
        ticked_ = 0;
    }
    /// Does what can be done without waiting. `up` by port.
    void serve(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now);
    /// Appends what to wait for; false: there is more to do already.
    bool watch(std::vector<pollfd>& waiting);

    [[nodiscard]] const Neighbours& neighbours() const noexcept { return neighbours_; }
    [[nodiscard]] const std::vector<LocalCounts>& counts() const noexcept { return counts_; }

  private:
    void take(const Snapshot& snapshot, rte_mbuf* packet, Nanoseconds now);
    void read_tap(const Snapshot& snapshot, std::uint8_t port);
    bool send(std::uint8_t port, std::span<const std::uint8_t> frame, Payer payer);
    void release(rte_mbuf* packet);
    void push_late();

    const Snapshot* snapshot_ = nullptr;  // that frames are made of
    LocalRings& rings_;
    std::vector<std::optional<Tap>> taps_;
    rte_mempool* buffers_;
    NeighbourEvents events_;
    Neighbours neighbours_;
    Payer asker_{};  // whose message is being answered; of the edge itself while it asks
    Announcer announcer_;
    std::vector<LocalCounts> counts_;
    Nanoseconds ticked_ = 0;       // the last time
    std::vector<rte_mbuf*> late_;  // released, but their worker's ring was full
};

}  // namespace peerlane::dataplane
