#include <algorithm>

#include "dataplane/control/counters.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

bool beyond(const SaLimits& limit, const SaRecord& used) {
    return used.packets >= limit.packets || used.bytes >= limit.bytes ||
           (limit.age != ipsec::kNoLimit && used.age >= limit.age);
}

/// In use, waiting for its turn, due to be replaced, or at its end.
std::string_view standing(const SaPlan& plan, const SaRecord& used) {
    if (plan.key.outbound && used.sequence >= ipsec::last_sequence(plan.esn)) { return "exhausted"; }
    if (plan.has_next && (beyond(plan.soft, used) || beyond(plan.hard, used))) { return "replaced"; }
    if (beyond(plan.hard, used)) { return "expired"; }
    if (plan.standby && used.packets == 0) { return "standby"; }
    return beyond(plan.soft, used) ? "soft" : "active";
}

}  // namespace

Rows sa_rows(const Snapshot& snapshot, const State& state, Nanoseconds now) {
    return {snapshot.sas.size(), [&, now](std::size_t index, Json& list) {
                const auto& plan = snapshot.sas[index];
                const auto& name = snapshot.names.tunnels[plan.name];
                const SaRecord used = record_of(plan, state, now);
                const auto& faults = state.sa_faults[plan.slot];
                const bool out = plan.key.outbound;
                Json one{{"customer", name.customer},
                         {"circuit", name.circuit},
                         {"peering", name.peering},
                         {"virtual_network", name.name},
                         {"direction", to_text(out ? Direction::to_cloud : Direction::to_customer)},
                         {"spi", plan.spi},
                         {"lane", out ? Json(plan.lane) : Json()},
                         {"suite", row(plan.suite).name},
                         {"mode", plan.transport ? "transport" : "tunnel"},
                         {"esn", plan.esn},
                         {"worker", plan.owner},
                         {"state", standing(plan, used)},
                         {"sequence", used.sequence},
                         {"packets", used.packets},
                         {"bytes", used.bytes},
                         {"age_seconds", used.age / 1'000'000'000},
                         {"expired", read(faults.expired)}};
                const std::uint64_t none = 0;
                one["replayed"] = out ? none : read(faults.replayed);
                one["late"] = out ? none : read(faults.late);
                one["lost"] = out ? none
                                  : ipsec::lost(state.replay_rings[plan.slot], used.sequence, plan.window,
                                                faults.sequence_base, used.packets - faults.packets_base);
                one["bad_icv"] = out ? none : read(faults.bad_icv);
                one["refused"] = out ? none : read(faults.refused);
                list.push_back(std::move(one));
            }};
}

}  // namespace peerlane::dataplane
