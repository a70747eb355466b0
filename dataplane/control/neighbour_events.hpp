// What is logged of neighbours: those that stop answering, those that answer again, and what that means for whom.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/control/neighbours.hpp"
#include "dataplane/tables/snapshot.hpp"

namespace peerlane::dataplane {

/// IPv4 where it is mapped.
std::string mapped_text(Ip6 address);
/// "contoso/sea private, primary link on access0" or "gateway of core0": where a neighbour is.
std::string neighbour_place(const Snapshot& snapshot, const NeighbourPlan& plan);

/// Control thread.
class NeighbourEvents {
  public:
    static constexpr unsigned kAtOnce = 50;                  // lines one after the other, of all neighbours together
    static constexpr Nanoseconds kLine = 500'000'000;        // then one in so long
    static constexpr Nanoseconds kSummary = 10'000'000'000;  // and how many others there were, in so long

    /// `entry` has changed `changes` times since it was told of last, and is now as it says.
    void changed(const Snapshot& snapshot, const Neighbours& neighbours, const Neighbours::Entry& entry,
                 unsigned changes, Nanoseconds now);
    /// What there was no line for.
    void tick(Nanoseconds now);

  private:
    Nanoseconds full_ = 0;  // when kAtOnce lines may be logged again
    Nanoseconds summed_ = 0;
    std::uint64_t died_ = 0, came_ = 0;  // not told of
};

}  // namespace peerlane::dataplane
