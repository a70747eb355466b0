#include <algorithm>

#include "dataplane/control/counters.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

/// In use, waiting for its turn, told to be replaced, or at its end.
std::string_view standing(const SaPlan& plan, const State& state) {
    const auto& sa = state.sa_states[plan.slot];
    const auto packets = read(sa.packets);
    const auto bytes = read(sa.bytes);
    if (plan.key.outbound && read(sa.sequence) >= ipsec::last_sequence(plan.esn)) { return "exhausted"; }
    const bool spent = packets >= read(sa.packets_limit) || bytes >= read(sa.bytes_limit);
    const bool soft = packets >= plan.soft.packets || bytes >= plan.soft.bytes;
    if (plan.has_next && (spent || soft)) { return "replaced"; }
    if (spent || read(sa.deadline) == 0) { return "expired"; }
    if (plan.standby && packets == 0) { return "standby"; }
    return soft ? "soft" : "active";
}

}  // namespace

Json sas_json(const Snapshot& snapshot, const State& state) {
    auto list = Json::array();
    for (const auto& plan : snapshot.sas) {
        const auto& name = snapshot.names.tunnels[plan.name];
        const auto& sa = state.sa_states[plan.slot];
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
                 {"state", standing(plan, state)},
                 {"sequence", read(sa.sequence)},
                 {"packets", read(sa.packets)},
                 {"bytes", read(sa.bytes)},
                 {"expired", read(faults.expired)}};
        const std::uint64_t none = 0;
        one["replayed"] = out ? none : read(faults.replayed);
        one["late"] = out ? none : read(faults.late);
        one["lost"] = out ? none
                          : ipsec::lost(state.replay_rings[plan.slot], read(sa.sequence), plan.window, read(sa.base),
                                        read(sa.packets) - faults.packets_base);
        one["bad_icv"] = out ? none : read(faults.bad_icv);
        one["refused"] = out ? none : read(faults.refused);
        list.push_back(std::move(one));
    }
    return list;
}

}  // namespace peerlane::dataplane
