// Between workers and control: packets for the edge itself and packets that wait one way; those that go on, and frames
// that control makes, the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/io/shared_ring.hpp"
#include "dataplane/pipeline/note.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Packets on their way to control, and to one worker; powers of two. What does not fit is dropped by name.
inline constexpr unsigned kToControl = 1024;
inline constexpr unsigned kFromControl = 1024;

/// Places of these rings that only what neighbours need may take: to control, the messages of known next hops; from it,
/// the edge's own questions.
inline constexpr unsigned kToControlReserve = 256;
inline constexpr unsigned kFromControlReserve = 512;

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
    SharedRing* out = nullptr;
    SharedRing* in = nullptr;
    Doorbell* bell = nullptr;
    HoldPlaces* held = nullptr;
    std::uint32_t taps = 0;  // bit by port: local delivery takes more than ARP and neighbour discovery
};

class LocalRings {
  public:
    /// Throws Failure.
    explicit LocalRings(unsigned workers);

    [[nodiscard]] SharedRing& to_control() noexcept { return to_control_; }
    [[nodiscard]] SharedRing& from_control(unsigned worker) noexcept { return *from_control_[worker]; }
    [[nodiscard]] HoldPlaces& held() noexcept { return held_; }
    [[nodiscard]] Doorbell& bell() noexcept { return bell_; }
    [[nodiscard]] LocalWay way(unsigned worker, std::uint32_t taps) noexcept {
        return {&to_control_, from_control_[worker].get(), &bell_, &held_, taps};
    }

  private:
    Doorbell bell_;
    SharedRing to_control_{"to_control", kToControl};
    std::vector<std::unique_ptr<SharedRing>> from_control_;
    HoldPlaces held_{kMostHeld};
};

/// After transmit_all(), before finish_all(): gives control what was punted or has to wait. What it does not take ends
/// by name.
void give_to_control(Worker& worker, const LocalWay& way) noexcept;

/// What came from control, in runs that are alike.
struct FromControl {
    rte_mbuf* waiting[kBurst];
    std::uint32_t first = 0, end = 0;

    /// A run into `burst.mbuf`; returns how many. `like` is the note of the first.
    std::uint32_t take(SharedRing* ring, Burst& burst, Note& like) noexcept;
};

}  // namespace peerlane::dataplane
