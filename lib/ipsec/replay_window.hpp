// The anti-replay window of a receiving SA (RFC 4303 §3.4.3): a ring of bits much larger than any window, after the
// idea of RFC 6479, so that the window moves by clearing words ahead of it and nothing is ever shifted. The highest
// sequence number, `top`, is the caller's. One worker writes it, and `show` counts what is in it meanwhile; sequence
// numbers are extended ones where ESN is in use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lib/base/one_writer.hpp"

namespace peerlane::ipsec {

inline constexpr std::uint32_t kMinReplayWindow = 64;
inline constexpr std::uint32_t kMaxReplayWindow = 8'192;

/// All zeroes: nothing seen. Sequence number s is bit s modulo 16384. Words of numbers above `top` hold whatever was
/// there one turn ago and are cleared when `top` comes to them.
struct alignas(64) ReplayRing {
    static constexpr std::uint64_t kWords = 256;
    std::uint64_t word[kWords];
    std::uint64_t unused[8];  // an odd number of cache lines: the rings of many SAs share the sets of the cache evenly
};
static_assert(sizeof(ReplayRing) == 2'112 && std::is_trivially_copyable_v<ReplayRing>);
static_assert(64 * ReplayRing::kWords >= 2 * std::uint64_t{kMaxReplayWindow});

enum class Replay : std::uint8_t {
    fresh,
    replayed,
    late  // left of the window, or 0, which no sender uses
};

/// The extended sequence number of a packet that carries its lower half `low`: the one no lower than the window's left
/// edge and less than 2³² above it (RFC 4304 appendix A2.1, both cases). 0, which is never valid, where that would be
/// before the first epoch. `top` is below 2⁶³.
inline std::uint64_t esn_guess(std::uint32_t low, std::uint64_t top, std::uint32_t window) noexcept {
    const std::uint64_t bottom = top - (window - 1);
    const std::uint64_t guess = bottom + static_cast<std::uint32_t>(low - static_cast<std::uint32_t>(bottom));
    return static_cast<std::int64_t>(guess) < 0 ? 0 : guess;
}

inline std::uint64_t& replay_word(ReplayRing& ring, std::uint64_t sequence) noexcept {
    return ring.word[(sequence >> 6U) % ReplayRing::kWords];
}
inline std::uint64_t replay_word(const ReplayRing& ring, std::uint64_t sequence) noexcept {
    return ring.word[(sequence >> 6U) % ReplayRing::kWords];
}

inline void prefetch(const ReplayRing& ring, std::uint64_t sequence) noexcept {
    __builtin_prefetch(&ring.word[(sequence >> 6U) % ReplayRing::kWords], 1);
}

/// Whether a packet may pass, as far as is known before it is authenticated. The window is top - window + 1 .. top.
inline Replay check(const ReplayRing& ring, std::uint64_t top, std::uint32_t window, std::uint64_t sequence) noexcept {
    if (sequence > top) [[likely]] { return Replay::fresh; }
    if (top - sequence >= window || sequence == 0) { return Replay::late; }
    return (replay_word(ring, sequence) >> (sequence % 64) & 1U) != 0 ? Replay::replayed : Replay::fresh;
}

/// The same behind authentication, for a copy may have been faster; if fresh, marks it as seen and moves the window.
inline Replay commit(ReplayRing& ring, std::uint64_t& top, std::uint32_t window, std::uint64_t sequence) noexcept {
    const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
    if (sequence > top) [[likely]] {
        const std::uint64_t last = sequence >> 6U;
        for (auto next = std::max((top >> 6U) + 1, last - std::min(last, ReplayRing::kWords - 1)); next <= last;
             ++next) {
            set_relaxed(ring.word[next % ReplayRing::kWords], 0);
        }
        top = sequence;
        set_relaxed(replay_word(ring, sequence), replay_word(ring, sequence) | bit);
        return Replay::fresh;
    }
    const Replay seen = check(ring, top, window, sequence);
    if (seen == Replay::fresh) { set_relaxed(replay_word(ring, sequence), replay_word(ring, sequence) | bit); }
    return seen;
}

/// For a window restored after a restart: everything up to `top` counts as seen.
inline void mark_all_seen(ReplayRing& ring, std::uint64_t top) noexcept {
    std::memset(ring.word, 0xff, sizeof(ring.word));
    replay_word(ring, top) = ~std::uint64_t{0} >> (63 - top % 64);
}

/// How many of the sequence numbers above `base` up to the window's left edge never came, where `accepted` packets were
/// committed since the top was `base`, none of them with a number up to `base`. Any thread; what is committed meanwhile
/// may be counted or not. Cold.
inline std::uint64_t lost(const ReplayRing& ring, std::uint64_t top, std::uint32_t window, std::uint64_t base,
                          std::uint64_t accepted) noexcept {
    const std::uint64_t edge = std::max(base, top - std::min<std::uint64_t>(top, window));
    std::uint64_t in_window = 0;
    for (std::uint64_t sequence = edge + 1; sequence <= top; ++sequence) {
        in_window += relaxed(ring.word[(sequence >> 6U) % ReplayRing::kWords]) >> (sequence % 64) & 1U;
    }
    const std::uint64_t came = accepted - std::min(accepted, in_window);
    return edge - base - std::min(edge - base, came);
}

}  // namespace peerlane::ipsec
