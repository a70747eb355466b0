#include "dataplane/control/elapsed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <fstream>

namespace peerlane::dataplane {
namespace {

Nanoseconds read_clock(clockid_t which) {
    timespec now{};
    clock_gettime(which, &now);
    return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 + static_cast<Nanoseconds>(now.tv_nsec);
}

Nanoseconds distance(Nanoseconds a, Nanoseconds b) {
    return a > b ? a - b : b - a;
}

}  // namespace

Nanoseconds wall_clock() {
    return read_clock(CLOCK_REALTIME);
}

Nanoseconds up_clock() {
    return read_clock(CLOCK_BOOTTIME);
}

BootId boot_id() {
    BootId id{};
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    file >> text;
    std::erase(text, '-');
    if (text.size() != 2 * id.size() || text.find_first_not_of("0123456789abcdef") != std::string::npos) { return id; }
    for (std::size_t i = 0; i < id.size(); ++i) {
        id[i] = static_cast<std::uint8_t>(std::stoul(text.substr(2 * i, 2), nullptr, 16));
    }
    return id;
}

Elapsed elapsed(const Moment& saved, const Moment& now) {
    const bool known = saved.boot != BootId{} && now.boot != BootId{};
    const bool back = now.wall < saved.wall;
    const auto by_wall = back ? 0 : now.wall - saved.wall;
    const auto says = back ? fmt::format("that it is {} before the time at which the state was saved",
                                         to_duration(saved.wall - now.wall))
                           : fmt::format("that {} have passed since the state was saved", to_duration(by_wall));
    if (known && saved.boot == now.boot && now.up >= saved.up) {
        Elapsed passed{.time = now.up - saved.up};
        if (distance(now.wall, saved.wall + passed.time) > kSlack) {
            passed.event = fmt::format(
                "the system's clock says {}, but the machine's own count says {}: the clock was set meanwhile, or is "
                "wrong; keys grow older by the latter",
                says, to_duration(passed.time));
        }
        return passed;
    }
    const auto least = known ? now.up : 0;  // it was saved before the machine started
    Elapsed passed{.time = std::clamp(by_wall, least, std::max(least, kBelieved)), .by_wall = true};
    if (by_wall > passed.time || (back && saved.wall - now.wall > kSlack)) {
        passed.event = fmt::format(
            "the system's clock says {}: it was or is wrong, or the edge was off for so long; keys grow older by {} "
            "only "
            "(`peerlane sa-age` sets a key's age right)",
            says, to_duration(passed.time));
    }
    return passed;
}

std::string to_duration(Nanoseconds time) {
    constexpr Nanoseconds kSecond = 1'000'000'000;
    const auto seconds = time / kSecond;
    if (seconds >= 3 * 86'400) { return fmt::format("{} days", seconds / 86'400); }
    if (seconds >= 3 * 3'600) { return fmt::format("{} hours", seconds / 3'600); }
    return fmt::format("{} seconds", seconds);
}

}  // namespace peerlane::dataplane
