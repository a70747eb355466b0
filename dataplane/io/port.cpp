#include "dataplane/io/port.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "dataplane/io/eal.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/handover.hpp"
#include "dataplane/io/local_rings.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/io/page_pool.hpp"
#include "lib/steer/needs.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kPoolCache = 256;  // buffers a worker keeps for itself

/// A buffer may wait in its own port's receive rings, in any port's transmit rings, in a worker's cache or burst, or
/// before another worker; or with control, on the way there and back, or waiting for a neighbour.
unsigned buffers(unsigned rx_queues, unsigned tx_queues, unsigned workers) {
    const unsigned handed = workers > 1 ? workers * kHandoverRoom : 0;
    const unsigned local = kToControl + workers * kFromControl + kMostHeld + kPoolCache * 3 / 2;
    return handed + local + (rx_queues + tx_queues) * kDescriptors +
           workers * (kPoolCache * 3 / 2 + kBurst * (kExtraPieces + 2));
}

bool is_xdp(const PortSetup& setup) {
    return setup.device.is_virtual && setup.device.name.starts_with("net_af_xdp");
}

/// DPDK's net_af_xdp fills a ring of 2048 buffers for each receive queue, whatever is asked for, and leaves up to as
/// many that were sent where the kernel gives them back.
unsigned xdp_buffers(unsigned queues) {
    constexpr unsigned kRing = 2048;
    return queues * 2 * kRing;
}

/// The most receive queues that a port can have, before its device is known.
unsigned most_queues(const PortSetup& setup, unsigned workers) {
    const auto at = setup.device.arguments.find(",queue_count=");
    if (!is_xdp(setup)) { return std::max<unsigned>(workers, kMaxPlainQueues); }
    if (at == std::string::npos) { return 1; }
    const auto* const number = setup.device.arguments.c_str() + at + std::strlen(",queue_count=");
    return static_cast<unsigned>(std::clamp<unsigned long>(std::strtoul(number, nullptr, 10), 1, kMaxPlainQueues));
}

/// The longest packet that buffers are made for. net_af_packet refuses buffers smaller than the frames of its ring.
std::uint16_t longest(const PortSetup& setup) {
    const std::string& device = setup.device.arguments;
    const auto at = device.find(",framesz=");
    if (!device.starts_with("net_af_packet") || at == std::string::npos) { return setup.mtu; }
    const auto frame = std::strtoul(device.c_str() + at + std::strlen(",framesz="), nullptr, 10);
    return static_cast<std::uint16_t>(std::clamp<unsigned long>(frame, setup.mtu, 16'384));
}

rte_mempool* make_pool_of(const Port& port, std::size_t index, unsigned tx_queues, unsigned workers) {
    const auto name = "port" + std::to_string(index);
    const auto count = buffers(port.rx_queues, tx_queues, workers);
    if (!is_xdp(port.setup)) { return make_pool(name, count, longest(port.setup), kPoolCache); }
    try {
        return make_page_pool(name, count + xdp_buffers(port.rx_queues), kPoolCache);
    } catch (const std::exception& error) {
        throw Failure("port " + port.setup.name, error.what(),
                      "set vm.nr_hugepages right after the system has started, or use net_af_packet");
    }
}

/// What the interface does to frames before the edge sees them.
void warn_of_offloads(const Port& port) {
    if (port.driver != "net_af_packet" && port.driver != "net_af_xdp") { return; }
    for (const auto& problem : steer::offload_needs(port.interface_name)) {
        log("port {}: {}\n    {}", port.setup.name, problem.what, problem.remedy);
    }
}

}  // namespace

Ports::Ports(const std::vector<PortSetup>& setups, unsigned workers) : workers_(workers) {
    try {
        unsigned tx_queues = 0;
        for (const auto& setup : setups) {
            ports_.push_back(open_port(setup, workers));
            warn_of_offloads(ports_.back());
            tx_queues += ports_.back().tx_queues;
        }
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            Port& port = ports_[i];
            port.pool = make_pool_of(port, i, tx_queues, workers);
            start_port(port, static_cast<std::uint8_t>(i));
        }
    } catch (...) {
        close_all();
        throw;
    }
}

Ports::~Ports() {
    close_all();
}

void Ports::close_all() noexcept {
    for (Port& port : ports_) {
        if (port.open) { close_port(port); }
    }
    for (const Port& port : ports_) { rte_mempool_free(port.pool); }
    ports_.clear();
}

rte_mempool* Ports::largest_pool() const noexcept {
    return std::ranges::max_element(ports_, {}, [](const Port& port) { return port.setup.mtu; })->pool;
}

WorkerSetup Ports::worker_setup(unsigned worker, bool sleeps) const {
    WorkerSetup setup{.index = worker, .sleeps = sleeps};
    for (std::size_t i = 0; i < ports_.size(); ++i) {
        const Port& port = ports_[i];
        // One queue is polled by worker port % N; several go round from there.
        for (unsigned queue = 0; queue < port.rx_queues; ++queue) {
            if ((i + queue) % workers_ != worker) { continue; }
            setup.inlets.push_back({port.number.get(), static_cast<std::uint16_t>(queue), static_cast<std::uint8_t>(i),
                                    port.offloads.checksums, port.offloads.may_strip, port.offloads.unfinished});
        }
        const unsigned queue = worker % port.tx_queues;
        setup.outlets.push_back({&port.way_out->device, static_cast<std::uint16_t>(queue),
                                 port.tx_locks.empty() ? nullptr : port.tx_locks[queue].get(), &port.way_out->limited});
    }
    return setup;
}

LinkState Ports::link(const Port& port) noexcept {
    rte_eth_link link{};
    if (!port.open || rte_eth_link_get_nowait(port.device, &link) != 0) { return {}; }
    const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN && link.link_speed != RTE_ETH_SPEED_NUM_NONE;
    return {link.link_status == RTE_ETH_LINK_UP, known ? link.link_speed : 0};
}

std::size_t Ports::megabytes(const std::vector<PortSetup>& setups, unsigned workers) noexcept {
    constexpr std::size_t kBase = 64;       // EAL, drivers
    constexpr std::size_t kOverhead = 448;  // mbuf, mempool element header, headroom, tags
    std::size_t octets = 0;
    const auto queues = static_cast<unsigned>(setups.size()) * workers;
    for (const auto& setup : setups) {
        const std::size_t each = std::max<std::size_t>(longest(setup), RTE_MBUF_DEFAULT_DATAROOM) + kOverhead;
        const auto most = most_queues(setup, workers);
        const auto count = buffers(most, queues, workers) + (is_xdp(setup) ? xdp_buffers(most) : 0);
        // Without hugepages no buffer crosses a page.
        octets += std::max(each * 5 / 4, page_buffer_size()) * count;
    }
    return kBase + octets / (std::size_t{1} << 20U);
}

}  // namespace peerlane::dataplane
