// What `show neighbours` answers.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/control/neighbours.hpp"

namespace peerlane::dataplane {

/// One object per neighbour, in configuration order: where it is, its MAC and state, how long ago it confirmed it.
nlohmann::ordered_json neighbours_json(const Snapshot& snapshot, const Neighbours& neighbours, Nanoseconds now);

}  // namespace peerlane::dataplane
