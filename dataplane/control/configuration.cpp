#include "dataplane/control/configuration.hpp"

#include <stdexcept>
#include <utility>

#include "config/load.hpp"
#include "dataplane/tables/compile.hpp"
#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::dataplane {
namespace {

using config::Finding;

/// The settings of the edge and the ports are all that later models are compared with.
config::Model without_customers(const config::Model& model) {
    return {model.edge, model.ports, {}, model.files, {}};
}

}  // namespace

Configuration::Configuration(std::filesystem::path file, const config::Model& first, State& state,
                             Publication& publication, SaUpkeep& upkeep, std::vector<Mac> device_macs, Clock clock,
                             Steered steered)
    : file_(std::move(file)),
      model_(without_customers(first)),
      state_(state),
      publication_(publication),
      upkeep_(upkeep),
      device_macs_(std::move(device_macs)),
      clock_(std::move(clock)),
      steered_(std::move(steered)) {
    snapshot_ = ready(first);
    publication_.publish(*snapshot_);
    upkeep_.published(nullptr, *snapshot_);
    state_.commit();
}

Applied Configuration::reload() {
    upkeep_.reserve_ahead(*snapshot_);
    auto loaded = config::load(file_, {.live = true});
    if (!loaded.ok()) { return {false, std::move(loaded.findings)}; }
    const auto fixed = needs_restart(model_, loaded.model);
    loaded.findings.insert(loaded.findings.end(), fixed.begin(), fixed.end());
    if (!fixed.empty()) { return {false, std::move(loaded.findings)}; }
    const auto refuse = [&](std::string what, std::string remedy) {
        steered_.dismiss(*snapshot_);
        loaded.findings.push_back(
            {Finding::Severity::error, file_.string() + ":1:1", std::move(what), std::move(remedy)});
        return Applied{false, std::move(loaded.findings)};
    };
    std::unique_ptr<const Snapshot> next;
    try {
        next = ready(loaded.model);
    } catch (const Failure& failure) {
        return refuse(failure.problem, failure.remedy);
    } catch (const std::length_error& error) {
        return refuse(error.what(),
                      "let several edges share these customers, or reload without what goes, then with what comes");
    } catch (const std::exception& error) {
        return refuse(error.what(), "this is the edge's fault: please report it, with the configuration");
    }
    publication_.publish(*next);
    const auto before = std::exchange(snapshot_, std::move(next));  // nobody reads it any more
    ++generation_;
    steered_.dismiss(*snapshot_);
    keep_departed(*before, *snapshot_, state_);
    upkeep_.published(before.get(), *snapshot_);
    state_.commit();
    model_ = without_customers(loaded.model);
    return {true, std::move(loaded.findings)};
}

/// All that may refuse, until there is nothing left to do but to publish.
std::unique_ptr<const Snapshot> Configuration::ready(const config::Model& model) {
    auto next = compiled(model);
    steered_.admit(*next);
    upkeep_.prepare(*next);
    return next;
}

std::unique_ptr<Snapshot> Configuration::compiled(const config::Model& model) {
    upkeep_.open(model);
    try {
        return compile(model, state_, snapshot_.get(), {device_macs_, clock_()});
    } catch (const ipsec::LockedMemoryError& error) {
        throw Failure("keys", error.what(), "LimitMEMLOCK=infinity in the unit file, or ulimit -l unlimited");
    }
}

}  // namespace peerlane::dataplane
