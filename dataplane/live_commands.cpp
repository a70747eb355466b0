#include "dataplane/live_commands.hpp"

#include <memory>
#include <string>

#include "dataplane/control/client.hpp"
#include "dataplane/control/edge.hpp"

namespace peerlane::dataplane {
namespace {

struct Target {
    std::string socket;
    std::string config;
};

std::shared_ptr<Target> add_target(CLI::App& command) {
    auto target = std::make_shared<Target>();
    auto* socket = command.add_option("--socket", target->socket, "the edge's socket; default /run/peerlane.sock");
    command.add_option("--config", target->config, "the edge's configuration, which names its socket")
        ->excludes(socket);
    return target;
}

void add_run(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("run", "run the edge in the foreground; SIGHUP reloads, SIGTERM ends");
    auto file = std::make_shared<std::string>();
    command->add_option("--config", *file, "the configuration")->required();
    command->callback([file, &status] { status = run_edge(*file); });
}

void add_show(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("show", "ask the running edge");
    auto what = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    command->add_option("what", *what, "what to show")
        ->required()
        ->check(CLI::IsMember(
            {"ports", "circuits", "circuit", "peerings", "tunnels", "sas", "drops", "workers", "neighbours"}));
    auto name = std::make_shared<std::string>();
    command->add_option("name", *name, "of `show circuit`: the circuit, or customer/circuit");
    command->add_flag("--json", *json, "as JSON instead of a table");
    auto target = add_target(*command);
    command->callback([what, name, json, target, &status] {
        if ((*what == "circuit") == name->empty()) {
            throw CLI::ValidationError("show " + *what, name->empty() ? "name a circuit; `show circuits` lists them"
                                                                      : "takes no name; `show circuit NAME` does");
        }
        const auto socket = socket_of(target->socket, target->config);
        status = name->empty() ? show_command(socket, *what, *json) : show_circuit_command(socket, *name, *json);
    });
}

void add_reload(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("reload", "let the running edge read its configuration again");
    auto target = add_target(*command);
    command->callback([target, &status] { status = reload_command(socket_of(target->socket, target->config)); });
}

}  // namespace

void add_live_commands(CLI::App& app, int& status) {
    add_run(app, status);
    add_show(app, status);
    add_reload(app, status);
}

}  // namespace peerlane::dataplane
