// Ports: DPDK devices opened, given queues and buffers, started, and closed again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/io/open_port.hpp"
#include "dataplane/io/worker_loop.hpp"

namespace peerlane::dataplane {

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
    /// As the driver says; some say that it is up whatever it is (PortWatch knows better).
    [[nodiscard]] static LinkState link(const Port& port) noexcept;

    // A port out of the workers' hands and back again, in these steps. Between take() and close() all workers have to
    // be quiet once.
    [[nodiscard]] static bool is_open(const Port& port) noexcept { return port.number->load() != kNoDevice; }
    void take(std::size_t index) noexcept {
        let_out(index, false, 0);
        ports_[index].number->store(kNoDevice);
    }
    void let_out(std::size_t index, bool up, unsigned longest) noexcept {
        dataplane::let_out(ports_[index], up, longest);
    }
    void close(std::size_t index) noexcept { close_port(ports_[index]); }
    /// Throws Failure; then it is still closed.
    void reopen(std::size_t index) { reopen_port(ports_[index], workers_, static_cast<std::uint8_t>(index)); }

    /// What the buffers of such ports take at most, in megabytes: EAL wants to know before there is a port.
    [[nodiscard]] static std::size_t megabytes(const std::vector<PortSetup>& setups, unsigned workers) noexcept;

  private:
    void close_all() noexcept;

    std::vector<Port> ports_;
    unsigned workers_;
};

}  // namespace peerlane::dataplane
