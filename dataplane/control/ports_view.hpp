// `show ports`: what counters do not say of a port.
#pragma once

#include <nlohmann/json.hpp>

#include "dataplane/control/local.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/io/port_watch.hpp"

namespace peerlane::dataplane {

/// One object per port, in order. Control thread.
nlohmann::ordered_json ports_json(const Ports& ports, const State& state, const PortWatch& watch,
                                  const LocalDelivery& local);

}  // namespace peerlane::dataplane
