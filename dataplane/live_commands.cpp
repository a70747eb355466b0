#include "dataplane/live_commands.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "config/units.hpp"
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

void add_sa_age(CLI::App& app, int& status) {
    struct Which {
        std::string spi, age, direction, tunnel;
    };
    auto* command =
        app.add_subcommand("sa-age", "say how old a key is, where a wrong clock has made the edge wrong about it");
    auto which = std::make_shared<Which>();
    command->add_option("--spi", which->spi, "of an SA that uses the key, as `show sas` lists it")->required();
    command->add_option("--age", which->age, "how long ago the key was first used, as 90 min or 700 h")->required();
    command->add_option("--direction", which->direction, "where several SAs have the SPI")
        ->check(CLI::IsMember({"to_cloud", "to_customer"}));
    command->add_option("--tunnel", which->tunnel, "likewise: customer/circuit/peering/virtual network");
    auto where = add_where(*command, kShowPatience);
    command->callback([which, where, &status] {
        const auto spi = config::parse_integer(which->spi);
        if (!spi) { throw CLI::ValidationError("--spi", "`" + which->spi + "` is not a number"); }
        const auto age = config::parse_quantity(which->age, config::time_units());
        if (!age) { throw CLI::ValidationError("--age", "`" + which->age + "` is not a time such as 90 min or 700 h"); }
        nlohmann::ordered_json request{{"spi", *spi}, {"age_seconds", *age / 1'000'000'000}};
        if (!which->direction.empty()) { request["direction"] = which->direction; }
        if (!which->tunnel.empty()) { request["tunnel"] = which->tunnel; }
        status = sa_age_command(where->target(), std::move(request));
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
    add_sa_age(app, status);
}

}  // namespace peerlane::dataplane
