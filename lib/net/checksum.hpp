// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lib/net/headers.hpp"

namespace peerlane {

/// Folds a sum of 16-bit words to 16 bits, carries added back in: the upper half of a number plus the same number with
/// its halves swapped is the sum of the halves, end-around carry included.
constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
    const auto half = static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32U);
    return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16U);
}

/// Sum of `length` octets as words in *memory* order (RFC 1071 §2(B): byte order does not matter until the end); an odd
/// last octet is padded with zero. Add sums together, fold once, complement, and store the result without swapping.
inline std::uint64_t sum_words(const std::uint8_t* data, std::size_t length) noexcept {
    std::uint64_t sum = 0;
    for (; length >= 4; data += 4, length -= 4) {
        std::uint32_t word;
        std::memcpy(&word, data, 4);
        sum += word;
    }
    if (length >= 2) {
        std::uint16_t word;
        std::memcpy(&word, data, 2);
        sum += word;
        data += 2;
        length -= 2;
    }
    if (length != 0) { sum += *data; }
    return sum;
}

/// True if the IPv4 header of `words` 32-bit words (5 .. 15) at `header` has a right checksum.
inline bool ipv4_checksum_ok(const std::uint8_t* header, unsigned words) noexcept {
    std::uint64_t low;
    std::uint64_t high;
    std::uint32_t last;
    std::memcpy(&low, header, 8);
    std::memcpy(&high, header + 8, 8);
    std::memcpy(&last, header + 16, 4);
    unsigned long long sum;
    bool carry = __builtin_uaddll_overflow(low, high, &sum);
    carry = __builtin_uaddll_overflow(sum, last + std::uint64_t{carry}, &sum);
    sum += carry ? 1U : 0U;
    if (words > 5) [[unlikely]] { sum = fold(sum) + sum_words(header + 20, (words - 5U) * 4U); }
    return fold(sum) == 0xffff;
}

/// Writes the checksum of an IPv4 header of any length.
inline void ipv4_set_checksum(Ipv4& header) noexcept {
    header.checksum.set(0);
    const auto sum = static_cast<std::uint16_t>(
        ~fold(sum_words(reinterpret_cast<const std::uint8_t*>(&header), header.header_length())));
    std::memcpy(header.checksum.octets, &sum, 2);
}

/// The checksum after one 16-bit word changed from `from` to `to`, all in host byte order (RFC 1624 eqn. 3).
constexpr std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t from, std::uint16_t to) noexcept {
    const std::uint32_t sum = static_cast<std::uint16_t>(~checksum) + static_cast<std::uint16_t>(~from) + to;
    return static_cast<std::uint16_t>(~fold(sum));
}

/// One TTL (1 or more) less, the checksum kept right, both in one word: TTL, protocol, checksum. Subtracting 0x0100
/// from TTL ‖ protocol adds 0x0100 to the checksum, end-around carry included (RFC 1624 §4); in memory order that is 1.
/// A sum of 0xffff becomes 0, as a sum over the header would have it (RFC 1624 §3).
inline void ipv4_decrement_ttl(Ipv4& header) noexcept {
    std::uint32_t word;
    std::memcpy(&word, &header.ttl, 4);
    const std::uint32_t sum = (word >> 16U) + 1U;
    word = ((word & 0xffffU) - 1U) | (sum + ((sum + 1U) >> 16U)) << 16U;
    std::memcpy(&header.ttl, &word, 4);
}

/// Sum (memory order) of the pseudo-header of RFC 8200 §8.1 / RFC 9293 §3.1 for `protocol` over `length` octets of
/// payload.
inline std::uint64_t pseudo_header_sum(const Ipv4& header, std::uint8_t protocol, std::uint32_t length) noexcept {
    return sum_words(header.source.octets, 8) + __builtin_bswap16(protocol) +
           __builtin_bswap16(static_cast<std::uint16_t>(length));
}
inline std::uint64_t pseudo_header_sum(const Ipv6& header, std::uint8_t protocol, std::uint32_t length) noexcept {
    return sum_words(header.source_high.octets, 32) + __builtin_bswap16(protocol) + __builtin_bswap32(length);
}

}  // namespace peerlane
