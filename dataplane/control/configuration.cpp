#include "dataplane/control/configuration.hpp"

#include <stdexcept>

#include "config/load.hpp"
#include "dataplane/tables/compile.hpp"

namespace peerlane::dataplane {
namespace {

using config::Finding;

/// The settings of the edge and the ports are all that later models are compared with.
config::Model without_customers(const config::Model& model) {
    return {model.edge, model.ports, {}, model.files};
}

}  // namespace

Configuration::Configuration(std::filesystem::path file, const config::Model& first, State& state,
                             Publication& publication, std::vector<Mac> device_macs, Clock clock)
    : file_(std::move(file)),
      model_(without_customers(first)),
      state_(state),
      publication_(publication),
      device_macs_(std::move(device_macs)),
      clock_(std::move(clock)) {
    snapshot_ = compiled(first);
    publication_.publish(*snapshot_);
    commit();
}

Applied Configuration::reload() {
    auto loaded = config::load(file_, {.live = true});
    if (!loaded.ok()) { return {false, std::move(loaded.findings)}; }
    const auto fixed = needs_restart(model_, loaded.model);
    loaded.findings.insert(loaded.findings.end(), fixed.begin(), fixed.end());
    if (!fixed.empty()) { return {false, std::move(loaded.findings)}; }
    std::unique_ptr<const Snapshot> next;
    try {
        next = compiled(loaded.model);
    } catch (const std::exception& error) {
        loaded.findings.push_back({Finding::Severity::error, file_.string() + ":1:1", error.what(),
                                   "let several edges share these customers, or reload without what goes, then with "
                                   "what comes"});
        return {false, std::move(loaded.findings)};
    }
    publication_.publish(*next);
    keep_departed(*snapshot_, *next, state_);
    snapshot_ = std::move(next);  // nobody reads the one before any more
    commit();
    model_ = without_customers(loaded.model);
    return {true, std::move(loaded.findings)};
}

std::unique_ptr<Snapshot> Configuration::compiled(const config::Model& model) {
    return compile(model, state_, snapshot_.get(), {device_macs_, clock_()});
}

void Configuration::commit() {
    for (auto* slots : {&state_.circuits, &state_.peerings, &state_.tunnels}) { slots->commit(); }
}

}  // namespace peerlane::dataplane
