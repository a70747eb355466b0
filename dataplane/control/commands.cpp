#include "dataplane/control/commands.hpp"

#include <fmt/format.h>

#include "dataplane/control/circuit_view.hpp"
#include "dataplane/control/counters.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSubjects = "ports, circuits, circuit, peerings, tunnels, sas, drops, workers, neighbours";

Json error(std::string_view what) {
    return {{"ok", false}, {"error", what}};
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

Json show(const Commands& commands, const std::string& what) {
    const auto& snapshot = commands.configuration.snapshot();
    if (what == "workers") { return workers_json(commands.state); }
    if (what == "neighbours") { return commands.neighbours(); }
    auto all = counters_json(snapshot, commands.state, commands.configuration.now());
    if (what != "ports") { return all.contains(what) ? std::move(all[what]) : Json(); }
    auto ports = std::move(all["ports"]);
    const auto more = commands.ports();
    for (std::size_t i = 0; i < snapshot.ports.size() && i < more.size(); ++i) {
        ports[snapshot.ports[i].name].update(more[i]);
    }
    return ports;
}

/// The text under a key, "" where there is none.
std::string text(const Json& request, const char* key) {
    const auto found = request.find(key);
    return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// {"what": "circuit", "name": …}
Json show_circuit(const Commands& commands, const std::string& name) {
    const auto& snapshot = commands.configuration.snapshot();
    const auto circuit = find_circuit(snapshot.names, name);
    if (!circuit) { return error(circuit.error()); }
    return {{"ok", true}, {"circuit", circuit_json(snapshot, commands.state, **circuit, commands.ports())}};
}

Json respond(const Commands& commands, std::string_view line) {
    const auto request = Json::parse(line, nullptr, false);
    if (!request.is_object()) { return error("a request is a JSON object on one line"); }
    const auto command = text(request, "command");
    if (command == "reload") {
        const auto applied = commands.reload();
        Json answer{{"ok", applied.ok}, {"findings", findings_json(applied.findings)}};
        if (!applied.ok) { answer["error"] = "nothing was changed"; }
        return answer;
    }
    if (command != "show") { return error(fmt::format("`command` is one of: show, reload")); }
    const auto what = text(request, "what");
    if (what == "circuit") { return show_circuit(commands, text(request, "name")); }
    auto shown = show(commands, what);
    if (shown.is_null()) { return error(fmt::format("`what` is one of: {}", kSubjects)); }
    return {{"ok", true}, {what, std::move(shown)}};
}

}  // namespace

std::string Commands::answer(std::string_view request) const {
    try {
        // Names come from files that may hold any octets.
        return respond(*this, request).dump(-1, ' ', false, Json::error_handler_t::replace);
    } catch (const std::exception& failure) {
        return error(failure.what()).dump(-1, ' ', false, Json::error_handler_t::replace);
    }
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
