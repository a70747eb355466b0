// ECN across a tunnel (RFC 6040).
#pragma once

#include <array>
#include <cstdint>

#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane {

/// Codepoints of RFC 3168 §5.
enum class Ecn : std::uint8_t { not_ect = 0, ect1 = 1, ect0 = 2, ce = 3 };

/// What RFC 6040 §4.2 says of an arriving (inner, outer) pair: the codepoint to send on, or kEcnDrop.
inline constexpr std::uint8_t kEcnDrop = 4;
inline constexpr std::array<std::uint8_t, 16> kEcnDecapsulate = {
    // outer: Not-ECT, ECT(1), ECT(0), CE
    0, 0, 0, kEcnDrop,  // inner Not-ECT
    1, 1, 1, 3,         // inner ECT(1)
    2, 1, 2, 3,         // inner ECT(0)
    3, 3, 3, 3,         // inner CE
};

/// Looks the pair up; both are whole TOS / traffic class octets.
inline std::uint8_t ecn_decapsulate(std::uint8_t inner, std::uint8_t outer) noexcept {
    return kEcnDecapsulate[(inner & ip::kEcnMask) * 4U + (outer & ip::kEcnMask)];
}

/// Replaces the ECN field, the IPv4 checksum kept right.
inline void set_ecn(Ipv4& header, std::uint8_t ecn) noexcept {
    const auto from = static_cast<std::uint16_t>(header.version_ihl << 8U | header.tos);
    header.tos = static_cast<std::uint8_t>((header.tos & ~ip::kEcnMask) | ecn);
    const auto to = static_cast<std::uint16_t>(header.version_ihl << 8U | header.tos);
    header.checksum.set(checksum_update(header.checksum.get(), from, to));
}
inline void set_ecn(Ipv6& header, std::uint8_t ecn) noexcept {
    header.version_class_flow.set((header.version_class_flow.get() & ~(std::uint32_t{ip::kEcnMask} << 20U)) |
                                  std::uint32_t{ecn} << 20U);
}

}  // namespace peerlane
