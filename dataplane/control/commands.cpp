#include "dataplane/control/commands.hpp"

#include <fmt/format.h>

#include <utility>

#include "dataplane/control/circuit_view.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/control/slices.hpp"
#include "dataplane/control/told_file.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSubjects = "ports, circuits, circuit, peerings, tunnels, sas, drops, workers, neighbours";

Reply whole(const Json& answer) {
    // Names come from files that may hold any bytes.
    return {answer.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Reply error(std::string_view what) {
    return {error_text(what)};
}

Json workers_json(const State& state) {
    auto list = Json::array();
    for (std::size_t i = 0; i < state.workers.size(); ++i) {
        const WorkerState& worker = *state.workers[i];
        const auto packets = read(worker.packets);
        const auto busy = read(worker.busy_cycles);
        list.push_back({{"worker", i},
                        {"packets", packets},
                        {"bursts", read(worker.bursts)},
                        {"busy_cycles", busy},
                        {"cycles_per_packet", packets == 0 ? 0 : busy / packets},
                        {"idle_polls", read(worker.idle_polls)},
                        {"drops", drops_json(worker)}});
    }
    return list;
}

Json ports_json(const Commands& commands) {
    const auto& snapshot = commands.configuration.snapshot();
    auto ports = port_counters_json(snapshot, commands.state);
    const auto more = commands.ports();
    for (std::size_t i = 0; i < snapshot.ports.size() && i < more.size(); ++i) {
        ports[snapshot.ports[i].name].update(more[i]);
    }
    return ports;
}

/// The rows of what has many; nothing for anything else.
std::function<Rows()> rows_of(const Commands& commands, const std::string& what) {
    const auto& now = commands.configuration;
    const auto& state = commands.state;
    if (what == "circuits") {
        return [&] { return circuit_rows(now.snapshot(), state); };
    }
    if (what == "peerings") {
        return [&] { return peering_rows(now.snapshot(), state); };
    }
    if (what == "tunnels") {
        return [&] { return tunnel_rows(now.snapshot(), state); };
    }
    if (what == "sas") {
        return [&] { return sa_rows(now.snapshot(), state, now.now()); };
    }
    if (what == "neighbours") { return commands.neighbours; }
    return nullptr;
}

/// The text under a key, "" where there is none.
std::string text(const Json& request, const char* key) {
    const auto found = request.find(key);
    return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// {"what": "circuit", "name": …}
Reply show_circuit(const Commands& commands, const std::string& name) {
    const auto& snapshot = commands.configuration.snapshot();
    const auto circuit = find_circuit(snapshot.names, name);
    if (!circuit) { return error(circuit.error()); }
    return whole({{"ok", true}, {"circuit", circuit_json(snapshot, commands.state, **circuit, commands.ports())}});
}

Reply show(const Commands& commands, const Json& request) {
    const auto what = text(request, "what");
    if (what == "circuit") { return show_circuit(commands, text(request, "name")); }
    if (what == "workers") { return whole({{"ok", true}, {what, workers_json(commands.state)}}); }
    if (what == "drops") { return whole({{"ok", true}, {what, drops_json(commands.state)}}); }
    if (what == "ports") { return whole({{"ok", true}, {what, ports_json(commands)}}); }
    auto rows = rows_of(commands, what);
    if (!rows) { return error(fmt::format("`what` is one of: {}", kSubjects)); }
    return in_slices(what, std::move(rows), [&commands] { return commands.configuration.generation(); });
}

Reply reload(const Commands& commands, const Peer& peer) {
    if (!peer.may_change) {
        return error("this socket answers `show` only: reload by the edge's other one, edge.socket");
    }
    const auto applied = commands.reload(peer);
    Json answer{{"ok", applied.ok}, {"findings", findings_json(applied.findings)}};
    if (!applied.ok) { answer["error"] = "nothing was changed"; }
    return whole(answer);
}

Reply set_sa_age(const Commands& commands, const Json& request, const Peer& peer) {
    if (!peer.may_change) {
        return error("this socket answers `show` only: set a key's age by the edge's other one, edge.socket");
    }
    return whole(commands.set_sa_age(request));
}

Reply respond(const Commands& commands, std::string_view line, const Peer& peer) {
    const auto request = Json::parse(line, nullptr, false);
    if (!request.is_object()) { return error("a request is a JSON object on one line"); }
    if (const auto refusal = another_file(request.value("config", Json()), commands.configuration.file())) {
        return error(*refusal);
    }
    const auto command = text(request, "command");
    if (command == "reload") { return reload(commands, peer); }
    if (command == "sa-age" && commands.set_sa_age) { return set_sa_age(commands, request, peer); }
    if (command != "show") { return error("`command` is one of: show, reload, sa-age"); }
    return show(commands, request);
}

}  // namespace

Reply Commands::answer(std::string_view request, const Peer& peer) const {
    try {
        return respond(*this, request, peer);
    } catch (const std::exception& failure) { return error(failure.what()); }
}

Json findings_json(const std::vector<config::Finding>& findings) {
    auto list = Json::array();
    for (const auto& finding : findings) {
        const bool wrong = finding.severity == config::Finding::Severity::error;
        list.push_back({{"severity", wrong ? "error" : "warning"},
                        {"where", finding.where},
                        {"what", finding.what},
                        {"remedy", finding.remedy}});
    }
    return list;
}

}  // namespace peerlane::dataplane
