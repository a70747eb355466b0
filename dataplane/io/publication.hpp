// The one pointer by which a snapshot reaches the workers, and how control learns that the one before is no longer
// read.
#pragma once

#include <rte_rcu_qsbr.h>

#include <atomic>
#include <cstdlib>
#include <memory>

#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

class Publication {
  public:
    /// Throws std::bad_alloc.
    explicit Publication(unsigned workers);

    /// Control: makes `next` the snapshot and returns when no worker reads the one before any more and worker 0 has
    /// settled the buckets that changed. Sleeps while it waits.
    void publish(const Snapshot& next);

    /// Any thread but a worker: returns when every worker has been quiet, or away, since the call. Sleeps while it
    /// waits.
    void wait_for_quiet() const;

    /// Control: returns when worker 0 has joined and taken up the snapshot.
    void wait_for_workers() const;

    // Workers, each with its own number. Between join() and leave() what current() returned stays valid until the
    // worker's next quiet() or away().
    void join(unsigned worker) noexcept;
    void leave(unsigned worker) noexcept;
    [[nodiscard]] const Snapshot* current() const noexcept { return current_.load(std::memory_order_acquire); }
    void quiet(unsigned worker) noexcept { rte_rcu_qsbr_quiescent(readers_.get(), worker); }
    void away(unsigned worker) noexcept { rte_rcu_qsbr_thread_offline(readers_.get(), worker); }
    void back(unsigned worker) noexcept { rte_rcu_qsbr_thread_online(readers_.get(), worker); }
    /// Worker 0: the retunes of `snapshot` are done.
    void settled(const Snapshot* snapshot) noexcept { settled_.store(snapshot, std::memory_order_release); }

  private:
    struct Free {
        void operator()(rte_rcu_qsbr* memory) const noexcept { std::free(memory); }
    };
    std::unique_ptr<rte_rcu_qsbr, Free> readers_;
    // Read by every worker for every burst, written once per reload.
    alignas(64) std::atomic<const Snapshot*> current_{nullptr};
    std::atomic<const Snapshot*> settled_{nullptr};
    std::atomic<bool> settling_{false};  // worker 0 is there to settle
};

/// What arrived before the rate changed arrived at the old rate. Worker 0, once per snapshot, before its first burst.
void settle(const Snapshot& snapshot, State& state, Nanoseconds now) noexcept;

}  // namespace peerlane::dataplane
