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

void must_equal(std::uint64_t product, std::uint64_t floor, const char* what, std::size_t index) {
    if (product == floor) { return; }
    throw std::runtime_error(fmt::format("pipeline and floor differ: {} {}: {} and {}", what, index, product, floor));
}

void compare_counters(const Product& product, const Floor& floor, Direction direction, std::uint64_t packets) {
    const auto& state = product.state;
    const auto& worker = *state.workers[0];
    const unsigned side = direction == Direction::to_cloud ? 0 : 1;
    const auto& port = worker.ports[side];
    must_equal(port.received, floor.ports[side].received, "received", side);
    must_equal(port.sent, floor.ports[side].sent, "sent", side);
    must_equal(port.sent, port.received, "sent and received", side);
    must_equal(port.dropped + port.punted + port.held, floor.ports[side].dropped, "dropped", side);
    std::uint64_t tallied = 0;
    for (std::size_t i = 0; i < product.tunnel.size(); ++i) {
        const auto& tally = worker.tallies[dataplane::tally::tunnel(product.tunnel[i], Link::primary, direction)];
        const bool out = direction == Direction::to_cloud;
        const auto& tunnel = floor.tunnels[i + 1];
        const auto& back = floor.tallies_customer[i + 1];
        must_equal(tally.packets, out ? tunnel.packets : back.packets, "packets of tunnel", i);
        must_equal(tally.bytes, out ? tunnel.bytes : back.bytes, "bytes of tunnel", i);
        tallied += tally.packets;
        const auto cell = dataplane::circuit_cell(product.circuit[i], Link::primary, direction);
        const auto& bucket = state.circuit_buckets[cell].bucket;
        const auto& circuit = out ? floor.to_cloud[i + 1] : floor.to_customer[i + 1];
        must_equal(bucket.level, circuit.level, "level of circuit", i);
        must_equal(bucket.at, circuit.at, "time of circuit", i);
    }
    must_equal(tallied, port.sent, "sum of tunnels", 0);
    if (packets > port.sent) { throw std::runtime_error("not every packet was sent"); }
}

struct Sent {
    std::uint16_t offset, length;
    std::uint32_t packet_length;
    std::uint8_t port;
    std::vector<std::uint8_t> frame;
    bool operator==(const Sent&) const = default;
};
Sent sent_of(const rte_mbuf& mbuf, std::uint8_t port) {
    const auto* frame = rte_pktmbuf_mtod(&mbuf, const std::uint8_t*);
    return {mbuf.data_off, mbuf.data_len, mbuf.pkt_len, port, {frame, frame + mbuf.data_len}};
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
    snapshot = dataplane::compile(loaded.model, state, nullptr, {});
    worker = std::make_unique<dataplane::Worker>(state, *state.workers[0], nullptr, table::best_kernels(),
                                                 dataplane::kFixedIvSeed);
    worker->snapshot = snapshot.get();
    for (const auto& one : snapshot->names.tunnels) { tunnel.push_back(one.slot); }
    for (const auto& one : snapshot->names.circuits) { circuit.push_back(one.slot); }
}

void Buffers::restore(std::size_t first) noexcept {
    const auto count = images_.image.size();
    const auto length = static_cast<std::uint16_t>(images_.frame_octets);
    auto at = first % count;
    for (auto* mbuf : mbufs_) {
        mbuf->data_off = RTE_PKTMBUF_HEADROOM;
        mbuf->data_len = length;
        mbuf->pkt_len = length;
        std::memcpy(rte_pktmbuf_mtod(mbuf, void*), &images_.image[at], sizeof(Image));
        at = at + 1 == count ? 0 : at + 1;
    }
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

void verify(Product& product, Floor& floor, Buffers& buffers, Direction direction, const Images& images) {
    const auto& mbufs = buffers.mbufs();
    auto& worker = *product.worker;
    const std::uint8_t port = direction == Direction::to_cloud ? 0 : 1;
    const auto one = direction == Direction::to_cloud ? floor_to_cloud : floor_to_customer;
    Nanoseconds now = 1'000'000;
    std::uint64_t packets = 0;
    std::vector<Sent> sent(mbufs.size());
    buffers.fill_payloads();
    for (std::size_t first = 0; first < images.image.size(); first += mbufs.size()) {
        const auto start = now;
        buffers.restore(first);
        for (std::size_t n = 0; n < mbufs.size(); n += dataplane::kBurst, now += kBurstTime) {
            std::memcpy(worker.burst.mbuf, mbufs.data() + n, sizeof(worker.burst.mbuf));
            dataplane::run(worker, port, now, dataplane::kBurst);
            for (std::size_t k = 0; k < dataplane::kBurst; ++k) {
                if (worker.burst.fate[k] != dataplane::Fate::sent) {
                    throw std::runtime_error(fmt::format("the pipeline did not send packet {}: fate {}", first + n + k,
                                                         static_cast<unsigned>(worker.burst.fate[k])));
                }
                sent[n + k] = sent_of(*mbufs[n + k], worker.burst.out_port[k]);
            }
            dataplane::finish_all(worker);
        }
        buffers.restore(first);
        now = start;
        for (std::size_t n = 0; n < mbufs.size(); n += dataplane::kBurst, now += kBurstTime) {
            std::uint8_t ports[dataplane::kBurst];
            one(floor, mbufs.data() + n, dataplane::kBurst, now, ports);
            for (std::size_t k = 0; k < dataplane::kBurst; ++k) {
                if (sent[n + k] == sent_of(*mbufs[n + k], ports[k])) { continue; }
                throw std::runtime_error(fmt::format("pipeline and floor differ in packet {}", first + n + k));
            }
        }
        packets += mbufs.size();
    }
    compare_counters(product, floor, direction, packets);
}

}  // namespace peerlane::perf
