// One token bucket that several workers draw from at once: a parent changed by a 16-byte compare-and-swap, and what
// each worker has borrowed from it in advance.
//
// With a quantum of q bytes and W workers the parent is CBS + W·q/2 deep and no worker keeps more than q/2:
// - at most CIR·t + CBS + W·q passes in any interval t: a full parent, what the workers hold, and what arrives;
// - a flow that conforms from idle loses nothing however it is spread: what other workers hold, at most (W-1)·q/2, was
//   added to the parent's depth.
// A worker refuses only when parent and own credit together are short. With q = 0 every take() is an atomic operation
// and the bound is the single writer's, CIR·t + CBS.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "lib/base/types.hpp"
#include "lib/meter/bucket.hpp"

namespace peerlane::meter {

/// The parent, alone on its cache line; any worker.
struct alignas(64) SharedBucket {
    Bucket bucket;
};

/// What one worker has borrowed; that worker only.
struct Credit {
    std::uint64_t units = 0;
};

struct SharedRate {
    BucketRate parent;       ///< depth: CBS and the workers' share of the quantum
    std::uint64_t hold = 0;  ///< units a worker may keep, half the quantum
};

inline constexpr std::uint64_t kMinQuantum = 4'096;    // bytes: below two full frames borrowing saves nothing
inline constexpr std::uint64_t kMaxQuantum = 131'072;  // bytes: a burst of 32 full frames fits half of it

/// The quantum in bytes, so that all workers together exceed CBS by at most an eighth; 0 where CBS is too small for
/// that.
inline Bytes quantum(Bytes burst, unsigned workers) noexcept {
    const auto share = raw(burst) / (8 * std::uint64_t{std::max(workers, 1U)});
    const bool fits = raw(burst) + (raw(burst) / 8) <= kMaxBurst;
    return Bytes{share < kMinQuantum || !fits ? 0 : std::min(share, kMaxQuantum)};
}

/// As bucket_rate(), for `workers` that share the bucket with the quantum given.
inline SharedRate shared_rate(BitsPerSecond rate, Bytes burst, unsigned workers, Bytes q) {
    const auto hold = raw(q) / 2;
    return {bucket_rate(rate, Bytes{raw(burst) + (workers * hold)}), hold * kUnitsPerByte};
}
inline SharedRate shared_rate(BitsPerSecond rate, Bytes burst, unsigned workers) {
    return shared_rate(rate, burst, workers, quantum(burst, workers));
}

/// A consistent copy. `at` never goes back, so a level read between two equal values of it belongs to it.
inline Bucket load(const SharedBucket& shared) noexcept {
    for (;;) {
        const auto at = __atomic_load_n(&shared.bucket.at, __ATOMIC_ACQUIRE);
        const auto level = __atomic_load_n(&shared.bucket.level, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&shared.bucket.at, __ATOMIC_ACQUIRE) == at) { return {level, at}; }
    }
}

/// One lock cmpxchg16b (every x86-64-v2 CPU has it); on failure `seen` becomes what is there. Not inlined: the
/// instruction takes rbx, which clang uses for the frame of a caller with a frame that AddressSanitizer aligned.
[[gnu::noinline]] inline bool exchange(SharedBucket& shared, Bucket& seen, Bucket wanted) noexcept {
    __extension__ using Word = unsigned __int128;
    const auto word = [](Bucket bucket) { return Word{bucket.at} << 64U | bucket.level; };
    auto* place = reinterpret_cast<Word*>(&shared.bucket);
    const auto found = __sync_val_compare_and_swap(place, word(seen), word(wanted));
    if (found == word(seen)) { return true; }
    seen = {static_cast<std::uint64_t>(found), static_cast<std::uint64_t>(found >> 64U)};
    return false;
}

/// Before the workers start, or when nobody uses the bucket.
inline void fill(SharedBucket& shared, const SharedRate& rate, Nanoseconds now) noexcept {
    shared.bucket = full_bucket(rate.parent, now);
}

/// Passes `cost` bytes (one packet's, or several packets' together) if own credit and the parent cover them.
inline bool take(SharedBucket& shared, Credit& credit, const SharedRate& rate, Nanoseconds now,
                 std::uint32_t cost) noexcept {
    std::uint64_t units = 0;
    if (__builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units)) { return false; }
    credit.units = std::min(credit.units, rate.hold);  // after a reload, hold may have shrunk
    if (units <= credit.units && rate.hold != 0) [[likely]] {
        credit.units -= units;
        return true;
    }
    const auto missing = units - credit.units;
    auto seen = load(shared);
    for (;;) {
        const auto [level, at] = settled(seen, rate.parent, now);
        if (level < missing) { return false; }
        const auto kept = std::min(level - missing, rate.hold);
        if (exchange(shared, seen, {level - missing - kept, at})) {
            credit.units = kept;
            return true;
        }
    }
}

/// Whether take() would pass `cost` bytes; takes nothing.
inline bool covers(const SharedBucket& shared, const Credit& credit, const SharedRate& rate, Nanoseconds now,
                   std::uint32_t cost) noexcept {
    std::uint64_t units = 0;
    if (__builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units)) { return false; }
    const auto own = std::min(credit.units, rate.hold);
    return units <= own || settled(load(shared), rate.parent, now).level >= units - own;
}

/// Adds units to the parent, up to its depth.
inline void give_back_units(SharedBucket& shared, const SharedRate& rate, std::uint64_t units) noexcept {
    auto seen = load(shared);
    for (;;) {
        if (exchange(shared, seen, {raised(seen.level, units, rate.parent.depth), seen.at})) { return; }
    }
}

/// Returns what a take() of `cost` bytes took: to the own credit as far as it may hold it, the rest to the parent.
inline void give_back(SharedBucket& shared, Credit& credit, const SharedRate& rate, std::uint32_t cost) noexcept {
    std::uint64_t units = 0;
    if (__builtin_mul_overflow(kUnitsPerByte, std::uint64_t{cost}, &units)) { return; }  // take() had refused it
    const auto kept = std::min(units, rate.hold - std::min(credit.units, rate.hold));
    credit.units += kept;
    if (units > kept) { give_back_units(shared, rate, units - kept); }
}

/// As for Bucket, while workers go on; once per reload. A worker's credit adapts itself at its next take().
inline void retune(SharedBucket& shared, const SharedRate& from, const SharedRate& to, Nanoseconds now) noexcept {
    auto seen = load(shared);
    for (;;) {
        auto wanted = seen;
        retune(wanted, from.parent, to.parent, now);
        if (exchange(shared, seen, wanted)) { return; }
    }
}

}  // namespace peerlane::meter
