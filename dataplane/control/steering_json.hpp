// What `show ports` says of a port's XDP program and AF_XDP sockets.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/io/port.hpp"

namespace peerlane::dataplane {

/// {"mode", "copy", "redirected", "passed", "verdicts"} (docs/counters.md); null for a port that is not steered.
nlohmann::ordered_json xdp_json(const Port& port);

/// What the kernel counts of the port's AF_XDP sockets (docs/counters.md); null for a port without any.
nlohmann::ordered_json xdp_statistics_json(const Port& port);

}  // namespace peerlane::dataplane
