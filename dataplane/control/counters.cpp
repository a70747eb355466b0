#include "dataplane/control/counters.hpp"

#include <algorithm>

#include "config/derive.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<Direction, kDirections> kWays{Direction::to_cloud, Direction::to_customer};

/// Sums one cell over the workers; `pieces` adds what fragmenting made of it.
Passed tallied(const State& state, std::uint32_t cell, bool pieces) {
    Passed sum;
    for (const auto& worker : state.workers) {
        sum.packets += read(worker->tallies[cell].packets);
        sum.bytes += read(worker->tallies[cell].bytes);
        if (!pieces) { continue; }
        sum.packets += read(worker->fragments[cell].packets);
        sum.bytes += read(worker->fragments[cell].bytes);
    }
    return sum;
}

void add(Passed& sum, const Passed& more) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}

/// Frames with other TPIDs than are sent there, by attachment.
std::uint64_t tpid_mismatches(const State& state, std::uint32_t attachment) {
    std::uint64_t sum = 0;
    for (const auto& worker : state.workers) { sum += read(worker->tpid_mismatches[attachment]); }
    return sum;
}

Passed peering_passed(const State& state, const Names::Peering& peering, Link link, Direction way) {
    Passed sum = tallied(state, tally::attachment(peering.slot * kLinks + raw(link), way), false);
    for (const auto tunnel : peering.tunnels) { add(sum, tallied(state, tally::tunnel(tunnel, link, way), false)); }
    const auto departed = state.departed.find(tally::attachment(peering.slot * kLinks + raw(link), way));
    if (departed != state.departed.end()) { add(sum, {departed->second.packets, departed->second.bytes}); }
    return sum;
}

Json reasons_json(const std::array<std::uint64_t, kDropReasons>& drops) {
    auto json = Json::object();
    for (std::size_t i = 0; i < kDropReasons; ++i) {
        if (drops[i] != 0) { json[std::string(kDropReason[i].name)] = drops[i]; }
    }
    return json;
}

std::array<std::uint64_t, kDropReasons> all_drops(const State& state) {
    std::array<std::uint64_t, kDropReasons> drops{};
    for (const auto& worker : state.workers) {
        for (std::size_t i = 0; i < kDropReasons; ++i) { drops[i] += read(worker->drops[i]); }
    }
    return drops;
}

Json whole(const Rows& rows) {
    auto list = Json::array();
    for (std::size_t one = 0; one < rows.count; ++one) { rows.add(one, list); }
    return list;
}

}  // namespace

std::string_view to_text(Direction direction) noexcept {
    return direction == Direction::to_cloud ? "to_cloud" : "to_customer";
}

CircuitCounters circuit_counters(const Snapshot& snapshot, const State& state, const Names::Circuit& circuit, Link link,
                                 Direction direction) {
    CircuitCounters sum;
    for (const auto index : circuit.peerings) {
        const auto& peering = snapshot.names.peerings[index];
        add(sum.passed, peering_passed(state, peering, link, direction));
        if (circuit.shortest == 0) { continue; }
        for (const auto& worker : state.workers) {
            sum.passed.bytes += read(worker->padding[circuit_cell(peering.slot, link, direction)]);
        }
    }
    sum.passed.bytes += sum.passed.packets * circuit.overhead;
    const auto cell = circuit_cell(circuit.slot, link, direction);
    for (const auto& worker : state.workers) {
        const CircuitDrops& drops = worker->circuit_drops[cell];
        for (std::size_t i = 0; i < kDropReasons; ++i) {
            if (kCircuitReason[i] != kNoCircuitReason) { sum.drops[i] += read(drops.packets[kCircuitReason[i]]); }
        }
        sum.policed_bytes += read(drops.policed_bytes);
    }
    sum.policed_packets = sum.drops[reason_index(Fate::policed)];
    return sum;
}

Json circuit_counters_json(const CircuitCounters& counters) {
    return {{"packets", counters.passed.packets},
            {"bytes", counters.passed.bytes},
            {"policed_packets", counters.policed_packets},
            {"policed_bytes", counters.policed_bytes},
            {"drops", reasons_json(counters.drops)}};
}

Json drops_json(const WorkerState& worker) {
    std::array<std::uint64_t, kDropReasons> drops{};
    for (std::size_t i = 0; i < kDropReasons; ++i) { drops[i] = read(worker.drops[i]); }
    return reasons_json(drops);
}

Json drops_json(const State& state) {
    return reasons_json(all_drops(state));
}

Json port_counters_json(const Snapshot& snapshot, const State& state) {
    auto ports = Json::object();
    for (std::size_t i = 0; i < snapshot.ports.size(); ++i) {
        PortCounters sum{};
        for (const auto& worker : state.workers) {
            const PortCounters& one = worker->ports[i];
            sum.received += read(one.received);
            sum.originated += read(one.originated);
            sum.sent += read(one.sent);
            sum.dropped += read(one.dropped);
            sum.punted += read(one.punted);
            sum.held += read(one.held);
            sum.transmitted += read(one.transmitted);
        }
        ports[snapshot.ports[i].name] = {{"role", snapshot.ports[i].access ? "access" : "core"},
                                         {"received", sum.received},
                                         {"originated", sum.originated},
                                         {"sent", sum.sent},
                                         {"dropped", sum.dropped},
                                         {"punted", sum.punted},
                                         {"held", sum.held},
                                         {"transmitted", sum.transmitted}};
    }
    return ports;
}

Rows circuit_rows(const Snapshot& snapshot, const State& state) {
    return {snapshot.names.circuits.size(), [&](std::size_t one, Json& list) {
                const auto& circuit = snapshot.names.circuits[one];
                for (const auto link : circuit.links) {
                    for (const auto way : kWays) {
                        Json row{{"customer", circuit.customer},
                                 {"circuit", circuit.circuit},
                                 {"link", config::to_text(link)},
                                 {"direction", to_text(way)}};
                        row.update(circuit_counters_json(circuit_counters(snapshot, state, circuit, link, way)));
                        list.push_back(std::move(row));
                    }
                }
            }};
}

Rows peering_rows(const Snapshot& snapshot, const State& state) {
    return {snapshot.names.peerings.size(), [&](std::size_t one, Json& list) {
                const auto& peering = snapshot.names.peerings[one];
                for (const auto link : peering.links) {
                    for (const auto way : kWays) {
                        const auto sum = peering_passed(state, peering, link, way);
                        const auto index = peering.slot * kLinks + raw(link);
                        const auto mismatches = way == Direction::to_cloud ? tpid_mismatches(state, index) : 0;
                        list.push_back({{"customer", peering.customer},
                                        {"circuit", peering.circuit},
                                        {"peering", peering.type},
                                        {"link", config::to_text(link)},
                                        {"direction", to_text(way)},
                                        {"packets", sum.packets},
                                        {"bytes", sum.bytes},
                                        {"tpid_mismatches", mismatches}});
                    }
                }
            }};
}

Rows tunnel_rows(const Snapshot& snapshot, const State& state) {
    return {snapshot.names.tunnels.size(), [&](std::size_t one, Json& list) {
                const auto& tunnel = snapshot.names.tunnels[one];
                for (const auto link : tunnel.links) {
                    for (const auto way : kWays) {
                        const auto sum = tallied(state, tally::tunnel(tunnel.slot, link, way), true);
                        list.push_back({{"customer", tunnel.customer},
                                        {"circuit", tunnel.circuit},
                                        {"peering", tunnel.peering},
                                        {"virtual_network", tunnel.name},
                                        {"local", tunnel.local},
                                        {"remote", tunnel.remote},
                                        {"key", tunnel.key ? Json(raw(*tunnel.key)) : Json()},
                                        {"link", config::to_text(link)},
                                        {"direction", to_text(way)},
                                        {"packets", sum.packets},
                                        {"bytes", sum.bytes}});
                    }
                }
            }};
}

Json counters_json(const Snapshot& snapshot, const State& state, Nanoseconds now) {
    return {{"ports", port_counters_json(snapshot, state)},     {"drops", drops_json(state)},
            {"circuits", whole(circuit_rows(snapshot, state))}, {"peerings", whole(peering_rows(snapshot, state))},
            {"tunnels", whole(tunnel_rows(snapshot, state))},   {"sas", whole(sa_rows(snapshot, state, now))}};
}

}  // namespace peerlane::dataplane
