// What tells flows apart where several links would do: CRC-32C over what all packets of a flow have in common.
#pragma once

#include <nmmintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/net/headers.hpp"

namespace peerlane {

namespace detail {

template <class Word>
Word load(const std::uint8_t* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

/// Protocol and, where `ports` shows them, the two ports; then the complement that ends a CRC-32C.
inline std::uint32_t end_flow_hash(std::uint64_t crc, std::uint8_t protocol, const std::uint8_t* ports) noexcept {
    auto hash = _mm_crc32_u8(static_cast<std::uint32_t>(crc), protocol);
    if (ports != nullptr) { hash = _mm_crc32_u32(hash, load<std::uint32_t>(ports)); }
    return ~hash;
}

constexpr bool has_ports(std::uint8_t protocol) noexcept {
    return protocol == ip::kTcp || protocol == ip::kUdp;
}

}  // namespace detail

/// CRC-32C (RFC 3720 §12.1) of these octets, as they stand in the packet: source address, destination address,
/// protocol, and of TCP and UDP in an unfragmented packet the source and the destination port. `length` is that of the
/// IP packet, which holds its header; ports beyond it are left out. So all fragments of a packet have one hash.
inline std::uint32_t flow_hash(const Ipv4& packet, unsigned length) noexcept {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet);
    const auto crc = _mm_crc32_u64(0xffff'ffff, detail::load<std::uint64_t>(octets + offsetof(Ipv4, source)));
    const unsigned header = packet.header_length();
    const bool ports = detail::has_ports(packet.protocol) && !packet.is_fragment() && length >= header + 4;
    return detail::end_flow_hash(crc, packet.protocol, ports ? octets + header : nullptr);
}

/// The same of IPv6, where the protocol is the next header of the fixed header: ports behind extension headers are
/// not looked for.
inline std::uint32_t flow_hash(const Ipv6& packet, unsigned length) noexcept {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet);
    std::uint64_t crc = 0xffff'ffff;
    for (unsigned at = 0; at < 32; at += 8) {
        crc = _mm_crc32_u64(crc, detail::load<std::uint64_t>(octets + offsetof(Ipv6, source_high) + at));
    }
    const bool ports = detail::has_ports(packet.next_header) && length >= sizeof(Ipv6) + 4;
    return detail::end_flow_hash(crc, packet.next_header, ports ? octets + sizeof(Ipv6) : nullptr);
}

}  // namespace peerlane
