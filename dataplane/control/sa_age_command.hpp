// {"command": "sa-age", "spi": …, "age_seconds": …}: how old a key is, where the edge has it wrong.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/control/sa_upkeep.hpp"
#include "dataplane/tables/snapshot.hpp"

namespace peerlane::dataplane {

/// "spi" and, where several SAs have it, "direction" (to_cloud, to_customer) or "tunnel"
/// (customer/circuit/peering/virtual network) say which; "age_seconds" is how old its key is to be, in all its lanes.
/// The answer is {"ok": true, "was_seconds", "age_seconds"}, or {"ok": false, "error"}. Control thread.
nlohmann::ordered_json set_sa_age(const Snapshot& snapshot, const State& state, SaUpkeep& upkeep, Nanoseconds now,
                                  const nlohmann::ordered_json& request);

}  // namespace peerlane::dataplane
