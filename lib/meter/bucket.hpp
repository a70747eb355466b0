// The token bucket of one writer: exact, in integers. It passes at most rate·t + depth over any interval of length t,
// and never refuses a flow that keeps to that from idle (RFC 2697's committed bucket, in single-rate use).
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "lib/base/types.hpp"

namespace peerlane::meter {

/// Levels are counted in 1/(8·10⁹) byte: then a rate in bits per second is the units that arrive per nanosecond, and
/// nothing is rounded.
inline constexpr std::uint64_t kUnitsPerByte = 8'000'000'000;
inline constexpr std::uint64_t kMaxRate = 400'000'000'000;  // bit/s
inline constexpr std::uint64_t kMaxBurst = 2'300'000'000;   // bytes
// rate × fill_ns is less than depth + rate.
static_assert(kMaxBurst <= (~std::uint64_t{0} - kMaxRate) / kUnitsPerByte);

/// What a bucket is filled with; the configuration's part, read by any thread.
struct BucketRate {
    std::uint64_t rate = 0;     ///< bit/s, which is units per nanosecond
    std::uint64_t depth = 0;    ///< units
    std::uint64_t fill_ns = 0;  ///< time from empty to full, rounded up; bounds rate × elapsed
};

/// Rate 1 .. kMaxRate, burst (CBS) up to kMaxBurst; otherwise throws std::invalid_argument.
inline BucketRate bucket_rate(BitsPerSecond rate, Bytes burst) {
    if (raw(rate) < 1 || raw(rate) > kMaxRate || raw(burst) > kMaxBurst) {
        throw std::invalid_argument("a bucket's rate is 1 bit/s to 400 Gbit/s, its burst at most 2.3 GB");
    }
    const auto depth = raw(burst) * kUnitsPerByte;
    return {raw(rate), depth, (depth / raw(rate)) + (depth % raw(rate) == 0 ? 0 : 1)};
}

/// Traffic's part; one writer.
struct Bucket {
    std::uint64_t level = 0;  ///< units, at the time `at`
    std::uint64_t at = 0;     ///< nanoseconds
};
static_assert(sizeof(Bucket) == 16);

inline Bucket full_bucket(const BucketRate& rate, Nanoseconds now) noexcept {
    return {rate.depth, now};
}

// Here and below std::min and std::max, not branches: which packet of a burst finds its bucket already up to date, or
// full, is not predictable.

/// level + units, at most depth.
inline std::uint64_t raised(std::uint64_t level, std::uint64_t units, std::uint64_t depth) noexcept {
    const auto below = std::min(level, depth);  // a depth just lowered may be below the level
    return below + std::min(units, depth - below);
}

/// The bucket at `now`; as it was where that is before bucket.at, but at most the depth.
inline Bucket settled(const Bucket& bucket, const BucketRate& rate, Nanoseconds now) noexcept {
    const auto at = std::max(now, bucket.at);
    return {raised(bucket.level, rate.rate * std::min(at - bucket.at, rate.fill_ns), rate.depth), at};
}

/// Takes the tokens for `cost` bytes and passes (true) if there are enough, and leaves the level otherwise. Time
/// running backwards refills nothing.
[[gnu::always_inline]] inline bool take(Bucket& bucket, const BucketRate& rate, Nanoseconds now,
                                        std::uint32_t cost) noexcept {
    std::uint64_t units = 0;
    const bool huge = __builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units);
    bucket = settled(bucket, rate, now);
    const bool passes = !huge && units <= bucket.level;
    bucket.level -= passes ? units : 0;
    return passes;
}

/// Returns what a take() of `cost` bytes took; the level never exceeds the depth.
inline void give_back(Bucket& bucket, const BucketRate& rate, std::uint32_t cost) noexcept {
    std::uint64_t units = 0;
    const bool huge = __builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units);
    bucket.level = huge ? rate.depth : raised(bucket.level, units, rate.depth);
}

/// A changed rate or depth: what has arrived so far arrived at the old rate; the level is kept, up to the new depth.
inline void retune(Bucket& bucket, const BucketRate& from, const BucketRate& to, Nanoseconds now) noexcept {
    bucket = settled(bucket, from, now);
    bucket.level = std::min(bucket.level, to.depth);
}

}  // namespace peerlane::meter
