// One measuring point's two sides over the same buffers.
#pragma once

#include <rte_mempool.h>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/pipeline/run.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/state.hpp"
#include "perf/pipeline/far_end.hpp"
#include "perf/pipeline/floor_tables.hpp"
#include "perf/pipeline/scenario.hpp"

namespace peerlane::perf {

/// Starts DPDK. Without hugetlb pages the buffers lie in ordinary memory that the kernel is asked to make of huge pages
/// (madvise), as the product's own tables do.
void start_memory(bool hugetlb);
/// `count` buffers, in an order that no hardware prefetcher can follow; they are never given back.
std::vector<rte_mbuf*> make_buffers(unsigned count, bool hugetlb);

/// The product for one edge.
struct Product {
    explicit Product(const FloorSpec& spec);

    dataplane::State state{1};
    std::unique_ptr<dataplane::Snapshot> snapshot;
    std::unique_ptr<dataplane::Worker> worker;
    std::vector<std::uint32_t> tunnel;         // state slots in the order of FloorSpec::circuits
    std::vector<std::uint32_t> circuit;        // likewise
    std::vector<std::uint32_t> sa_out, sa_in;  // likewise, where tunnels are sealed
};

/// Frames in buffers. A pass over them takes the next images, so that passes differ as traffic does.
class Buffers {
  public:
    Buffers(std::vector<rte_mbuf*> mbufs, const Images& images, const FloorSpec& spec, Direction direction);

    /// Every buffer holds a frame as received; the images begin at number `first` (modulo their count). What comes
    /// sealed is sealed anew, for this side.
    void restore(std::size_t first, Side side) noexcept;
    /// Fills what lies behind the images, once.
    void fill_payloads() noexcept;
    [[nodiscard]] const std::vector<rte_mbuf*>& mbufs() const noexcept { return mbufs_; }
    [[nodiscard]] std::size_t bursts() const noexcept { return mbufs_.size() / dataplane::kBurst; }

  private:
    std::vector<rte_mbuf*> mbufs_;
    const Images& images_;
    std::unique_ptr<FarEnd> far_end_;  // of what comes sealed
};

inline constexpr Nanoseconds kBurstTime = 5'000;  // at 100 Gb/s a burst of 32 longest packets takes 4.3 µs

/// One pass of each side over all buffers; `now` advances by kBurstTime a burst.
void product_pass(Product& product, const Buffers& buffers, Direction direction, Nanoseconds& now);
void floor_pass(Floor& floor, const Buffers& buffers, Direction direction, Nanoseconds& now);

}  // namespace peerlane::perf
