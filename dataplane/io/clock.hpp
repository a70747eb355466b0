// Nanoseconds from the time stamp counter: one multiplication, no division, no system call.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Monotone, shared by all threads of the process (the counter is synchronous over the cores); starts near 0.
struct TscClock {
    std::uint64_t base = 0;
    std::uint64_t scale = 0;  // nanoseconds per cycle, in 2^-32

    [[nodiscard]] Nanoseconds at(std::uint64_t tsc) const noexcept {
        __extension__ using Wide = unsigned __int128;
        return static_cast<Nanoseconds>(Wide{tsc - base} * scale >> 32U);
    }
    [[nodiscard]] Nanoseconds now() const noexcept { return at(rte_rdtsc()); }
};

/// Takes 0.1 s: DPDK's own figure is rounded to 10 MHz, which would bend every rate by up to 0.2 %.
TscClock calibrated_clock();

}  // namespace peerlane::dataplane
