// DPDK's environment for a running edge: its memory, its threads, its devices.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataplane/io/device.hpp"
#include "dataplane/io/memory_plan.hpp"
#include "dataplane/io/runtime_directory.hpp"

namespace peerlane::dataplane {

/// Worker i is EAL's lcore i + 1; lcore 0 is control, which sleeps.
constexpr unsigned worker_lcore(unsigned worker) noexcept {
    return worker + 1;
}

struct LiveSetup {
    MemoryPlan memory;
    std::vector<Device> devices;
    unsigned workers = 1;
    std::vector<unsigned> cores;  // worker i runs on cores[i]; empty: all workers on all cores allowed
};

/// The CPU cores this process may use.
std::vector<unsigned> allowed_cores();

/// What EAL is started with; `allowed` as from allowed_cores(). Throws Failure for a core that is not allowed.
std::vector<std::string> live_arguments(const LiveSetup& setup, const std::vector<unsigned>& allowed);

/// EAL while it lives; at the end nothing of it is left in the file system.
class Eal {
  public:
    /// Throws std::runtime_error.
    explicit Eal(const std::vector<std::string>& arguments);
    ~Eal();
    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;
    Eal(Eal&&) = delete;
    Eal& operator=(Eal&&) = delete;

  private:
    std::optional<RuntimeDirectory> directory_;
};

}  // namespace peerlane::dataplane
