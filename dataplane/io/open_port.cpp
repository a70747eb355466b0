#include "dataplane/io/open_port.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/io/device_needs.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/interface_lock.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/io/socket_device.hpp"

namespace peerlane::dataplane {
namespace {

std::string where(const PortSetup& setup) {
    return "port " + setup.name;
}

std::string reason(int error) {
    return rte_strerror(error < 0 ? -error : error);
}

/// What a driver would choose otherwise. A net_af_packet that goes past the queueing discipline keeps what it cannot
/// send while its cable is out, and sends it, old, when that is back: behind what went by the other link of a pair
/// meanwhile.
std::string choices(const Device& device) {
    const bool packet = device.is_virtual && device.name.starts_with("net_af_packet");
    return packet && !device.arguments.contains(",qdisc_bypass=") ? ",qdisc_bypass=0" : "";
}

/// Takes the interface for this edge, unless it has it. One that somebody without rights holds on to is used all the
/// same.
void take(Port& port, unsigned interface, const std::string& name) {
    if (interface == 0 || port.taken) { return; }
    port.taken = take_interface(interface);
    if (port.taken) { return; }
    const auto holder = holder_of(interface).value_or(InterfaceHolder{});
    if (holder.trusted) { throw Failure(where(port.setup), say_holder(name, holder), kHolderRemedy); }
    log("port {}: process {} of another user keeps the name by which edges know that interface {} is in use",
        port.setup.name, holder.process, name);
}

/// Probes a virtual device, with `more` arguments; a PCI device was probed when EAL started.
std::uint16_t find_device(const PortSetup& setup, const std::string& more) {
    const auto& device = setup.device;
    if (const auto obstacle = device_obstacle(device, where(setup))) { throw Failure(*obstacle); }
    clear_dead_socket(device);
    const int error = device.is_virtual ? rte_dev_probe((device.arguments + more).c_str()) : 0;
    std::uint16_t id = 0;
    if (error == 0 && rte_eth_dev_get_port_by_name(device.name.c_str(), &id) == 0) { return id; }
    if (device.is_virtual) {
        throw Failure(where(setup), "device `" + device.arguments + "` does not start: " + reason(error),
                      "see DPDK's message above: the driver's options, or a missing privilege (CAP_NET_RAW and "
                      "CAP_NET_ADMIN for net_af_packet, CAP_NET_ADMIN "
                      "for net_tap)");
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

/// One for each worker where the device has so many. memif's rings are matched by number with those of the other side;
/// where that has fewer, DPDK 22.11 writes into a ring that goes the other way, so there is only one, which every peer
/// has.
std::uint16_t transmit_queues(const rte_eth_dev_info& info, unsigned workers) {
    if (std::string_view(info.driver_name) == "net_memif") { return 1; }
    return static_cast<std::uint16_t>(std::min<unsigned>(workers, std::max<std::uint16_t>(info.max_tx_queues, 1)));
}

std::uint16_t device_mtu(const PortSetup& setup, const rte_eth_dev_info& info) {
    const unsigned wanted = setup.mtu + setup.tags * 4U;
    return static_cast<std::uint16_t>(info.max_mtu == 0 ? wanted : std::min<unsigned>(wanted, info.max_mtu));
}

/// What the device is configured with: 0, its own default, where frames of that MTU are longer than it says it takes.
/// DPDK would refuse it, and say so in a line that looks like a fault (ethdev: eth_dev_validate_mtu()).
std::uint16_t configured_mtu(const PortSetup& setup, const rte_eth_dev_info& info) {
    constexpr unsigned kEthernet = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
    const bool says = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
    const unsigned around = says ? info.max_rx_pktlen - info.max_mtu : kEthernet;
    const auto mtu = device_mtu(setup, info);
    return mtu + around <= info.max_rx_pktlen ? mtu : std::uint16_t{0};
}

rte_eth_conf configuration(const Port& port, std::uint16_t mtu) {
    rte_eth_conf conf{};
    conf.rxmode.mtu = mtu;
    if (port.offloads.checksums) { conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM; }
    if (port.offloads.strip) { conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP; }
    if (port.offloads.rss != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = port.offloads.rss;
    }
    return conf;
}

void configure(Port& port, const rte_eth_dev_info& info) {
    const auto attempt = [&](std::uint16_t mtu) {
        const auto conf = configuration(port, mtu);
        return rte_eth_dev_configure(port.device, port.rx_queues, port.tx_queues, &conf);
    };
    // There are drivers that state a frame size their own default MTU exceeds, and such that hash no inner headers in
    // spite of what they say.
    int error = attempt(configured_mtu(port.setup, info));
    if (error == -EINVAL) { error = attempt(0); }
    if (error != 0 && (port.offloads.rss & RTE_ETH_RSS_LEVEL_MASK) != 0) {
        spread_by_outer(port.offloads);
        error = attempt(configured_mtu(port.setup, info));
    }
    if (error != 0) {
        throw Failure(where(port.setup),
                      fmt::format("{} takes no {} receive and {} transmit queues: {}", port.driver, port.rx_queues,
                                  port.tx_queues, reason(error)),
                      "give the device the queues (net_af_packet: qpairs=N), or set edge.workers lower");
    }
}

/// An interface of the system is not made smaller than it is: others may use it too. Its MTU is set here, as some
/// drivers refuse any but the usual one, whatever the interface takes.
void set_mtu(const Port& port, const rte_eth_dev_info& info) {
    const unsigned needed = port.setup.mtu + port.setup.tags * 4U;
    const auto wanted = device_mtu(port.setup, info);
    if (port.interface != 0 &&
        (look_at_interface(port.interface_name).mtu >= needed || set_mtu_of_interface(port.interface_name, needed))) {
        return;
    }
    int error = configured_mtu(port.setup, info) != 0 ? rte_eth_dev_set_mtu(port.device, wanted)
                : port.interface != 0                 ? -EMSGSIZE
                                                      : -ENOTSUP;
    if (error == 0 && wanted < needed) { error = -EMSGSIZE; }
    if (error == 0 || error == -ENOTSUP) { return; }
    log("port {}: {} does not take an MTU of {} ({}); larger frames than it takes are lost", port.setup.name,
        port.driver, needed, reason(error));
    if (port.interface != 0) {
        log("port {}: without CAP_NET_ADMIN the interface needs its MTU beforehand: ip link set {} mtu {}",
            port.setup.name, port.interface_name, needed);
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

}  // namespace

Port open_port(const PortSetup& setup, unsigned workers) {
    Port port;
    port.setup = setup;
    const auto named = device_argument(setup.device, "iface");
    if (const auto there = look_at_interface(named).index; there != 0) { take(port, there, named); }
    if (const auto interface = steered_interface(setup.device.arguments, setup.steering)) {
        port.steering = std::make_unique<PortSteering>(where(setup), *interface, setup.tags != 0);
    }
    const NewConnection connection(setup.device);
    port.device = find_device(setup, port.steering ? port.steering->arguments() : choices(setup.device));
    port.connection = connection.find();
    rte_eth_dev_info info{};
    if (const int error = rte_eth_dev_info_get(port.device, &info); error != 0) {
        throw Failure(where(setup), "the device does not say what it can do: " + reason(error),
                      "see DPDK's message above");
    }
    port.driver = info.driver_name;
    if (setup.device.is_virtual && info.if_index != 0) {
        port.interface = info.if_index;
        port.interface_name = interface_name(info.if_index);
        take(port, port.interface, port.interface_name);
    }
    port.rx_queues = receive_queues(info, workers);
    port.tx_queues = transmit_queues(info, workers);
    port.offloads = choose_offloads(info, port.driver, setup.tags == 0, port.rx_queues);
    port.number = std::make_unique<DeviceNumber>(kNoDevice);
    port.way_out = std::make_unique<DeviceLink>();
    if (port.tx_queues < workers) {
        for (unsigned i = 0; i < port.tx_queues; ++i) {
            port.tx_locks.push_back(std::make_unique<rte_spinlock_t>());
            rte_spinlock_init(port.tx_locks.back().get());
        }
    }
    return port;
}

void start_port(Port& port, std::uint8_t index) {
    rte_eth_dev_info info{};
    rte_eth_dev_info_get(port.device, &info);
    configure(port, info);
    refuse_offloads(port.setup.device);
    set_mtu(port, info);
    const auto sockets_before = steer::own_xdp_sockets();
    set_queues(port);
    port.xdp_sockets = steer::own_xdp_sockets();
    std::erase_if(port.xdp_sockets,
                  [&](int one) { return std::ranges::find(sockets_before, one) != sockets_before.end(); });
    if (port.steering) { port.steering->take_over(port.xdp_sockets); }
    const NewConnection connection(port.setup.device);
    if (const int error = rte_eth_dev_start(port.device); error != 0) {
        throw Failure(where(port.setup), fmt::format("{} does not start: {}", port.driver, reason(error)),
                      "see DPDK's message above");
    }
    if (const auto made = connection.find(); made != 0) { port.connection = made; }
    set_mac(port, index);
    // Neighbour discovery goes to groups. Refusals are no loss: such drivers receive everything anyway.
    if (port.steering) {
        port.steering->receive(port.promiscuous);
    } else if (port.interface != 0) {
        port.membership = listen_to_groups(port.interface, port.promiscuous);
    }
    if (!port.steering && !port.membership) {
        static_cast<void>(port.promiscuous ? rte_eth_promiscuous_enable(port.device)
                                           : rte_eth_promiscuous_disable(port.device));
        rte_eth_allmulticast_enable(port.device);
    }
    port.number->store(port.device, std::memory_order_release);
    let_out(port, true, 0);  // until PortWatch has looked at the link
}

void close_port(Port& port) noexcept {
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(port.device, &info) == 0;
    port.open = false;
    port.connection = 0;
    port.xdp_sockets.clear();
    let_out(port, false, 0);
    port.number->store(kNoDevice, std::memory_order_release);
    port.steering.reset();  // before the driver takes off whatever program it finds
    if (is_memif(port.setup.device) || connects_once(port.setup.device)) {
        close_on_its_thread(port.device);
    } else {
        rte_eth_dev_stop(port.device);
        rte_eth_dev_close(port.device);
    }
    if (known && port.setup.device.is_virtual) { rte_dev_remove(info.device); }
    port.membership.reset();
    port.taken.reset();
}

void let_out(const Port& port, bool up, unsigned longest) noexcept {
    const bool out = up && port.open;
    const auto set = [](auto& word, auto value) {  // workers read it all the time, and it seldom changes
        if (word.load(std::memory_order_relaxed) != value) { word.store(value, std::memory_order_release); }
    };
    const auto limit = longest == 0 ? 0xffffU : std::min(longest, 0xffffU);
    set(port.way_out->limited, out ? std::uint32_t{port.device} << 16U | limit : 0U);
    set(port.way_out->device, out && longest == 0 ? port.device : kNoDevice);
}

void reopen_port(Port& port, unsigned workers, std::uint8_t index) {
    auto setup = port.setup;
    setup.mac = port.mac;  // it stands in the headers, and neighbours know it
    Port again = open_port(setup, workers);
    again.number.swap(port.number);
    again.way_out.swap(port.way_out);
    again.pool = port.pool;
    try {
        if (again.rx_queues != port.rx_queues || again.tx_queues != port.tx_queues) {
            throw Failure(where(setup), "the device has come back with other queues", "restart the edge");
        }
        start_port(again, index);
    } catch (...) {
        close_port(again);
        again.number.swap(port.number);
        again.way_out.swap(port.way_out);
        throw;
    }
    again.tx_locks.swap(port.tx_locks);  // workers have their addresses
    again.setup.mac = port.setup.mac;
    port = std::move(again);
}

}  // namespace peerlane::dataplane
