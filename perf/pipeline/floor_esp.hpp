// The floor's ESP: RFC 4303 in tunnel mode over IPv4, 32 bits of sequence number, a window of 1024, SPIs one after the
// other. What a packet costs beyond the library's own calls: header, nonce, trailer, limits, replay, and what RFC 4303
// wants verified.
#pragma once

#include <immintrin.h>

#include <bit>

#include "lib/base/esp_suite.hpp"
#include "perf/ipsec_mb.hpp"
#include "perf/pipeline/floor_steps.hpp"
#include "perf/pipeline/floor_tables.hpp"

namespace peerlane::perf {

inline constexpr unsigned kFloorWindow = 1024;

/// The sending side: what changes in one line, what is copied in the other.
struct alignas(64) FloorSaOut {
    std::uint64_t sequence, packets, bytes;
    std::uint64_t sequence_limit, packets_limit, bytes_limit, deadline;
    std::uint32_t spi, salt;  // as in the packet
    std::uint8_t header[34];  // Ethernet and IP
    std::uint16_t sum;        // of the IP header without length, TOS and checksum, memory order
    std::uint8_t unused[28];
};
static_assert(sizeof(FloorSaOut) == 128);

/// The receiving side, one line.
struct alignas(64) FloorSaIn {
    std::uint32_t spi, salt, remote, unused;  // as in the packet
    std::uint64_t top, packets, bytes;
    std::uint64_t packets_limit, bytes_limit, deadline;
};
static_assert(sizeof(FloorSaIn) == 64);

/// Sequence number s is bit s modulo 2048. An odd number of lines, so that all sets of the cache serve.
struct alignas(64) FloorRing {
    static constexpr unsigned kWords = 2 * kFloorWindow / 64;
    std::uint64_t word[kWords];
    std::uint64_t unused[8];
};

/// All SAs of the edge; place 0 is nobody's, the others are the tunnels'.
struct FloorEsp {
    explicit FloorEsp(const FloorSpec& spec);

    BareIpsec out, in;
    std::uint32_t local;      // as in the packet
    std::uint32_t first_spi;  // of what is received, host order
    std::uint32_t count;      // of them, and of place 0
    unsigned iv, block_mask;
    HugeVector<FloorSaOut> sas_out;
    HugeVector<FloorSaIn> sas_in;
    HugeVector<FloorRing> rings;
    unsigned ivs_used = BareIpsec::kBurst;
    alignas(64) std::uint8_t ivs[BareIpsec::kBurst][16];  // of CBC
    alignas(64) BareJob jobs[kFloorBurst];
    // Of a received burst, filled by floor_open(); the n-th job is of packet owner[n].
    std::uint8_t owner[kFloorBurst];
    std::uint8_t tos[kFloorBurst];  // outer
    std::uint16_t sa[kFloorBurst];  // place
    std::uint32_t sequences[kFloorBurst];
};

[[gnu::always_inline]] inline void prefetch_key(const BareKey& key) noexcept {
    for (unsigned line = 0; line < 3; ++line) { __builtin_prefetch(key.octets + 64 * line); }
}

/// Writes all of ESP but ciphertext and ICV around `payload`, and describes the job. False: a limit is reached.
template <bool kAead>
[[gnu::always_inline]] inline bool wrap(FloorEsp& esp, unsigned place, rte_mbuf& mbuf, std::uint8_t* payload,
                                        unsigned length, unsigned tos, std::uint64_t now, BareJob& job) noexcept {
    auto& sa = esp.sas_out[place];
    constexpr unsigned kIv = kAead ? 8 : 16;
    constexpr unsigned kMask = kAead ? 3 : 15;
    const unsigned pad = -(length + 2) & kMask;
    const unsigned text = length + pad + 2;
    const auto room = static_cast<std::uint64_t>(static_cast<std::uint8_t*>(mbuf.buf_addr) + mbuf.buf_len - payload);
    if (sa.sequence >= sa.sequence_limit || sa.packets >= sa.packets_limit || sa.bytes + length > sa.bytes_limit ||
        now >= sa.deadline || text + 16 > room) [[unlikely]] {
        return false;
    }
    const auto sequence = static_cast<std::uint32_t>(++sa.sequence);
    sa.packets++;
    sa.bytes += length;
    if constexpr (kAead) {
        // 1, 2, …, pad length, next header: what is too much is the ICV's place.
        static constexpr std::uint32_t kTrailer[4] = {0x0400, 0x04'0101, 0x0402'0201, 0x0303'0201};
        store(payload + length, kTrailer[pad]);
        if (pad == 3) { payload[length + 4] = 4; }
    } else {
        store(payload + length, _mm_set_epi64x(0x100f'0e0d'0c0b'0a09, 0x0807'0605'0403'0201));
        store(payload + length + pad, static_cast<std::uint16_t>(0x0400U | pad));
    }
    auto* header = payload - kIv - 8;
    const std::uint32_t wire = __builtin_bswap32(sequence);
    store(header, sa.spi | std::uint64_t{wire} << 32U);
    job.text = payload;
    job.length = text;
    job.key = place;
    if constexpr (kAead) {
        // Lane 0.
        const std::uint64_t counter = std::uint64_t{wire} << 32U;
        store(header + 8, counter);
        store(job.nonce, _mm_set_epi64x(wire, static_cast<long long>(sa.salt)));
    } else {
        if (esp.ivs_used == BareIpsec::kBurst) {
            esp.out.fill_ivs(esp.ivs);
            esp.ivs_used = 0;
        }
        store(header + 8, load<__m128i>(esp.ivs[esp.ivs_used++]));
    }
    auto* start = header - 34;
    store(start, load<__m256i>(sa.header));
    store(start + 18, load<__m128i>(sa.header + 18));
    const unsigned total = 20 + 8 + kIv + text + 16;
    const auto size = __builtin_bswap16(static_cast<std::uint16_t>(total));
    start[15] = static_cast<std::uint8_t>(tos);
    store(start + 16, size);
    const std::uint32_t sum = std::uint32_t{sa.sum} + size + (tos << 8U);
    store(start + 24, static_cast<std::uint16_t>(~(sum + (sum >> 16U))));
    set_frame(mbuf, start, total + 14);
    return true;
}

/// Link, outer header, SA, limits and replay of a burst; then the library. What is no longer to be looked at is in the
/// result, bit per packet; all others have a job, in order.
template <bool kAead>
std::uint64_t floor_open(FloorEsp& esp, std::uint64_t mac, unsigned limit, rte_mbuf* const* packets, unsigned count,
                         std::uint64_t now) noexcept;

/// Of a job that is done: the ICV, limits and replay again, then the padding. The plaintext's length without trailer;
/// 0: refused.
[[gnu::always_inline]] inline unsigned unwrap(FloorEsp& esp, unsigned n) noexcept {
    const auto& job = esp.jobs[n];
    const auto place = esp.sa[esp.owner[n]];
    auto& sa = esp.sas_in[place];
    const auto* end = job.text + job.length;
    const auto differs = _mm_xor_si128(load<__m128i>(end), load<__m128i>(esp.in.icvs()[n]));
    const unsigned pad = end[-2];
    const unsigned length = job.length - 2 - pad;
    const std::uint64_t sequence = esp.sequences[n];
    auto& ring = esp.rings[place];
    if (!_mm_testz_si128(differs, differs) || end[-1] != 4 || pad + 2 > job.length || sa.packets >= sa.packets_limit ||
        sa.bytes + length > sa.bytes_limit) [[unlikely]] {
        return 0;
    }
    auto& word = ring.word[(sequence >> 6U) % FloorRing::kWords];
    const auto bit = std::uint64_t{1} << (sequence % 64);
    if (sequence > sa.top) [[likely]] {
        const auto last = sequence >> 6U;
        for (auto next = std::max((sa.top >> 6U) + 1, last - std::min<std::uint64_t>(last, FloorRing::kWords - 1));
             next <= last; ++next) {
            ring.word[next % FloorRing::kWords] = 0;
        }
        sa.top = sequence;
    } else if (sa.top - sequence >= kFloorWindow || (word & bit) != 0) {
        return 0;
    }
    word |= bit;
    sa.packets++;
    sa.bytes += length;
    unsigned wrong = 0;
    for (unsigned i = 0; i < pad; ++i) { wrong |= end[static_cast<int>(i) - 2 - static_cast<int>(pad)] ^ (i + 1); }
    return (wrong & 0xffU) == 0 ? length : 0;
}

}  // namespace peerlane::perf
