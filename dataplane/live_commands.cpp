#include "dataplane/live_commands.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "dataplane/control/client.hpp"
#include "dataplane/control/edge.hpp"

namespace peerlane::dataplane {
namespace {

struct Where {
    std::string socket;
    std::string config;
    unsigned patience = 0;

    [[nodiscard]] Target target() const {
        auto target = target_of(socket, config);
        target.patience = patience;
        return target;
    }
};

std::shared_ptr<Where> add_where(CLI::App& command, unsigned patience) {
    auto where = std::make_shared<Where>();
    auto* socket = command.add_option("--socket", where->socket, "the edge's socket; default /run/peerlane.sock");
    command.add_option("--config", where->config, "the configuration the edge runs with, which names its socket")
        ->excludes(socket);
    command
        .add_option("--timeout", where->patience, fmt::format("seconds to wait for an answer; default {}", patience))
        ->check(CLI::Range(1U, 86'400U));
    return where;
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
    auto where = add_where(*command, kShowPatience);
    command->callback([what, name, json, where, &status] {
        if ((*what == "circuit") == name->empty()) {
            throw CLI::ValidationError("show " + *what, name->empty() ? "name a circuit; `show circuits` lists them"
                                                                      : "takes no name; `show circuit NAME` does");
        }
        const auto target = where->target();
        status = name->empty() ? show_command(target, *what, *json) : show_circuit_command(target, *name, *json);
    });
}

void add_reload(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("reload", "let the running edge read its configuration again");
    auto where = add_where(*command, kReloadPatience);
    command->callback([where, &status] { status = reload_command(where->target()); });
}

}  // namespace

void add_live_commands(CLI::App& app, int& status) {
    add_run(app, status);
    add_show(app, status);
    add_reload(app, status);
}

}  // namespace peerlane::dataplane
