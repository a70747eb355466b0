// DPDK's environment and packet buffers.
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <string>
#include <vector>

namespace peerlane::dataplane {

/// Starts the environment abstraction layer with these arguments (without a program name), once per process. Throws
/// std::runtime_error with DPDK's reason.
void start_eal(const std::vector<std::string>& arguments);

/// Ordinary memory, `megabytes` of it, no PCI, no files left behind: enough for replay and tests, needs no privilege.
std::vector<std::string> private_memory(unsigned megabytes);

/// Buffers for packets of ports up to `mtu` (IP octets), headroom and tags included. Throws std::runtime_error.
rte_mempool* make_pool(const std::string& name, unsigned buffers, std::uint16_t mtu, unsigned cache = 256);

/// Packets are customers': a core dump holds none of the memory of `pool`.
void keep_out_of_dumps(rte_mempool& pool);

}  // namespace peerlane::dataplane
