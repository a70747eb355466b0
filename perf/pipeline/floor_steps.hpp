// The floor's arithmetic.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "perf/pipeline/floor_tables.hpp"

namespace peerlane::perf {

template <class T>
[[gnu::always_inline]] inline T load(const void* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof(value));
    return value;
}
template <class T>
[[gnu::always_inline]] inline void store(void* at, T value) noexcept {
    std::memcpy(at, &value, sizeof(value));
}

/// Sum of an IPv4 header of 20 octets, memory order, carries added back in.
[[gnu::always_inline]] inline std::uint64_t header_sum(const std::uint8_t* header) noexcept {
    unsigned long long sum;
    const auto first = load<std::uint64_t>(header);
    bool carry = __builtin_uaddll_overflow(first, load<std::uint64_t>(header + 8), &sum);
    carry = __builtin_uaddll_overflow(sum, load<std::uint32_t>(header + 16) + std::uint64_t{carry}, &sum);
    return sum + carry;
}
/// To 16 bits: the upper half of (value + value rotated by half) is the folded sum, its carry included.
[[gnu::always_inline]] inline std::uint16_t folded(std::uint64_t sum) noexcept {
    const auto half = static_cast<std::uint32_t>((sum + std::rotl(sum, 32)) >> 32U);
    return static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16U);
}

/// An address in host order that is never forwarded: 0/8, 127/8, 224/3.
[[gnu::always_inline]] inline bool martian(std::uint32_t address) noexcept {
    const unsigned octet = address >> 24U;
    return octet - 1U >= 223U || octet == 127;
}

/// A plain IPv4 header of a packet that fits and may be forwarded.
[[gnu::always_inline]] inline bool forwardable(const std::uint8_t* ip, unsigned total, unsigned left, unsigned limit,
                                               std::uint32_t source, std::uint32_t destination) noexcept {
    return ip[0] == 0x45 && total >= 20 && total <= left && total <= limit && folded(header_sum(ip)) == 0xffff &&
           !martian(source) && !martian(destination) && ip[8] > 1;
}

[[gnu::always_inline]] inline unsigned find(const FloorVrf& vrf, std::uint32_t address) noexcept {
#ifdef __AVX512F__
    const auto key = _mm512_set1_epi32(static_cast<int>(address));
    const unsigned low = _mm512_cmpge_epu32_mask(key, _mm512_load_si512(vrf.first));
    const unsigned high = _mm512_cmpge_epu32_mask(key, _mm512_load_si512(vrf.first + 16));
    const auto below = static_cast<unsigned>(std::popcount(low | high << 16U));
#else
    unsigned below = 0;
    for (const auto first : vrf.first) { below += address >= first ? 1U : 0U; }
#endif
    return vrf.value[below - 1];
}
[[gnu::always_inline]] inline void prefetch(const FloorVrf& vrf) noexcept {
    __builtin_prefetch(vrf.first);
    __builtin_prefetch(vrf.first + 16);
    __builtin_prefetch(vrf.value);
}

/// Index of the bucket of (local, remote, key), all three as in the packet.
[[gnu::always_inline]] inline std::size_t bucket_of(const Floor& floor, std::uint32_t local, std::uint32_t remote,
                                                    std::uint32_t key) noexcept {
    const auto mixed = (std::uint64_t{remote} << 32U | key) ^ std::uint64_t{local} * 0x9e37'79b9U;
    const auto product = mixed * floor.hash_factor;
    return ((product ^ product >> 29U) * floor.hash_factor) >> floor.hash_shift;
}
/// The tunnel of (local, remote, key), 0 if there is none.
[[gnu::always_inline]] inline unsigned match(const FloorBucket& bucket, std::uint32_t local, std::uint32_t remote,
                                             std::uint32_t key) noexcept {
#ifdef __AVX512F__
    const auto sought = _mm512_maskz_broadcast_i32x4(
        0xffff, _mm_set_epi32(0, static_cast<int>(key), static_cast<int>(remote), static_cast<int>(local)));
    const unsigned same = _mm512_cmpeq_epi32_mask(sought, _mm512_load_si512(&bucket));
    const unsigned whole = same & same >> 1U & same >> 2U & 0x1111U;
    return whole == 0 ? 0U : reinterpret_cast<const std::uint32_t*>(&bucket)[std::countr_zero(whole) + 3];
#else
    for (const auto& entry : bucket.entry) {
        if (((entry.local ^ local) | (entry.remote ^ remote) | (entry.key ^ key)) == 0) { return entry.index; }
    }
    return 0;
#endif
}

/// The token bucket, exact: true if it held the tokens, which are gone then.
[[gnu::always_inline]] inline bool take(FloorCircuit& circuit, std::uint64_t now, unsigned length) noexcept {
    const auto at = std::max(circuit.at, now);
    const auto elapsed = std::min(at - circuit.at, std::uint64_t{circuit.fill} << 10U);
    const auto level = std::min(circuit.level + circuit.rate * elapsed, circuit.depth);
    const auto cost = (length + circuit.overhead) * std::uint64_t{8'000'000'000};
    const bool passes = cost <= level;
    circuit.level = passes ? level - cost : level;
    circuit.at = at;
    return passes;
}

/// One TTL less and the checksum 0x0100 more, in one word: TTL, protocol, checksum.
[[gnu::always_inline]] inline void decrement_ttl(std::uint8_t* ip) noexcept {
    const auto word = load<std::uint32_t>(ip + 8);
    // Memory order: the high octet of the checksum is the low one of its word, so adding 0x0100 adds 1.
    const std::uint32_t sum = (word >> 16U) + 1U;
    store(ip + 8, ((word & 0xffffU) - 1U) | (sum + ((sum + 1U) >> 16U)) << 16U);
}

[[gnu::always_inline]] inline void set_frame(rte_mbuf& mbuf, const std::uint8_t* start, unsigned length) noexcept {
    mbuf.data_off = static_cast<std::uint16_t>(start - static_cast<const std::uint8_t*>(mbuf.buf_addr));
    mbuf.pkt_len = length;
    mbuf.data_len = static_cast<std::uint16_t>(length);
}

inline constexpr unsigned kFloorBurst = 64;
inline constexpr unsigned kFloorAhead = 8;

[[gnu::always_inline]] inline void prefetch_frame(rte_mbuf* const* packets, unsigned i, unsigned count) noexcept {
    if (i + 2 * kFloorAhead < count) { __builtin_prefetch(packets[i + 2 * kFloorAhead]); }
    if (i + kFloorAhead < count) {
        __builtin_prefetch(static_cast<std::uint8_t*>(packets[i + kFloorAhead]->buf_addr) + RTE_PKTMBUF_HEADROOM);
    }
}

}  // namespace peerlane::perf
