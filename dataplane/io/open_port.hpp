// One port: its device found, configured, started, and closed again.
#pragma once

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/io/device.hpp"
#include "dataplane/io/interface.hpp"
#include "dataplane/io/offloads.hpp"
#include "dataplane/io/steering.hpp"
#include "dataplane/io/transmit.hpp"
#include "lib/base/address.hpp"

namespace peerlane::dataplane {

inline constexpr std::uint16_t kDescriptors = 512;  // per queue; few enough for the buffers in use to stay in the cache
inline constexpr std::uint16_t kMaxPlainQueues = 16;  // more without RSS is a driver's limit, not what the device has

struct PortSetup {
    std::string name;
    Device device;
    std::uint16_t mtu = 1500;  // largest IP packet, octets
    unsigned tags = 0;         // 802.1Q tags in front of it; 0: a core port
    std::optional<Mac> mac;    // unset: the device's
    bool steering = true;      // net_af_xdp: only the edge's own frames
};

struct Port {
    PortSetup setup;
    bool open = true;                      // there is a device
    std::uint16_t device = 0;              // DPDK's number of it, for control
    std::unique_ptr<DeviceNumber> number;  // the same for the workers, to receive
    std::unique_ptr<DeviceLink> way_out;   // and to send
    std::string driver;
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    Offloads offloads;
    Mac mac;
    bool promiscuous = false;
    std::uint64_t connection = 0;  // to the server of a device that connects_once(): is_connected(); 0: none
    unsigned interface = 0;        // the kernel's index of the interface a virtual device uses; 0: none
    std::string interface_name;    // by which it would come back
    steer::File membership;        // keeps the interface listening
    steer::File taken;             // keeps other edges off it
    rte_mempool* pool = nullptr;
    std::vector<int> xdp_sockets;                           // net_af_xdp: the driver's, one for each queue
    std::vector<std::unique_ptr<rte_spinlock_t>> tx_locks;  // by transmit queue, where workers share queues
    std::unique_ptr<PortSteering> steering;                 // null: every frame is the edge's
};

/// Finds the device (makes it, if virtual) and decides on queues and offloads. Throws Failure.
Port open_port(const PortSetup& setup, unsigned workers);

/// Configures and starts it, with `port.pool`. From here on workers may use it. Throws Failure.
void start_port(Port& port, std::uint8_t index);

/// Stops and closes the device; a virtual one ceases to be. No worker uses it any more.
void close_port(Port& port) noexcept;

/// What workers may send by it: nothing without a link, else frames of up to `longest` bytes (as LimitedDevice); 0:
/// any.
void let_out(const Port& port, bool up, unsigned longest) noexcept;

/// Opens a port again that was closed, as it was: queues, pool, MAC. Throws Failure, and is closed then.
void reopen_port(Port& port, unsigned workers, std::uint8_t index);

}  // namespace peerlane::dataplane
