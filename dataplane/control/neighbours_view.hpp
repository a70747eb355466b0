// What `show neighbours` answers.
#pragma once

#include "dataplane/control/counters.hpp"
#include "dataplane/control/neighbours.hpp"

namespace peerlane::dataplane {

/// One row per neighbour, in configuration order: where it is, its MAC and state, how long ago it confirmed it. Valid
/// as long as the snapshot, and the neighbours that it names, are.
Rows neighbour_rows(const Snapshot& snapshot, const Neighbours& neighbours, Nanoseconds now);

}  // namespace peerlane::dataplane
