// Who stands next to the edge: customers' routers, core gateways, tunnel ends in a core port's own subnet.
#pragma once

#include <set>

#include "config/model.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// Part of one compilation.
class NeighbourCompiler {
  public:
    NeighbourCompiler(const config::Model& model, Snapshot& snapshot, State& state)
        : model_(model), snapshot_(snapshot), state_(state) {}

    /// After Slots::begin(). Also limits for what is for the edge itself.
    void begin();
    /// When all are there: Snapshot::next_hops, and limits of core ports.
    void finish();
    /// The gateways of a core port are neighbours whether a tunnel needs them yet or not.
    void add_gateways(std::size_t port);
    /// The customer's router on one link: one neighbour for each family that has a subnet there. Where one family has
    /// none, the other's takes its packets.
    void add_customer(const config::Circuit& circuit, const config::Peering& peering, const config::CircuitLink& end,
                      std::uint32_t attachment);
    /// The word of who takes what leaves by a core port for `remote`: `remote` itself in the port's own subnet, else
    /// the gateway.
    std::uint32_t next_hop(std::uint32_t port, const IpAddress& remote);

  private:
    std::uint32_t add_core(std::size_t port, Ip6 address, Ip6 own);

    const config::Model& model_;
    Snapshot& snapshot_;
    State& state_;
    std::uint64_t asks_ = 1;        // a second
    std::set<std::uint32_t> core_;  // slots in the snapshot
};

}  // namespace peerlane::dataplane
