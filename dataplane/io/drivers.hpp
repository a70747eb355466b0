// Which DPDK drivers a process loads: those of its devices, not the two hundred that are installed.
#pragma once

#include <string>
#include <vector>

#include "dataplane/io/device.hpp"

namespace peerlane::dataplane {

/// EAL arguments (-d FILE) for the mempool driver and the drivers of `devices`. A virtual device names its driver
/// (net_af_xdp0: librte_net_af_xdp.so); one on a bus does not, so that all drivers of buses and network devices are
/// loaded. A driver that is not installed is left out: its device is refused later. `directory` is DPDK's own.
std::vector<std::string> driver_arguments(const std::vector<Device>& devices, const std::string& directory);
std::vector<std::string> driver_arguments(const std::vector<Device>& devices);

}  // namespace peerlane::dataplane
