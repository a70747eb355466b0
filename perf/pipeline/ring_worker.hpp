// A whole worker between two ports of rings: receive, run, transmit, count.
#pragma once

#include "perf/pipeline/bench.hpp"

namespace peerlane::perf {

/// The worker's own loop (dataplane/io/worker_loop.hpp) over rings that hold all buffers at once.
class RingWorker {
  public:
    RingWorker(Product& product, const std::vector<rte_mbuf*>& buffers);
    ~RingWorker();
    RingWorker(const RingWorker&) = delete;
    RingWorker& operator=(const RingWorker&) = delete;

    /// Median TSC cycles per packet over `windows` windows, each over all buffers. Throws std::runtime_error if a
    /// packet was not transmitted.
    double measure(Buffers& buffers, Direction direction, unsigned windows);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace peerlane::perf
