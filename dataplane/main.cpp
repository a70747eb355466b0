// The command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <iostream>

#include "config/load.hpp"
#include "config/reference.hpp"
#include "config/schema.hpp"
#include "dataplane/control/findings.hpp"
#include "dataplane/control/preflight.hpp"
#include "dataplane/io/live_eal.hpp"
#include "dataplane/io/print.hpp"
#include "dataplane/io/process.hpp"
#include "dataplane/live_commands.hpp"
#include "dataplane/replay.hpp"

namespace peerlane::dataplane {
namespace {

constexpr int kFailed = 1;

int check(const std::string& file, bool with_preflight) {
    const auto loaded = config::load(file, {.live = with_preflight});
    std::cerr << to_text(loaded.findings);
    if (!loaded.ok()) { return kFailed; }
    std::size_t circuits = 0;
    std::size_t peerings = 0;
    for (const auto& customer : loaded.model.customers) {
        circuits += customer.circuits.size();
        for (const auto& circuit : customer.circuits) { peerings += circuit.peerings.size(); }
    }
    print(fmt::format("{}: valid: {} ports, {} customers, {} circuits, {} peerings\n", file, loaded.model.ports.size(),
                      loaded.model.customers.size(), circuits, peerings));
    if (!with_preflight) {
        const auto failure = state_dir_fault(loaded.model);
        if (failure) { std::cerr << file << ": error: " << failure->what() << '\n'; }
        return failure ? kFailed : 0;
    }
    const auto needs = preflight(loaded.model, allowed_cores());
    print(to_text(needs));
    const bool missing =
        std::any_of(needs.begin(), needs.end(), [](const Need& need) { return need.state == Need::State::missing; });
    return missing ? kFailed : 0;
}

ReplayInput parse_input(const std::string& text) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
        throw CLI::ValidationError("--in", "`" + text + "` is not PORT=FILE.pcap");
    }
    return {text.substr(0, equals), text.substr(equals + 1)};
}

void add_check(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("check", "validate a configuration; every error at once");
    auto file = std::make_shared<std::string>();
    command->add_option("--config", *file, "the configuration")->required();
    auto with_preflight = std::make_shared<bool>(false);
    command->add_flag("--preflight", *with_preflight, "also look at hugepages, devices, capabilities and directories");
    command->callback([file, with_preflight, &status] { status = check(*file, *with_preflight); });
}

void add_replay(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("replay", "run captures through the edge; no privilege, no device");
    auto options = std::make_shared<ReplayOptions>();
    auto inputs = std::make_shared<std::vector<std::string>>();
    command->add_option("--config", options->config, "the configuration")->required();
    command->add_option("--in", *inputs, "PORT=FILE.pcap, once for each input")->required();
    command->add_option("--out-dir", options->out_dir, "where PORT.pcap is written for every port")->required();
    command->add_option("--json", options->json, "write all counters to this file; - for standard output");
    command->callback([options, inputs, &status] {
        for (const auto& input : *inputs) { options->inputs.push_back(parse_input(input)); }
        status = replay(*options);
    });
}

void add_documents(CLI::App& app) {
    app.add_subcommand("schema", "print the JSON Schema of the configuration")->callback([] {
        print(config::json_schema());
    });
    app.add_subcommand("reference", "print the reference page of the configuration")->callback([] {
        print(config::reference_markdown());
    });
}

/// CLI11 itself would only say that a command is missing.
void refuse_unknown_command(const CLI::App& app, int count, char** arguments) {
    if (count < 2 || arguments[1][0] == '-') { return; }
    std::string known;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == arguments[1]) { return; }
        known += (known.empty() ? "" : ", ") + command->get_name();
    }
    throw std::runtime_error("there is no command `" + std::string(arguments[1]) + "`, only " + known);
}

}  // namespace
}  // namespace peerlane::dataplane

int main(int count, char** arguments) {
    peerlane::dataplane::keep_memory_private();
    CLI::App app("peerlane: the edge of a private-connectivity service", "peerlane");
    app.require_subcommand(1);
    app.set_version_flag("--version", "peerlane " PEERLANE_VERSION);
    int status = 0;
    peerlane::dataplane::add_check(app, status);
    peerlane::dataplane::add_replay(app, status);
    peerlane::dataplane::add_live_commands(app, status);
    peerlane::dataplane::add_documents(app);
    try {
        peerlane::dataplane::refuse_unknown_command(app, count, arguments);
        app.parse(count, arguments);
    } catch (const CLI::ParseError& error) { status = app.exit(error); } catch (const std::exception& error) {
        std::cerr << "peerlane: " << error.what() << '\n';
        return peerlane::dataplane::kFailed;
    }
    // What CLI11 printed: --help, --version.
    if (std::cout.flush()) { return status; }
    std::cerr << "peerlane: standard output cannot be written\n";
    return peerlane::dataplane::kFailed;
}
