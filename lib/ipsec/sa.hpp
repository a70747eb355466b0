// A security association (RFC 4301 §4.4.2.1): what control decided of it, hot parts only, and what traffic changes.
#pragma once

#include <cstdint>

#include "lib/base/esp_suite.hpp"
#include "lib/base/one_writer.hpp"
#include "lib/base/types.hpp"
#include "lib/ipsec/crypto.hpp"

namespace peerlane::ipsec {

inline constexpr std::uint32_t kNoSa = 0xffffffff;
inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

/// The last sequence number of an SA. With ESN the counter shares the 64 bits of the IV with the lane.
constexpr std::uint64_t last_sequence(bool esn) noexcept {
    return esn ? (std::uint64_t{1} << 56U) - 1 : 0xffff'ffffU;
}

/// What traffic changes of one SA, a cache line. Its worker is the only writer of the counts, control of the limits (a
/// few times a second at most, and only while traffic passes).
struct alignas(64) SaState {
    std::uint64_t sequence;  // outbound: the last one used; inbound: the highest that was authenticated
    std::uint64_t packets;   // under this key, all runs together
    std::uint64_t bytes;     // of ESP payload
    // Nothing goes beyond these.
    std::uint64_t sequence_limit;  // outbound: the last one reserved on disk, last_sequence() at most
    std::uint64_t packets_limit;
    std::uint64_t bytes_limit;
    Nanoseconds deadline;  // nothing from then on; 0 too while the SA waits for its first packet
    Nanoseconds life;      // what the first packet sets the deadline by; 0 from then on
};
static_assert(sizeof(SaState) == 64);

/// What went wrong under an SA. One writer: its worker.
struct alignas(64) SaFaults {
    std::uint64_t replayed, late, bad_icv, expired, refused;
    Nanoseconds born;  // when the first packet came, by the edge's clock; 0: it did not yet
    // Control's: SaState when this run took the SA up.
    std::uint64_t packets_base, sequence_base;
};

/// The first packet under an SA: its time begins.
[[gnu::noinline, gnu::cold]] inline void begin_life(SaState& state, SaFaults& faults, Nanoseconds now) noexcept {
    const auto life = relaxed(state.life);
    if (faults.born == 0) {
        set_relaxed(faults.born, now == 0 ? 1 : now);
        set_relaxed(state.deadline, life > kNoLimit - now ? kNoLimit : now + life);
    }
    set_relaxed(state.life, 0);
}

/// The sending side as one worker sees it: one lane. A cache line.
struct alignas(64) SaOut {
    static constexpr std::uint8_t kOuterV6 = 1, kUdp = 2, kFixedDscp = 4, kEsn = 8, kAead = 16;
    const Key* key = nullptr;      // nullptr: no lane of this worker's; `owner` has one
    std::uint64_t iv_lane = 0;     // lane << 56
    std::uint32_t state = 0;       // slot
    std::uint32_t next = kNoSa;    // the one after this, in the same array
    std::uint8_t spi[4]{};         // network byte order
    std::uint8_t salt[4]{};        // as in the nonce
    std::uint16_t header_sum = 0;  // folded, memory order, of the outer IPv4 header without length, TOS and checksum
    EspSuite suite = EspSuite::aes_gcm_128;
    std::uint8_t iv = 8;
    std::uint8_t block_mask = 3;
    std::uint8_t skip = 0;           // octets of the clear frame before the payload
    std::uint8_t header_length = 0;  // Ethernet, outer IP and UDP
    std::uint8_t next_header = 0;
    std::uint8_t flags = 0;
    std::uint8_t dscp = 0;   // in the upper six bits, with kFixedDscp
    std::uint8_t owner = 0;  // worker
};
static_assert(sizeof(SaOut) == 64);

/// The receiving side, as the SA table's entry holds it: with its identity one cache line.
struct SaIn {
    static constexpr std::uint8_t kEsn = 1, kUdp = 2, kTransport = 4, kAead = 8;
    // Outer addresses a packet must have; host byte order, IPv4 mapped.
    std::uint64_t local_high = 0, local_low = 0, remote_high = 0, remote_low = 0;
    const Key* key = nullptr;
    std::uint32_t state = 0;  // slot; state + 1 is the SA's number in tunnel identities
    std::uint8_t salt[4]{};
    std::uint16_t window = 0;
    EspSuite suite = EspSuite::aes_gcm_128;
    std::uint8_t flags = 0;
    std::uint8_t owner = 0;  // worker
    std::uint8_t unused[3]{};
};
static_assert(sizeof(SaIn) == 56);

}  // namespace peerlane::ipsec
