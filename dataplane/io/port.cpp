#include "dataplane/io/port.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>

#include "dataplane/io/eal.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/handover.hpp"
#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::uint16_t kDescriptors = 512;    // per queue; few enough for the buffers in use to stay in the cache
constexpr unsigned kPoolCache = 256;           // buffers a worker keeps for itself
constexpr std::uint16_t kMaxPlainQueues = 16;  // more without RSS is a driver's limit, not what the device has

std::string where(const PortSetup& setup) {
    return "port " + setup.name;
}

std::string reason(int error) {
    return rte_strerror(error < 0 ? -error : error);
}

/// Probes a virtual device, with `more` arguments; a PCI device was probed when EAL started.
std::uint16_t find_device(const PortSetup& setup, const std::string& more) {
    const auto& device = setup.device;
    const int error = device.is_virtual ? rte_dev_probe((device.arguments + more).c_str()) : 0;
    std::uint16_t id = 0;
    if (error == 0 && rte_eth_dev_get_port_by_name(device.name.c_str(), &id) == 0) { return id; }
    if (device.is_virtual) {
        throw Failure(where(setup), "device `" + device.arguments + "` does not start: " + reason(error),
                      "see DPDK's message above: the driver's name and options, a file or interface that does not "
                      "exist, or a missing privilege (CAP_NET_RAW for net_af_packet, CAP_NET_ADMIN for net_tap)");
    }
    throw Failure(
        where(setup), "DPDK finds no device `" + device.arguments + "`",
        "check the address with `dpdk-devbind.py --status`, and bind the device to vfio-pci (Mellanox devices "
        "keep their own driver)");
}

/// RSS spreads over as many queues as there are workers. Without it, what the device has is given: some drivers
/// (net_af_packet with qpairs=) fill every queue they have.
std::uint16_t receive_queues(const rte_eth_dev_info& info, unsigned workers) {
    if (info.flow_type_rss_offloads != 0) {
        return static_cast<std::uint16_t>(std::min<unsigned>(workers, std::max<std::uint16_t>(info.max_rx_queues, 1)));
    }
    return info.max_rx_queues <= kMaxPlainQueues ? std::max<std::uint16_t>(info.max_rx_queues, 1) : std::uint16_t{1};
}

Port open_port(const PortSetup& setup, unsigned workers) {
    Port port;
    port.setup = setup;
    if (const auto interface = steered_interface(setup.device.arguments, setup.steering)) {
        port.steering = std::make_unique<PortSteering>(where(setup), *interface, setup.tags != 0);
    }
    port.device = find_device(setup, port.steering ? port.steering->arguments() : std::string());
    rte_eth_dev_info info{};
    if (const int error = rte_eth_dev_info_get(port.device, &info); error != 0) {
        throw Failure(where(setup), "the device does not say what it can do: " + reason(error),
                      "see DPDK's message above");
    }
    port.driver = info.driver_name;
    port.rx_queues = receive_queues(info, workers);
    port.tx_queues =
        static_cast<std::uint16_t>(std::min<unsigned>(workers, std::max<std::uint16_t>(info.max_tx_queues, 1)));
    if (port.tx_queues < workers) {
        for (unsigned i = 0; i < port.tx_queues; ++i) {
            port.tx_locks.push_back(std::make_unique<rte_spinlock_t>());
            rte_spinlock_init(port.tx_locks.back().get());
        }
    }
    return port;
}

/// A buffer may wait in its own port's receive rings, in any port's transmit rings, in a worker's cache or burst, or
/// before another worker; or with control, on the way there and back, or waiting for a neighbour.
unsigned buffers(unsigned rx_queues, unsigned tx_queues, unsigned workers) {
    const unsigned handed = workers > 1 ? workers * kHandoverRoom : 0;
    const unsigned local = kToControl + workers * kFromControl + kMostHeld + kPoolCache * 3 / 2;
    return handed + local + (rx_queues + tx_queues) * kDescriptors +
           workers * (kPoolCache * 3 / 2 + kBurst * (kExtraPieces + 2));
}

std::uint16_t device_mtu(const PortSetup& setup, const rte_eth_dev_info& info) {
    const unsigned wanted = setup.mtu + setup.tags * 4U;
    return static_cast<std::uint16_t>(info.max_mtu == 0 ? wanted : std::min<unsigned>(wanted, info.max_mtu));
}

void configure(const Port& port, const rte_eth_dev_info& info) {
    rte_eth_conf conf{};
    conf.rxmode.mtu = device_mtu(port.setup, info);
    if (port.rx_queues > 1 && info.flow_type_rss_offloads != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf =
            info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP);
    }
    int error = rte_eth_dev_configure(port.device, port.rx_queues, port.tx_queues, &conf);
    if (error == -EINVAL) {  // drivers that state a frame size their own default MTU exceeds
        conf.rxmode.mtu = 0;
        error = rte_eth_dev_configure(port.device, port.rx_queues, port.tx_queues, &conf);
    }
    if (error != 0) {
        throw Failure(where(port.setup),
                      fmt::format("{} takes no {} receive and {} transmit queues: {}", port.driver, port.rx_queues,
                                  port.tx_queues, reason(error)),
                      "give the device the queues (net_af_packet: qpairs=N), or set edge.workers lower");
    }
}

void set_mtu(const Port& port, const rte_eth_dev_info& info) {
    const auto wanted = device_mtu(port.setup, info);
    const int error = rte_eth_dev_set_mtu(port.device, wanted);
    if (error != 0 && error != -ENOTSUP) {
        log("port {}: {} does not take an MTU of {} ({}); larger frames than it takes are lost", port.setup.name,
            port.driver, wanted, reason(error));
    }
}

void set_queues(const Port& port) {
    std::uint16_t rx = kDescriptors;
    std::uint16_t tx = kDescriptors;
    int error = rte_eth_dev_adjust_nb_rx_tx_desc(port.device, &rx, &tx);
    const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(port.device));
    for (std::uint16_t queue = 0; error == 0 && queue < port.rx_queues; ++queue) {
        error = rte_eth_rx_queue_setup(port.device, queue, rx, socket, nullptr, port.pool);
    }
    for (std::uint16_t queue = 0; error == 0 && queue < port.tx_queues; ++queue) {
        error = rte_eth_tx_queue_setup(port.device, queue, tx, socket, nullptr);
    }
    if (error != 0) {
        throw Failure(where(port.setup), fmt::format("{}: the queues cannot be set up: {}", port.driver, reason(error)),
                      port.steering
                          ? "see DPDK's message above; set `steering: false` for the port, or use net_af_packet"
                          : "see DPDK's message above");
    }
}

/// The MAC of the configuration; where the device cannot take it, it has to receive everything. A virtual device may
/// have none at all.
void set_mac(Port& port, std::uint8_t index) {
    rte_ether_addr own{};
    rte_eth_macaddr_get(port.device, &own);
    std::memcpy(port.mac.octets.data(), own.addr_bytes, 6);
    const bool none = rte_is_zero_ether_addr(&own) != 0;
    if (!port.setup.mac && !none) { return; }
    const Mac wanted = port.setup.mac.value_or(Mac{{2, 0, 0, 0, 0, index}});
    if (wanted.octets == port.mac.octets) { return; }
    std::memcpy(own.addr_bytes, wanted.octets.data(), 6);
    port.mac = wanted;
    port.promiscuous = rte_eth_dev_default_mac_addr_set(port.device, &own) != 0;
}

void start(Port& port, std::uint8_t index) {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port.device, &info);
    configure(port, info);
    set_mtu(port, info);
    set_queues(port);
    if (port.steering) { port.steering->take_over(); }
    if (const int error = rte_eth_dev_start(port.device); error != 0) {
        throw Failure(where(port.setup), fmt::format("{} does not start: {}", port.driver, reason(error)),
                      "see DPDK's message above");
    }
    set_mac(port, index);
    if (port.steering) { return port.steering->receive(port.promiscuous); }
    // Refusals of these are no loss: such drivers receive everything anyway.
    static_cast<void>(port.promiscuous ? rte_eth_promiscuous_enable(port.device)
                                       : rte_eth_promiscuous_disable(port.device));
    rte_eth_allmulticast_enable(port.device);  // neighbour discovery
}

}  // namespace

Ports::Ports(const std::vector<PortSetup>& setups, unsigned workers) : workers_(workers) {
    try {
        unsigned tx_queues = 0;
        for (const auto& setup : setups) {
            ports_.push_back(open_port(setup, workers));
            tx_queues += ports_.back().tx_queues;
        }
        for (std::size_t i = 0; i < ports_.size(); ++i) {
            Port& port = ports_[i];
            port.pool = make_pool("port" + std::to_string(i), buffers(port.rx_queues, tx_queues, workers),
                                  port.setup.mtu, kPoolCache);
            start(port, static_cast<std::uint8_t>(i));
        }
    } catch (...) {
        close();
        throw;
    }
}

Ports::~Ports() {
    close();
}

void Ports::close() noexcept {
    for (Port& port : ports_) {
        port.steering.reset();  // before the driver takes off whatever program it finds
        rte_eth_dev_stop(port.device);
        rte_eth_dev_close(port.device);
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
            setup.inlets.push_back({port.device, static_cast<std::uint16_t>(queue), static_cast<std::uint8_t>(i)});
        }
        const unsigned queue = worker % port.tx_queues;
        setup.outlets.push_back({port.device, static_cast<std::uint16_t>(queue),
                                 port.tx_locks.empty() ? nullptr : port.tx_locks[queue].get()});
    }
    return setup;
}

LinkState Ports::link(const Port& port) noexcept {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(port.device, &link) != 0) { return {}; }
    const bool known = link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN && link.link_speed != RTE_ETH_SPEED_NUM_NONE;
    return {link.link_status == RTE_ETH_LINK_UP, known ? link.link_speed : 0};
}

std::size_t Ports::megabytes(const std::vector<PortSetup>& setups, unsigned workers) noexcept {
    constexpr std::size_t kBase = 64;       // EAL, drivers
    constexpr std::size_t kOverhead = 448;  // mbuf, mempool element header, headroom, tags
    std::size_t octets = 0;
    const auto queues = static_cast<unsigned>(setups.size()) * workers;
    for (const auto& setup : setups) {
        const std::size_t each = std::max<std::size_t>(setup.mtu, RTE_MBUF_DEFAULT_DATAROOM) + kOverhead;
        octets += each * buffers(std::max<unsigned>(workers, kMaxPlainQueues), queues, workers);
    }
    return kBase + octets / (std::size_t{1} << 20U) * 5 / 4;
}

}  // namespace peerlane::dataplane
