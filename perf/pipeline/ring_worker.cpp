#include "perf/pipeline/ring_worker.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <stdexcept>

#include "dataplane/io/clock.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "perf/micro/clock.hpp"
#include "perf/pipeline/measure.hpp"

namespace peerlane::perf {
namespace {

constexpr unsigned kPlaces = 16384;  // of a ring

/// A port that receives from one ring and sends into another.
struct RingPort {
    rte_ring* in;
    rte_ring* out;
    std::uint16_t device = 0;
    std::unique_ptr<dataplane::DeviceNumber> number;
};

rte_ring* make_ring(const std::string& name) {
    auto* ring = rte_ring_create(name.c_str(), kPlaces, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (ring == nullptr) { throw std::runtime_error("no ring: " + std::string(rte_strerror(rte_errno))); }
    return ring;
}

RingPort make_port(const std::string& name, rte_mempool* pool) {
    RingPort port{make_ring(name + "-in"), make_ring(name + "-out"), 0, nullptr};
    const int device = rte_eth_from_rings(name.c_str(), &port.in, 1, &port.out, 1, 0);
    if (device < 0) { throw std::runtime_error("no ring port"); }
    port.device = static_cast<std::uint16_t>(device);
    port.number = std::make_unique<dataplane::DeviceNumber>(port.device);
    const rte_eth_conf plain{};
    if (rte_eth_dev_configure(port.device, 1, 1, &plain) != 0 ||
        rte_eth_rx_queue_setup(port.device, 0, 512, 0, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port.device, 0, 512, 0, nullptr) != 0 || rte_eth_dev_start(port.device) != 0) {
        throw std::runtime_error("a ring port does not start");
    }
    return port;
}

}  // namespace

struct RingWorker::Parts {
    explicit Parts(Product& one) : product(one) {}
    Product& product;
    std::vector<RingPort> ports;  // access, core
    dataplane::TscClock clock = dataplane::calibrated_clock();
    dataplane::WorkerSetup setup;
};

RingWorker::RingWorker(Product& product, const std::vector<rte_mbuf*>& buffers)
    : parts_(std::make_unique<Parts>(product)) {
    static unsigned made = 0;  // a port's name is for ever
    ++made;
    for (const char* name : {"access", "core"}) {
        parts_->ports.push_back(make_port(fmt::format("{}{}", name, made), buffers[0]->pool));
    }
    for (std::uint8_t port = 0; port < 2; ++port) {
        parts_->setup.inlets.push_back({parts_->ports[port].number.get(), 0, port});
        parts_->setup.outlets.push_back({parts_->ports[port].number.get(), 0, nullptr});
    }
}

RingWorker::~RingWorker() {
    for (const auto& port : parts_->ports) {
        rte_eth_dev_stop(port.device);
        rte_eth_dev_close(port.device);
        rte_ring_free(port.in);
        rte_ring_free(port.out);
    }
}

double RingWorker::measure(Buffers& buffers, Direction direction, unsigned windows) {
    const auto& mbufs = buffers.mbufs();
    const bool to_cloud = direction == Direction::to_cloud;
    auto* in = parts_->ports[to_cloud ? 0 : 1].in;
    auto* out = parts_->ports[to_cloud ? 1 : 0].out;
    auto& worker = *parts_->product.worker;
    const auto count = static_cast<unsigned>(mbufs.size());
    std::vector<void*> packets(mbufs.begin(), mbufs.end());
    std::vector<void*> sent(count);
    std::vector<double> samples;
    for (unsigned window = 0; window < windows; ++window) {
        buffers.restore(std::size_t{window} * count, Side::pipeline);
        if (rte_ring_enqueue_bulk(in, packets.data(), count, nullptr) != count) {
            throw std::runtime_error(fmt::format("a ring holds at most {} packets", kPlaces - 1));
        }
        const auto start = cycles();
        while (dataplane::poll_inlets(worker, parts_->setup, parts_->clock) != 0) {}
        samples.push_back(static_cast<double>(cycles() - start) / count);
        if (rte_ring_dequeue_bulk(out, sent.data(), count, nullptr) != count) {
            throw std::runtime_error("the worker did not transmit every packet");
        }
    }
    return median(samples);
}

}  // namespace peerlane::perf
