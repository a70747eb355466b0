// The wires of an edge under test: DPDK's ring ports, one queue for each worker, with the target at the other ends; the
// rings between workers and to control; packet buffers that are counted. One for the process, since DPDK's names are
// for ever.
#pragma once

#include <rte_mempool.h>
#include <rte_ring.h>

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/io/handover.hpp"
#include "dataplane/io/local_rings.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "tests/fuzz/family.hpp"

namespace peerlane::fuzz {

inline constexpr unsigned kWorkers = 2;

class Wires {
  public:
    static Wires& get();

    /// A frame that waits in a worker's receive queue. False: no buffer, or no room in the queue.
    bool feed(unsigned port, unsigned worker, std::span<const std::uint8_t> frame);
    /// What a worker sent, in order of ports.
    void take(unsigned worker, const std::function<void(unsigned port, std::span<const std::uint8_t> frame)>& visit);
    /// The device behind a port comes and goes.
    void plug(unsigned port, bool in) noexcept;
    /// While it lasts there is no buffer to be had.
    void starve();
    void feed_again();

    /// Everybody of `workers`; the setup of worker `index`.
    [[nodiscard]] dataplane::WorkerSetup setup(unsigned index, unsigned workers);
    /// visit(buffer) for all that waits in receive queues and between workers.
    void each_waiting(const std::function<void(rte_mbuf*)>& visit);
    /// Frees what is in any ring, and makes new ones between workers and to control. Every buffer must be back then.
    void drain();

    rte_mempool* pool = nullptr;
    // Of one life.
    std::optional<dataplane::HandoverRings> handover;
    std::optional<dataplane::LocalRings> local;

  private:
    Wires();
    struct Wire {
        std::array<rte_ring*, kWorkers> in{}, out{};
        std::uint16_t device = 0;
        dataplane::DeviceNumber number{dataplane::kNoDevice};
    };
    std::array<Wire, kPorts> wires_;
    std::vector<rte_mbuf*> starved_;
};

/// A clock that stands at `now`.
dataplane::TscClock clock_at(Nanoseconds now) noexcept;

}  // namespace peerlane::fuzz
