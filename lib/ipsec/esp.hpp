// ESP (RFC 4303) around the crypto pass: headers, nonces and trailers before it, what must be verified behind it.
// Pointers and lengths only.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <cstring>

#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/replay_window.hpp"
#include "lib/ipsec/sa.hpp"

namespace peerlane::ipsec {

inline constexpr std::uint32_t kIcv = 16;
static_assert(std::ranges::all_of(kEspSuites, [](const EspSuiteRow& suite) { return suite.icv == kIcv; }));

inline constexpr std::uint8_t kNoNextHeader = 59;  // a dummy packet (RFC 4303 §2.6)

/// Octets a packet grows behind its payload: padding, trailer and ICV (RFC 4303 §2.4).
inline std::uint32_t tail_octets(const SaOut& sa, std::uint32_t length) noexcept {
    return (-(length + kEspTrailer) & sa.block_mask) + kEspTrailer + kIcv;
}

/// Whether one more packet of `length` bytes of payload may be sent under the SA. Any worker: one without the SA asks
/// before it hands a packet over.
[[gnu::always_inline]] inline bool may_send(const SaState& state, std::uint32_t length, Nanoseconds now) noexcept {
    return relaxed(state.sequence) < relaxed(state.sequence_limit) &&
           relaxed(state.packets) < relaxed(state.packets_limit) &&
           relaxed(state.bytes) + length <= relaxed(state.bytes_limit) && now < relaxed(state.deadline);
}

/// Takes the next sequence number, writes trailer, IV and ESP header around `payload`, which has tail_octets() behind
/// it, and describes the crypto pass. Returns the ESP header.
[[gnu::always_inline]] inline std::uint8_t* prepare_seal(const SaOut& sa, SaState& state, std::uint8_t* payload,
                                                         std::uint32_t length, Engine& engine, Job& job) noexcept {
    const std::uint64_t sequence = state.sequence + 1;
    set_relaxed(state.sequence, sequence);
    set_relaxed(state.packets, state.packets + 1);
    set_relaxed(state.bytes, state.bytes + length);

    // Sixteen octets at once: where fewer are padding the ICV's place takes the rest.
    alignas(16) static constexpr std::uint8_t kPadding[16]{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    const std::uint32_t pad = -(length + kEspTrailer) & sa.block_mask;
    std::memcpy(payload + length, kPadding, sizeof(kPadding));
    const auto trailer = static_cast<std::uint16_t>(pad | std::uint32_t{sa.next_header} << 8U);
    const unsigned flags = sa.flags;
    const std::uint32_t iv_length = sa.iv;
    std::memcpy(payload + (length + pad), &trailer, sizeof(trailer));

    std::uint32_t spi = 0;
    std::memcpy(&spi, sa.spi, sizeof(spi));
    const std::uint32_t low = __builtin_bswap32(static_cast<std::uint32_t>(sequence));
    const auto high = static_cast<std::uint32_t>(sequence >> 32U);
    const bool esn = (flags & SaOut::kEsn) != 0;
    std::uint8_t* iv = payload - iv_length;
    std::uint8_t* header = iv - kEspHeader;
    const std::uint64_t front = spi | std::uint64_t{low} << 32U;
    std::memcpy(header, &front, sizeof(front));

    job.key = sa.key;
    job.text = payload;
    job.length = length + pad + kEspTrailer;
    job.sequence_high = high;
    job.suite = sa.suite;
    job.esn = esn;
    if ((flags & SaOut::kAead) != 0) [[likely]] {
        // The nonce and the AAD in a store each, long before they are read.
        std::uint32_t salt = 0;
        std::memcpy(&salt, sa.salt, sizeof(salt));
        const std::uint64_t explicit_iv = __builtin_bswap64(sa.iv_lane | sequence);
        std::memcpy(iv, &explicit_iv, sizeof(explicit_iv));
        _mm_store_si128(reinterpret_cast<__m128i*>(job.nonce),
                        _mm_set_epi64x(static_cast<long long>(explicit_iv >> 32U),
                                       static_cast<long long>(salt | explicit_iv << 32U)));
        const std::uint64_t extended = spi | std::uint64_t{__builtin_bswap32(high)} << 32U;
        _mm_store_si128(reinterpret_cast<__m128i*>(job.aad),
                        _mm_set_epi64x(low, static_cast<long long>(esn ? extended : front)));
    } else {
        engine.next_iv(job.nonce);
        std::memcpy(iv, job.nonce, sizeof(job.nonce));
    }
    return header;
}

enum class Opening : std::uint8_t {
    ready,
    truncated,   // shorter than header, IV, trailer and ICV
    not_blocks,  // the ciphertext is no whole number of blocks
    late,
    replayed,
    expired
};

/// Verifies what can be before decryption of the ESP packet at `esp`, `length` octets from SPI to ICV, and describes
/// the crypto pass. `sequence` is the extended one, guessed where it must be (RFC 4304 appendix A2).
[[gnu::always_inline]] inline Opening prepare_open(const SaIn& sa, const SaState& state, const ReplayRing& ring,
                                                   std::uint8_t* esp, std::uint32_t length, Nanoseconds now, Job& job,
                                                   std::uint64_t& sequence) noexcept {
    const bool aead = (sa.flags & SaIn::kAead) != 0;
    const std::uint32_t iv_length = aead ? 8 : 16;
    const std::uint32_t block = aead ? 4 : 16;
    const std::uint32_t around = kEspHeader + iv_length + kIcv;
    if (length < around + kEspTrailer) [[unlikely]] { return Opening::truncated; }
    if (((length - around) & (block - 1)) != 0) [[unlikely]] { return Opening::not_blocks; }
    if (now >= relaxed(state.deadline) || state.packets >= relaxed(state.packets_limit)) [[unlikely]] {
        if (relaxed(state.life) == 0 || state.packets >= relaxed(state.packets_limit)) { return Opening::expired; }
    }

    std::uint64_t front = 0;
    std::memcpy(&front, esp, sizeof(front));
    const std::uint32_t low = __builtin_bswap32(static_cast<std::uint32_t>(front >> 32U));
    const bool esn = (sa.flags & SaIn::kEsn) != 0;
    sequence = esn ? esn_guess(low, state.sequence, sa.window) : low;
    const Replay seen = check(ring, state.sequence, sa.window, sequence);
    if (seen != Replay::fresh) [[unlikely]] { return seen == Replay::late ? Opening::late : Opening::replayed; }

    job.key = sa.key;
    job.text = esp + kEspHeader + iv_length;
    job.length = length - around;
    job.sequence_high = static_cast<std::uint32_t>(sequence >> 32U);
    job.suite = sa.suite;
    job.esn = esn;
    if (aead) [[likely]] {
        std::uint32_t salt = 0;
        std::uint64_t iv = 0;
        std::memcpy(&salt, sa.salt, sizeof(salt));
        std::memcpy(&iv, esp + kEspHeader, sizeof(iv));
        _mm_store_si128(reinterpret_cast<__m128i*>(job.nonce),
                        _mm_set_epi64x(static_cast<long long>(iv >> 32U), static_cast<long long>(salt | iv << 32U)));
        const std::uint64_t extended = (front & 0xffff'ffffU) | std::uint64_t{__builtin_bswap32(job.sequence_high)}
                                                                    << 32U;
        _mm_store_si128(
            reinterpret_cast<__m128i*>(job.aad),
            _mm_set_epi64x(static_cast<long long>(front >> 32U), static_cast<long long>(esn ? extended : front)));
    } else {
        std::memcpy(job.nonce, esp + kEspHeader, sizeof(job.nonce));
    }
    return Opening::ready;
}

enum class Opened : std::uint8_t {
    payload,
    bad_icv,
    late,
    replayed,
    expired,
    bad_pad_length,  // more padding than packet
    bad_padding,     // not 1, 2, 3 … (RFC 4303 §2.4)
};

/// Verifies what can be only behind the crypto pass, and commits the sequence number. With Opened::payload the
/// plaintext is job.text, `length` octets of `next_header`.
[[gnu::always_inline]] inline Opened finish_open(const SaIn& sa, SaState& state, ReplayRing& ring, const Job& job,
                                                 std::uint64_t sequence, std::uint32_t& length,
                                                 std::uint8_t& next_header) noexcept {
    if (!job.authentic) [[unlikely]] { return Opened::bad_icv; }
    const std::uint32_t pad = job.text[job.length - 2];
    next_header = job.text[job.length - 1];
    length = job.length - kEspTrailer - pad;
    const bool fits = pad + kEspTrailer <= job.length;
    if (state.packets >= relaxed(state.packets_limit) || (fits && state.bytes + length > relaxed(state.bytes_limit)))
        [[unlikely]] {
        return Opened::expired;
    }
    // Another packet of this burst may have been the same one.
    std::uint64_t top = state.sequence;
    const Replay seen = commit(ring, top, sa.window, sequence);
    if (seen != Replay::fresh) [[unlikely]] { return seen == Replay::late ? Opened::late : Opened::replayed; }
    set_relaxed(state.sequence, top);
    set_relaxed(state.packets, state.packets + 1);
    if (!fits) [[unlikely]] { return Opened::bad_pad_length; }
    set_relaxed(state.bytes, state.bytes + length);
    std::uint32_t wrong = 0;
    for (std::uint32_t i = 0; i < pad; ++i) { wrong |= job.text[length + i] ^ (i + 1); }
    return (wrong & 0xffU) == 0 ? Opened::payload : Opened::bad_padding;
}

}  // namespace peerlane::ipsec
