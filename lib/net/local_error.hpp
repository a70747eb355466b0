// What an address of the edge owes to whoever sends it something that the edge has no use for.
#pragma once

#include <optional>

#include "lib/net/headers.hpp"
#include "lib/net/icmp.hpp"

namespace peerlane {

/// The error of a node that speaks ICMP only: UDP finds no open port (RFC 1122 §3.2.2.1, RFC 4443 §3.1), every other
/// protocol is unknown (RFC 1122 §3.2.2.1, RFC 4443 §3.4). Nothing for ICMP itself, a fragment, UDP with a wrong
/// checksum, what is behind IPv6 extension headers, and whatever icmp_may_answer() forbids. `packet` is `length` bytes
/// from a verified IP header on.
std::optional<IcmpError> local_error(const Ipv4& packet, unsigned length) noexcept;
std::optional<IcmpError> local_error(const Ipv6& packet, unsigned length) noexcept;

/// Bytes from the IPv6 header to the next header field that such an error points at.
inline constexpr std::uint32_t kNextHeaderField = 6;

}  // namespace peerlane
