// What the kernel counts of AF_XDP sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace peerlane::steer {

/// linux/if_xdp.h: struct xdp_statistics. Those that say that something was lost come first (docs/counters.md).
inline constexpr std::array<std::string_view, 6> kXdpCounts{
    "rx_dropped",   "rx_invalid_descs",         "tx_invalid_descs",
    "rx_ring_full", "rx_fill_ring_empty_descs", "tx_ring_empty_descs"};
inline constexpr std::size_t kXdpLosses = 5;

using XdpStatistics = std::array<std::uint64_t, kXdpCounts.size()>;  // in the order of kXdpCounts

/// Sums over the sockets, from when they were opened. One system call for each: getsockopt(XDP_STATISTICS).
XdpStatistics xdp_statistics(std::span<const int> sockets);

}  // namespace peerlane::steer
