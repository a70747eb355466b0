// IPv4 options that an echo reply carries back (RFC 791 §3.1, RFC 1122 §3.2.2.6).
#pragma once

#include <cstdint>

#include "lib/net/headers.hpp"

namespace peerlane {

/// Writes to `out` (40 bytes) the Record Route and Timestamp options of `request`, this node entered in each, and
/// returns their length, a multiple of 4. A full Record Route stays as it is; a full Timestamp counts one more node
/// that found no room. Other options are left out; source routes are not followed back (RFC 7126 §4.4 and §4.5), and
/// behind an option of a wrong length nothing is read. `own` is the address asked, host byte order; `time` is entered
/// as a time of no standard (the high bit set), milliseconds.
unsigned reply_options(const Ipv4& request, std::uint32_t own, std::uint32_t time, std::uint8_t* out) noexcept;

}  // namespace peerlane
