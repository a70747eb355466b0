// The token bucket of one writer: exact, in integers. It passes at most rate·t + depth over any interval of length t,
// and never refuses a flow that keeps to that from idle (RFC 2697's committed bucket, in single-rate use).
#pragma once

#include <cstdint>
#include <stdexcept>

#include "lib/base/types.hpp"

namespace peerlane::meter {

/// Levels are counted in 1/(8·10⁹) byte: then a rate in bits per second is the units that arrive per nanosecond, and
/// nothing is rounded.
inline constexpr std::uint64_t kUnitsPerByte = 8'000'000'000;
inline constexpr std::uint64_t kMaxRate = 400'000'000'000;  // bit/s
inline constexpr std::uint64_t kMaxBurst = 2'300'000'000;   // bytes
static_assert(kMaxBurst <= ~std::uint64_t{0} / kUnitsPerByte);

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

/// level + units, at most depth.
inline std::uint64_t raised(std::uint64_t level, std::uint64_t units, std::uint64_t depth) noexcept {
    const auto room = depth > level ? depth - level : 0;  // a depth just lowered may be below the level
    return units < room ? level + units : depth;
}

/// The level at `now`; where that is before bucket.at, the level as it is.
inline std::uint64_t settled(const Bucket& bucket, const BucketRate& rate, Nanoseconds now) noexcept {
    const auto elapsed = now > bucket.at ? now - bucket.at : 0;
    if (elapsed >= rate.fill_ns) { return rate.depth; }
    return raised(bucket.level, rate.rate * elapsed, rate.depth);  // rate × elapsed < depth
}

/// Takes the tokens for `cost` bytes and passes (true) if there are enough, and leaves the level otherwise. Time
/// running backwards refills nothing.
inline bool take(Bucket& bucket, const BucketRate& rate, Nanoseconds now, std::uint32_t cost) noexcept {
    const auto level = settled(bucket, rate, now);
    bucket.at = now > bucket.at ? now : bucket.at;
    std::uint64_t units = 0;
    const bool passes = !__builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units) && units <= level;
    bucket.level = passes ? level - units : level;
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
    const auto level = settled(bucket, from, now);
    bucket.at = now > bucket.at ? now : bucket.at;
    bucket.level = level < to.depth ? level : to.depth;
}

}  // namespace peerlane::meter
