#include <fmt/format.h>

#include "config/derive.hpp"
#include "dataplane/control/counters.hpp"

namespace peerlane::dataplane {
namespace {

std::string bits_per_second(std::uint64_t bytes, Nanoseconds elapsed) {
    if (elapsed == 0) { return "-"; }
    const double rate = static_cast<double>(bytes) * 8e9 / static_cast<double>(elapsed);
    if (rate >= 1e9) { return fmt::format("{:.2f} Gb/s", rate / 1e9); }
    if (rate >= 1e6) { return fmt::format("{:.2f} Mb/s", rate / 1e6); }
    return fmt::format("{:.1f} kb/s", rate / 1e3);
}

std::string reasons(const std::array<std::uint64_t, kDropReasons>& drops, bool circuit) {
    std::string text;
    for (std::size_t i = 0; i < kDropReasons; ++i) {
        if (drops[i] == 0 || (circuit && i == reason_index(Fate::policed))) { continue; }
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", kDropReason[i].name, drops[i]);
    }
    return text.empty() ? "-" : text;
}

}  // namespace

std::string summary(const Snapshot& snapshot, const State& state, Nanoseconds elapsed) {
    std::string text = fmt::format("{:<32} {:<10} {:<12} {:>10} {:>13} {:>10}  {}\n", "circuit", "link", "direction",
                                   "packets", "rate", "policed", "other drops");
    std::array<std::uint64_t, kDropReasons> rest{};
    for (const auto& worker : state.workers) {
        for (std::size_t i = 0; i < kDropReasons; ++i) { rest[i] += read(worker->drops[i]); }
    }
    for (const auto& circuit : snapshot.names.circuits) {
        for (const auto link : circuit.links) {
            for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                const auto counters = circuit_counters(snapshot, state, circuit, link, way);
                std::uint64_t dropped = 0;
                for (std::size_t i = 0; i < kDropReasons; ++i) {
                    dropped += counters.drops[i];
                    rest[i] -= std::min(rest[i], counters.drops[i]);
                }
                if (counters.passed.packets == 0 && dropped == 0) { continue; }
                text += fmt::format("{:<32} {:<10} {:<12} {:>10} {:>13} {:>10}  {}\n",
                                    circuit.customer + '/' + circuit.circuit, config::to_text(link), to_text(way),
                                    counters.passed.packets, bits_per_second(counters.passed.bytes, elapsed),
                                    counters.policed_packets, reasons(counters.drops, true));
            }
        }
    }
    return text + fmt::format("dropped for no circuit: {}\n", reasons(rest, false));
}

}  // namespace peerlane::dataplane
