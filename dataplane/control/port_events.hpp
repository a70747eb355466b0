// What is logged of ports, beside the links that io/port_watch.hpp tells of: what that means for whom, and packets for
// the edge itself that nobody takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/control/local.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// What it means for circuits and tunnels that the link of a port is down; "" of one that is up.
std::string port_meaning(const Snapshot& snapshot, std::size_t port, bool up);

/// Of `punted`, what nobody took: there was no tap. Sum over the workers.
std::uint64_t unclaimed(const State& state, std::size_t port);

/// Packets for the edge itself that end nowhere are told of when there are more of them. Control thread.
class UnclaimedPackets {
  public:
    static constexpr Nanoseconds kLook = 1'000'000'000;
    static constexpr Nanoseconds kQuiet = 60'000'000'000;  // between two lines about one port

    void tick(const Ports& ports, const State& state, const std::vector<LocalCounts>& local, Nanoseconds now);

  private:
    struct Seen {
        std::uint64_t unclaimed = 0, refused = 0;  // told of
        Nanoseconds quiet = 0;                     // until then
    };
    std::vector<Seen> seen_;
    Nanoseconds looked_ = 0;
};

}  // namespace peerlane::dataplane
