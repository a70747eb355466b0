#include "dataplane/io/clock.hpp"

#include <ctime>

namespace peerlane::dataplane {
namespace {

struct Reading {
    std::uint64_t tsc;
    std::uint64_t ns;
};

/// The system's clock between two close readings of the counter: of several tries the closest.
Reading read_both() {
    Reading best{};
    std::uint64_t closest = ~std::uint64_t{0};
    for (int i = 0; i < 16; ++i) {
        timespec time{};
        const auto before = rte_rdtsc_precise();
        clock_gettime(CLOCK_MONOTONIC, &time);
        const auto apart = rte_rdtsc_precise() - before;
        if (apart >= closest) { continue; }
        closest = apart;
        best = {before + apart / 2,
                static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec)};
    }
    return best;
}

}  // namespace

TscClock calibrated_clock() {
    const auto first = read_both();
    const timespec pause{0, 100'000'000};
    nanosleep(&pause, nullptr);
    const auto second = read_both();
    __extension__ using Wide = unsigned __int128;
    const auto scale = (Wide{second.ns - first.ns} << 32U) / (second.tsc - first.tsc);
    return {first.tsc, static_cast<std::uint64_t>(scale)};
}

}  // namespace peerlane::dataplane
