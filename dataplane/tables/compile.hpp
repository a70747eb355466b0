// Model → snapshot: the only bridge between the configuration and the data plane.
#pragma once

#include <memory>
#include <vector>

#include "config/model.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

struct CompileOptions {
    /// The devices' own MACs, by port; used where the configuration names none. Empty (replay): port n accepts every
    /// unicast MAC and sends from 02:00:00:00:00:0n.
    std::vector<Mac> device_macs;
    Nanoseconds now = 0;  // new buckets are full from here on
};

/// Control thread. Takes slots in `state` for what is new and keeps those of what stays; parts that did not change are
/// shared with `previous` (may be null). Nothing the workers use is changed until the result is published. Throws
/// std::length_error when the edge is larger than the state can hold.
std::unique_ptr<Snapshot> compile(const config::Model& model, State& state, const Snapshot* previous,
                                  const CompileOptions& options);

/// Control thread, when `after` is published and no worker reads `before`: what the tunnels that left a peering carried
/// stays with the peering (State::departed).
void keep_departed(const Snapshot& before, const Snapshot& after, State& state);

}  // namespace peerlane::dataplane
