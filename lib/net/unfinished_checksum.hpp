// Checksums of TCP and UDP that the sender has left to a device (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1).
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane {

namespace detail {

/// `addresses`: sum_words() of source and destination. `length`: bytes from `at`, the TCP or UDP header, to the end of
/// the packet.
inline bool finish_layer4(std::uint8_t* at, unsigned length, std::uint8_t protocol, std::uint64_t addresses) noexcept {
    const unsigned least = protocol == ip::kTcp ? 20 : sizeof(Udp);
    const unsigned place = protocol == ip::kTcp ? 16 : 6;
    if ((protocol != ip::kTcp && protocol != ip::kUdp) || length < least) { return false; }
    const std::uint64_t sum =
        addresses + __builtin_bswap16(static_cast<std::uint16_t>(length)) + (std::uint32_t{protocol} << 8U);
    std::uint16_t field;
    std::memcpy(&field, at + place, sizeof(field));
    if (field != fold(sum)) [[likely]] { return false; }
    std::memset(at + place, 0, sizeof(field));
    auto checksum = static_cast<std::uint16_t>(~fold(sum + sum_words(at, length)));
    if (checksum == 0) { checksum = 0xffff; }  // for UDP 0 means none; for TCP both are right
    std::memcpy(at + place, &checksum, sizeof(checksum));
    return true;
}

}  // namespace detail

/// Linux sends a packet whose checksum a device is to finish with the sum of the pseudo header in its place. Such a
/// packet gets its checksum; one whose right checksum happens to be that sum gets the same again. `length` is that of
/// the IP packet, which holds its header. Leaves fragments alone, and what is behind IPv6 extension headers. Returns
/// whether the field was written.
inline bool finish_checksum(Ipv4& packet, unsigned length) noexcept {
    const unsigned header = packet.header_length();
    if (packet.is_fragment() || header > length) { return false; }
    return detail::finish_layer4(reinterpret_cast<std::uint8_t*>(&packet) + header, length - header, packet.protocol,
                                 sum_words(packet.source.octets, 8));
}
inline bool finish_checksum(Ipv6& packet, unsigned length) noexcept {
    return detail::finish_layer4(reinterpret_cast<std::uint8_t*>(&packet) + sizeof(Ipv6),
                                 length - static_cast<unsigned>(sizeof(Ipv6)), packet.next_header,
                                 sum_words(packet.source_high.octets, 32));
}

}  // namespace peerlane
