// Ports: DPDK devices opened, given queues and buffers, started, and closed again.
#pragma once

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/io/device.hpp"
#include "dataplane/io/steering.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "lib/base/address.hpp"

namespace peerlane::dataplane {

struct PortSetup {
    std::string name;
    Device device;
    std::uint16_t mtu = 1500;  // largest IP packet, octets
    unsigned tags = 0;         // 802.1Q tags in front of it
    std::optional<Mac> mac;    // unset: the device's
    bool steering = true;      // net_af_xdp: only the edge's own frames
};

struct Port {
    PortSetup setup;
    std::uint16_t device = 0;  // DPDK's number
    std::string driver;
    std::uint16_t rx_queues = 1;
    std::uint16_t tx_queues = 1;
    Mac mac;
    bool promiscuous = false;
    rte_mempool* pool = nullptr;
    std::vector<std::unique_ptr<rte_spinlock_t>> tx_locks;  // by transmit queue, where workers share queues
    std::unique_ptr<PortSteering> steering;                 // null: every frame is the edge's
};

struct LinkState {
    bool up = false;
    std::uint32_t megabits = 0;  // 0: not known
};

/// All ports of one edge, in the order of the configuration. Control thread.
class Ports {
  public:
    /// Opens and starts them. EAL has been started; PCI devices were named to it. Throws Failure.
    Ports(const std::vector<PortSetup>& setups, unsigned workers);
    ~Ports();
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;
    Ports(Ports&&) = delete;
    Ports& operator=(Ports&&) = delete;

    [[nodiscard]] const std::vector<Port>& all() const noexcept { return ports_; }
    /// Buffers for what the edge makes itself: those of the port with the largest MTU.
    [[nodiscard]] rte_mempool* largest_pool() const noexcept;
    [[nodiscard]] WorkerSetup worker_setup(unsigned worker, bool sleeps) const;
    [[nodiscard]] static LinkState link(const Port& port) noexcept;

    /// What the buffers of such ports take at most, in megabytes: EAL wants to know before there is a port.
    [[nodiscard]] static std::size_t megabytes(const std::vector<PortSetup>& setups, unsigned workers) noexcept;

  private:
    void close() noexcept;

    std::vector<Port> ports_;
    unsigned workers_;
};

}  // namespace peerlane::dataplane
