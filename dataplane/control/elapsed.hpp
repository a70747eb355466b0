// What passes from one run of the edge to the next: by the kernel's own count within one boot of the machine, by the
// wall clock, within bounds, beyond.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// CLOCK_REALTIME in nanoseconds since 1970. Anybody may set it.
Nanoseconds wall_clock();
/// CLOCK_BOOTTIME in nanoseconds: since the machine started, time asleep included. Nobody sets it.
Nanoseconds up_clock();
/// /proc/sys/kernel/random/boot_id: another one for each start of the machine. All zeroes where it cannot be read.
using BootId = std::array<std::uint8_t, 16>;
BootId boot_id();

/// Where time comes from; a test has its own.
struct Clocks {
    std::function<Nanoseconds()> wall = wall_clock;
    std::function<Nanoseconds()> up = up_clock;
    BootId boot = boot_id();
};

/// A moment by all clocks.
struct Moment {
    Nanoseconds wall = 0;
    BootId boot{};
    Nanoseconds up = 0;
    bool operator==(const Moment&) const = default;
};

/// What passed between two moments.
struct Elapsed {
    Nanoseconds time = 0;
    bool by_wall = false;  // it rests on the wall clock, which may be wrong
    std::string event{};   // what a clock says that cannot be believed; empty: nothing
};

/// Across a restart of the machine the wall clock is believed for so long; what it says beyond is an event.
inline constexpr Nanoseconds kBelieved = Nanoseconds{24} * 3'600 * 1'000'000'000;
/// So much the wall clock may go wrong, or be set right, without a word.
inline constexpr Nanoseconds kSlack = 10'000'000'000;

/// From `saved` to `now`, which is later whatever the clocks say. Within one boot it is the kernel's count; beyond at
/// least the time since the machine started, and at most kBelieved if that is more.
Elapsed elapsed(const Moment& saved, const Moment& now);

/// How long, for a person: "30 days", "26 hours", "90 seconds".
std::string to_duration(Nanoseconds time);

}  // namespace peerlane::dataplane
