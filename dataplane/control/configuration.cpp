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
    return {model.edge, model.ports, {}, model.files};
}

}  // namespace

Configuration::Configuration(std::filesystem::path file, const config::Model& first, State& state,
                             Publication& publication, SaUpkeep& upkeep, std::vector<Mac> device_macs, Clock clock,
                             const Ports* steered)
    : file_(std::move(file)),
      model_(without_customers(first)),
      state_(state),
      publication_(publication),
      upkeep_(upkeep),
      device_macs_(std::move(device_macs)),
      clock_(std::move(clock)),
      steered_(steered) {
    snapshot_ = compiled(first);
    upkeep_.prepare(*snapshot_);
    if (steered_ != nullptr) { admit(*steered_, *snapshot_); }
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
    std::unique_ptr<const Snapshot> next;
    try {
        next = compiled(loaded.model);
        upkeep_.prepare(*next);
        if (steered_ != nullptr) { admit(*steered_, *next); }
    } catch (const Failure& failure) {
        if (steered_ != nullptr) { dismiss(*steered_, *snapshot_); }
        loaded.findings.push_back({Finding::Severity::error, file_.string() + ":1:1", failure.problem, failure.remedy});
        return {false, std::move(loaded.findings)};
    } catch (const std::length_error& error) {
        loaded.findings.push_back({Finding::Severity::error, file_.string() + ":1:1", error.what(),
                                   "let several edges share these customers, or reload without what goes, then with "
                                   "what comes"});
        return {false, std::move(loaded.findings)};
    } catch (const std::exception& error) {
        loaded.findings.push_back({Finding::Severity::error, file_.string() + ":1:1", error.what(),
                                   "this is the edge's fault: please report it, with the configuration"});
        return {false, std::move(loaded.findings)};
    }
    publication_.publish(*next);
    const auto before = std::exchange(snapshot_, std::move(next));  // nobody reads it any more
    if (steered_ != nullptr) { dismiss(*steered_, *snapshot_); }
    keep_departed(*before, *snapshot_, state_);
    upkeep_.published(before.get(), *snapshot_);
    state_.commit();
    model_ = without_customers(loaded.model);
    return {true, std::move(loaded.findings)};
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
