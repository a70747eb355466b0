// IPv4 fragmentation (RFC 791 §3.2).
#pragma once

#include <cstdint>

#include "lib/net/headers.hpp"

namespace peerlane {

/// How one packet is cut: the first piece keeps the packet's own header, the later ones carry a shortened one.
struct FragmentPlan {
    unsigned pieces = 0;         // 1: it fits
    unsigned first_payload = 0;  // octets of payload in the first piece
    unsigned later_payload = 0;  // in each of the others but the last
    unsigned later_header = 0;   // octets: 20 and the options with the copied flag, padded
};

/// Plans the cut of a `length`-octet packet for `mtu` (at least 68).
FragmentPlan plan_fragments(const Ipv4& packet, unsigned length, unsigned mtu) noexcept;

/// Writes piece `index` (1 ..) whole to `out` and returns its length; `packet` is still the uncut original. DF is
/// cleared.
unsigned write_fragment(std::uint8_t* out, const Ipv4& packet, unsigned length, const FragmentPlan& plan,
                        unsigned index) noexcept;

/// Turns the original into piece 0 in place and returns its length. Call it after the others are written.
unsigned cut_first_fragment(Ipv4& packet, const FragmentPlan& plan) noexcept;

}  // namespace peerlane
