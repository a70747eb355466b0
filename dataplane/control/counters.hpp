// Counters for people and programs: the workers' own, summed, under the names the contract knows (docs/counters.md).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// What went one way through a circuit, a peering or a tunnel.
struct Passed {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  // IP octets
};

/// One circuit's link and direction.
struct CircuitCounters {
    Passed passed;  // bytes in the octets of the circuit's accounting
    std::uint64_t policed_packets = 0, policed_bytes = 0;
    std::array<std::uint64_t, kDropReasons> drops{};  // `policed` included
};

CircuitCounters circuit_counters(const Snapshot& snapshot, const State& state, const Names::Circuit& circuit, Link link,
                                 Direction direction);

/// `packets`, `bytes`, `policed_packets`, `policed_bytes`, `drops`.
nlohmann::ordered_json circuit_counters_json(const CircuitCounters& counters);

/// The rows of an answer, to be made a few at a time. Valid as long as the snapshot is.
struct Rows {
    std::size_t count = 0;                                                   // of the things that the rows are about
    std::function<void(std::size_t one, nlohmann::ordered_json& list)> add;  // the rows about one, to the list
};

/// Two rows for each link of a circuit, peering or tunnel, one for each security association (`now` by the clock of the
/// workers). Any thread that keeps `snapshot` alive; the workers may go on: each number is right by itself, sums of
/// several may be a burst apart.
Rows circuit_rows(const Snapshot& snapshot, const State& state);
Rows peering_rows(const Snapshot& snapshot, const State& state);
Rows tunnel_rows(const Snapshot& snapshot, const State& state);
Rows sa_rows(const Snapshot& snapshot, const State& state, Nanoseconds now);

/// What there is of ports and drops, by name.
nlohmann::ordered_json port_counters_json(const Snapshot& snapshot, const State& state);
nlohmann::ordered_json drops_json(const State& state);

/// All of it: `ports`, `drops`, `circuits`, `peerings`, `tunnels`, `sas`.
nlohmann::ordered_json counters_json(const Snapshot& snapshot, const State& state, Nanoseconds now);

/// What one worker dropped, by reason; reasons that never happened are left out.
nlohmann::ordered_json drops_json(const WorkerState& worker);

/// The same names in text: "to_cloud", "primary".
std::string_view to_text(Direction direction) noexcept;

/// A table for people: each circuit that saw traffic, by link and direction, and what the ports dropped for no circuit.
/// `elapsed` in nanoseconds makes bits/s; 0 leaves them out.
std::string summary(const Snapshot& snapshot, const State& state, Nanoseconds elapsed);

}  // namespace peerlane::dataplane
