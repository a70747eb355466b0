#include "perf/pipeline/bench.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "config/load.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::perf {
namespace {

constexpr unsigned kRoom = 2176;
constexpr std::uint8_t kPayload = 0x5a;

/// A pool on memory of our own, so that it may be asked to be of huge pages.
rte_mempool* pool_on_huge_pages(unsigned count) {
    // Without the flag DPDK keeps each buffer within a page of 4 KiB, and so all of them in the same cache sets.
    auto* pool = rte_mempool_create_empty("perf", count, sizeof(rte_mbuf) + kRoom, 0, sizeof(rte_pktmbuf_pool_private),
                                          SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (pool == nullptr) { throw std::runtime_error(rte_strerror(rte_errno)); }
    rte_pktmbuf_pool_private facts{};
    facts.mbuf_data_room_size = kRoom;
    rte_pktmbuf_pool_init(pool, &facts);
    const std::size_t page = std::size_t{2} << 20U;
    const auto bytes = (std::size_t{count} * 2560 + page) / page * page;
    static std::vector<std::unique_ptr<void, decltype(&std::free)>> kept;  // the pools use it to the end
    void* memory = kept.emplace_back(std::aligned_alloc(page, bytes), &std::free).get();
    if (memory == nullptr) { throw std::bad_alloc(); }
    madvise(memory, bytes, MADV_HUGEPAGE);
    const int populated =
        rte_mempool_populate_iova(pool, static_cast<char*>(memory), RTE_BAD_IOVA, bytes, nullptr, nullptr);
    if (populated != static_cast<int>(count)) {
        throw std::runtime_error(fmt::format("the memory holds {} of {} buffers", populated, count));
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

}  // namespace

void start_memory(bool hugetlb) {
    auto arguments = dataplane::private_memory(64);
    if (hugetlb) { arguments = {"--no-pci", "--no-telemetry", "--in-memory", "--log-level=4", "--lcores=0"}; }
    dataplane::start_eal(arguments);
}

std::vector<rte_mbuf*> make_buffers(unsigned count, bool hugetlb) {
    auto* pool =
        hugetlb ? rte_pktmbuf_pool_create("perf", count, 0, 0, kRoom, SOCKET_ID_ANY) : pool_on_huge_pages(count);
    if (pool == nullptr) { throw std::runtime_error(rte_strerror(rte_errno)); }
    std::vector<rte_mbuf*> mbufs(count);
    if (rte_pktmbuf_alloc_bulk(pool, mbufs.data(), count) != 0) { throw std::runtime_error("too few buffers"); }
    std::shuffle(mbufs.begin(), mbufs.end(), std::mt19937_64(1));
    return mbufs;
}

Product::Product(const FloorSpec& spec) {
    const auto loaded = config::load_text(configuration_text(spec), "perf.yaml");
    for (const auto& finding : loaded.findings) {
        if (finding.severity == config::Finding::Severity::error) {
            throw std::runtime_error(finding.where + ": " + finding.what);
        }
    }
    ipsec::allow_unlocked();
    snapshot = dataplane::compile(loaded.model, state, nullptr, {});
    dataplane::set_limits(*snapshot, state, 0, false);
    worker = std::make_unique<dataplane::Worker>(state, *state.workers[0], nullptr, table::best_kernels(),
                                                 dataplane::kFixedIvSeed);
    worker->snapshot = snapshot.get();
    for (const auto& one : snapshot->names.tunnels) { tunnel.push_back(one.slot); }
    for (const auto& one : snapshot->names.circuits) { circuit.push_back(one.slot); }
    for (const auto& plan : snapshot->sas) {
        auto& slots = plan.key.outbound ? sa_out : sa_in;
        slots.resize(tunnel.size());
        slots[plan.name] = plan.slot;
    }
}

Buffers::Buffers(std::vector<rte_mbuf*> mbufs, const Images& images, const FloorSpec& spec, Direction direction)
    : mbufs_(std::move(mbufs)), images_(images) {
    if (spec.suite && direction == Direction::to_customer) { far_end_ = std::make_unique<FarEnd>(spec); }
}

void Buffers::restore(std::size_t first, Side side) noexcept {
    const auto count = images_.image.size();
    auto at = first % count;
    for (auto* mbuf : mbufs_) {
        if (far_end_ != nullptr) {
            far_end_->put(*mbuf, images_, at, side);
        } else {
            mbuf->data_off = RTE_PKTMBUF_HEADROOM;
            mbuf->data_len = images_.frame_octets[at];
            mbuf->pkt_len = images_.frame_octets[at];
            std::memcpy(rte_pktmbuf_mtod(mbuf, void*), &images_.image[at], sizeof(Image));
        }
        at = at + 1 == count ? 0 : at + 1;
    }
    if (far_end_ != nullptr) { far_end_->flush(); }
}

void Buffers::fill_payloads() noexcept {
    for (auto* mbuf : mbufs_) { std::memset(mbuf->buf_addr, kPayload, mbuf->buf_len); }
}

void product_pass(Product& product, const Buffers& buffers, Direction direction, Nanoseconds& now) {
    auto& worker = *product.worker;
    const auto* mbufs = buffers.mbufs().data();
    const std::uint8_t port = direction == Direction::to_cloud ? 0 : 1;
    for (std::size_t n = 0; n < buffers.bursts(); ++n) {
        std::memcpy(worker.burst.mbuf, mbufs + n * dataplane::kBurst, sizeof(worker.burst.mbuf));
        dataplane::run(worker, port, now, dataplane::kBurst);
        dataplane::finish_all(worker);
        now += kBurstTime;
    }
}

void floor_pass(Floor& floor, const Buffers& buffers, Direction direction, Nanoseconds& now) {
    const auto* mbufs = buffers.mbufs().data();
    std::uint8_t ports[dataplane::kBurst];
    const auto one = direction == Direction::to_cloud ? floor_to_cloud : floor_to_customer;
    for (std::size_t n = 0; n < buffers.bursts(); ++n) {
        one(floor, mbufs + n * dataplane::kBurst, dataplane::kBurst, now, ports);
        now += kBurstTime;
    }
}

}  // namespace peerlane::perf
