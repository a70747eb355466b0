// The configuration in force: the file, what it said last, the snapshot made of it, and how to put a new one in its
// place.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "config/model.hpp"
#include "dataplane/control/sa_upkeep.hpp"
#include "dataplane/io/publication.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// What came of a reload. `findings` may hold warnings when it was applied.
struct Applied {
    bool ok = false;
    std::vector<config::Finding> findings;
};

/// What hands frames to the edge, and leaves others to the system (io/steering.hpp), where a port is steered.
struct Steered {
    /// What is the edge's by `next` is handed to it too. Throws Failure.
    std::function<void(const Snapshot& next)> admit = [](const Snapshot&) {};
    /// Nothing is handed to it any more but what is the edge's by `now`.
    std::function<void(const Snapshot& now)> dismiss = [](const Snapshot&) {};
};

/// Control thread.
class Configuration {
  public:
    using Clock = std::function<Nanoseconds()>;

    /// Compiles `first`, which was loaded from `file` without errors, and publishes it. `device_macs` as for compile().
    /// `state` and `publication` outlive this. Throws std::length_error when the edge is larger than the state can
    /// hold, Failure when sequence numbers cannot be kept or frames not be steered.
    Configuration(std::filesystem::path file, const config::Model& first, State& state, Publication& publication,
                  SaUpkeep& upkeep, std::vector<Mac> device_macs, Clock clock, Steered steered = {});

    /// Reads the file again. All or nothing: with an error in it everything stays as it is, and the findings say all
    /// that is wrong. Buckets and counters of what stays are kept, and no packet is lost.
    ///
    /// Where it may be refused, in this order, and what is left behind then: reading; what needs a restart; the state
    /// directory; compiling (slots are free again, State); steering (dismissed); sequence numbers on disk, which come
    /// last, as only numbers that are used are worth reserving. From there on nothing refuses.
    Applied reload();

    [[nodiscard]] const Snapshot& snapshot() const noexcept { return *snapshot_; }
    /// Counts what has been published: what was made of an earlier snapshot no longer holds.
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }
    [[nodiscard]] Nanoseconds now() const { return clock_(); }

  private:
    std::unique_ptr<Snapshot> compiled(const config::Model& model);
    std::unique_ptr<const Snapshot> ready(const config::Model& model);

    std::filesystem::path file_;
    config::Model model_;  // without customers
    State& state_;
    Publication& publication_;
    SaUpkeep& upkeep_;
    std::vector<Mac> device_macs_;
    Clock clock_;
    Steered steered_;
    std::unique_ptr<const Snapshot> snapshot_;
    std::uint64_t generation_ = 0;
};

/// What differs between the two that only a restart can change: ports but for their addresses, gateways and TPID;
/// workers, cores, idle, socket, state_dir.
std::vector<config::Finding> needs_restart(const config::Model& running, const config::Model& wanted);

}  // namespace peerlane::dataplane
