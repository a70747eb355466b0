// One run of an edge, from its start to its orderly end or its crash: the control thread's pieces and the workers,
// without threads. A target says whose turn it is.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "dataplane/control/configuration.hpp"
#include "dataplane/control/local.hpp"
#include "tests/fuzz/team.hpp"

namespace peerlane::fuzz {

class Life {
  public:
    /// Starts with what `file` says. Throws dataplane::Failure. `now` is read, never less than before.
    Life(const std::filesystem::path& file, unsigned workers, const Nanoseconds& now);

    /// One worker until it has nothing to do.
    void poll(unsigned worker) { team_.poll(worker, now_); }
    /// The control thread's turn.
    void serve();
    /// Reads the file again. While the snapshots change `between` is called with the number of a worker that has just
    /// taken up the new one: first `first`, which then works beside those that have not.
    dataplane::Applied reload(unsigned first, const std::function<void(unsigned worker)>& between);
    /// As the edge ends when it is told to; without it a life ends with a crash.
    void end();

    /// visit(buffer) for what waits in the hands of workers, not in rings.
    void each_waiting(const std::function<void(rte_mbuf*)>& visit) const { team_.each_waiting(visit); }
    [[nodiscard]] unsigned workers() const noexcept { return team_.size(); }
    [[nodiscard]] const dataplane::Snapshot* taken_up(unsigned worker) const { return team_[worker].snapshot; }
    [[nodiscard]] const dataplane::Snapshot& snapshot() const { return configuration_.snapshot(); }
    [[nodiscard]] const dataplane::LocalDelivery& local() const noexcept { return local_; }

    dataplane::State state;

  private:
    void adopt(unsigned worker);

    const Nanoseconds& now_;
    dataplane::Publication publication_;
    dataplane::SaUpkeep upkeep_;
    dataplane::LocalDelivery local_;
    dataplane::Configuration configuration_;
    Team team_;
};

}  // namespace peerlane::fuzz
