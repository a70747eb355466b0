// TCP maximum segment size clamping (RFC 9293 §3.7.1, RFC 6691).
#pragma once

#include <cstdint>

#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane {

/// Lowers the MSS option of a SYN so that its segments fit `mtu`, an IP packet's length in octets. `segment` ..
/// `segment + length` is the TCP segment, `ip_header` the fixed IP header before it (20 or 40: the MSS excludes IP and
/// TCP options, RFC 6691 §2). The TCP checksum is updated, not recomputed: a wrong one stays wrong. Malformed options
/// are left alone. True if the packet was changed.
bool clamp_mss(std::uint8_t* segment, unsigned length, unsigned ip_header, unsigned mtu) noexcept;

}  // namespace peerlane
