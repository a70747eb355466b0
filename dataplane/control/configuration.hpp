// The configuration in force: the file, what it said last, the snapshot made of it, and how to put a new one in its
// place.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "config/model.hpp"
#include "dataplane/control/sa_upkeep.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/io/publication.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// What came of a reload. `findings` may hold warnings when it was applied.
struct Applied {
    bool ok = false;
    std::vector<config::Finding> findings;
};

/// Control thread.
class Configuration {
  public:
    using Clock = std::function<Nanoseconds()>;

    /// Compiles `first`, which was loaded from `file` without errors, and publishes it. `device_macs` as for compile().
    /// `state` and `publication` outlive this. Throws std::length_error when the edge is larger than the state can
    /// hold, Failure when sequence numbers cannot be kept. The `steered` ports get what is the edge's before it is
    /// published, and lose what is not behind it.
    Configuration(std::filesystem::path file, const config::Model& first, State& state, Publication& publication,
                  SaUpkeep& upkeep, std::vector<Mac> device_macs, Clock clock, const Ports* steered = nullptr);

    /// Reads the file again. All or nothing: with an error in it everything stays as it is, and the findings say all
    /// that is wrong. Buckets and counters of what stays are kept, and no packet is lost.
    Applied reload();

    [[nodiscard]] const Snapshot& snapshot() const noexcept { return *snapshot_; }
    [[nodiscard]] Nanoseconds now() const { return clock_(); }

  private:
    std::unique_ptr<Snapshot> compiled(const config::Model& model);

    std::filesystem::path file_;
    config::Model model_;  // without customers
    State& state_;
    Publication& publication_;
    SaUpkeep& upkeep_;
    std::vector<Mac> device_macs_;
    Clock clock_;
    const Ports* steered_;
    std::unique_ptr<const Snapshot> snapshot_;
};

/// What differs between the two that only a restart can change: ports but for their addresses, gateways and TPID;
/// workers, cores, idle, socket, state_dir.
std::vector<config::Finding> needs_restart(const config::Model& running, const config::Model& wanted);

}  // namespace peerlane::dataplane
