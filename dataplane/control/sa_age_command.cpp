#include "dataplane/control/sa_age_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/control/counters.hpp"
#include "dataplane/control/elapsed.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr std::uint64_t kOldest = 100 * 365 * std::uint64_t{86'400};

std::string tunnel_of(const Snapshot& snapshot, const SaPlan& plan) {
    const auto& name = snapshot.names.tunnels[plan.name];
    return fmt::format("{}/{}/{}/{}", name.customer, name.circuit, name.peering, name.name);
}

std::string_view direction_of(const SaPlan& plan) {
    return to_text(plan.key.outbound ? Direction::to_cloud : Direction::to_customer);
}

Json refused(const std::string& what) {
    return {{"ok", false}, {"error", what}};
}

/// The number under a key, if there is one.
std::optional<std::uint64_t> number(const Json& request, const char* key) {
    const auto found = request.find(key);
    if (found == request.end() || !found->is_number_unsigned()) { return std::nullopt; }
    return found->get<std::uint64_t>();
}

/// Whether the request leaves it open, or says `value`.
bool agrees(const Json& request, const char* key, std::string_view value) {
    const auto found = request.find(key);
    return found == request.end() || (found->is_string() && found->get<std::string>() == value);
}

}  // namespace

Json set_sa_age(const Snapshot& snapshot, const State& state, SaUpkeep& upkeep, Nanoseconds now, const Json& request) {
    const auto spi = number(request, "spi");
    const auto seconds = number(request, "age_seconds");
    if (!spi || !seconds) { return refused("`spi` and `age_seconds` are needed, as whole numbers"); }
    if (*seconds > kOldest) { return refused("`age_seconds` is more than a hundred years"); }
    std::vector<const SaPlan*> found;
    for (const auto& plan : snapshot.sas) {
        if (plan.spi == *spi && agrees(request, "direction", direction_of(plan)) &&
            agrees(request, "tunnel", tunnel_of(snapshot, plan))) {
            found.push_back(&plan);
        }
    }
    if (found.empty()) { return refused(fmt::format("no SA has SPI {:#x}; `show sas` lists them", *spi)); }
    if (found.size() > 1) {
        std::vector<std::string> all;
        all.reserve(found.size());
        for (const auto* plan : found) {
            all.push_back(fmt::format("{} {}", direction_of(*plan), tunnel_of(snapshot, *plan)));
        }
        return refused(
            fmt::format("several SAs have SPI {:#x}: {}; say direction and tunnel", *spi, fmt::join(all, ", ")));
    }
    const auto& plan = *found.front();
    const auto was = age_of(plan, state, now);
    if (!upkeep.set_age(snapshot, plan, *seconds * kSecond)) {
        return refused(
            fmt::format("the key of SPI {:#x} has not been used yet: its time begins with its first packet", *spi));
    }
    log("{} {} SPI {:#x}: its key is {} old by command, not {}", tunnel_of(snapshot, plan), direction_of(plan), *spi,
        to_duration(*seconds * kSecond), to_duration(was));
    return {{"ok", true}, {"was_seconds", was / kSecond}, {"age_seconds", *seconds}};
}

}  // namespace peerlane::dataplane
