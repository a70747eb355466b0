// What `show ports` says of a port's XDP program.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/io/port.hpp"

namespace peerlane::dataplane {

/// {"mode", "copy", "redirected", "passed", "verdicts"} (docs/counters.md); null for a port that is not steered.
nlohmann::ordered_json xdp_json(const Port& port);

}  // namespace peerlane::dataplane
