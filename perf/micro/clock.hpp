// Timing of small pieces of work in cycles of the time-stamp counter.
#pragma once

#include <x86intrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace peerlane::perf {

inline std::uint64_t cycles() noexcept {
    unsigned core = 0;
    return __rdtscp(&core);
}

/// Keeps the compiler from dropping the work that made `value`.
template <class Value>
void keep(const Value& value) noexcept {
    asm volatile("" : : "r,m"(value) : "memory");
}

/// Runs `work`, which does `count` operations, many times, each time after `prepare`, which is not measured; prints
/// median and minimum cycles per operation.
template <class Prepare, class Work>
void measure_after(const char* name, std::size_t count, Prepare prepare, Work work) {
    constexpr int kSamples = 201;
    std::vector<double> samples;
    prepare();
    work();
    for (int i = 0; i < kSamples; ++i) {
        prepare();
        const auto start = cycles();
        work();
        samples.push_back(static_cast<double>(cycles() - start) / static_cast<double>(count));
    }
    std::sort(samples.begin(), samples.end());
    std::printf("%-60s %8.1f %8.1f\n", name, samples[kSamples / 2], samples[0]);
}

/// The same without preparation.
template <class Work>
void measure(const char* name, std::size_t count, Work work) {
    measure_after(name, count, [] {}, work);
}

}  // namespace peerlane::perf
