// Between workers and control: packets for the edge itself and packets that wait one way; those that go on, and frames
// that control makes, the other.
#pragma once

#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/pipeline/note.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Packets on their way to control, and to one worker; powers of two. What does not fit is dropped by name.
inline constexpr unsigned kToControl = 1024;
inline constexpr unsigned kFromControl = 512;

/// Packets that wait with control for their next hops, all together.
inline constexpr unsigned kMostHeld = 1024;

/// Wakes control, which sleeps while it has nothing to do: one system call for as much as comes until it sleeps again.
class Doorbell {
  public:
    /// Throws Failure.
    Doorbell();
    ~Doorbell();
    Doorbell(const Doorbell&) = delete;
    Doorbell& operator=(const Doorbell&) = delete;

    /// Workers, after they have put something into the ring.
    void ring() noexcept {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (asleep_.load(std::memory_order_relaxed) && asleep_.exchange(false)) { wake(); }
    }
    /// Control, before it looks into the ring for the last time and sleeps.
    void sleeping() noexcept { asleep_.store(true, std::memory_order_seq_cst); }
    /// Control, awake again.
    void awake() noexcept;
    /// What to wait for.
    [[nodiscard]] int file() const noexcept { return file_; }

  private:
    void wake() const noexcept;

    std::atomic<bool> asleep_{false};
    int file_;
};

/// A worker's ends. Without `out` it has nobody to give anything to.
struct LocalWay {
    rte_ring* out = nullptr;
    rte_ring* in = nullptr;
    Doorbell* bell = nullptr;
    std::uint32_t taps = 0;  // bit by port: local delivery takes more than ARP and neighbour discovery
};

class LocalRings {
  public:
    /// Throws Failure.
    explicit LocalRings(unsigned workers);
    ~LocalRings();
    LocalRings(const LocalRings&) = delete;
    LocalRings& operator=(const LocalRings&) = delete;

    [[nodiscard]] rte_ring* to_control() const noexcept { return to_control_; }
    [[nodiscard]] rte_ring* from_control(unsigned worker) const noexcept { return from_control_[worker]; }
    [[nodiscard]] Doorbell& bell() noexcept { return bell_; }
    [[nodiscard]] LocalWay way(unsigned worker, std::uint32_t taps) noexcept {
        return {to_control_, from_control_[worker], &bell_, taps};
    }

  private:
    Doorbell bell_;
    rte_ring* to_control_ = nullptr;
    std::vector<rte_ring*> from_control_;
};

/// After transmit_all(), before finish_all(): gives control what was punted or has to wait. What it does not take ends
/// by name.
void give_to_control(Worker& worker, const LocalWay& way) noexcept;

/// What came from control, in runs that are alike.
struct FromControl {
    rte_mbuf* waiting[kBurst];
    std::uint32_t first = 0, end = 0;

    /// A run into `burst.mbuf`; returns how many. `like` is the note of the first.
    std::uint32_t take(rte_ring* ring, Burst& burst, Note& like) noexcept;
};

}  // namespace peerlane::dataplane
