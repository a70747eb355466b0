#include "dataplane/control/neighbours_view.hpp"

#include <unordered_map>

#include "config/derive.hpp"
#include "dataplane/control/neighbour_events.hpp"
#include "dataplane/pipeline/burst.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Rows neighbour_rows(const Snapshot& snapshot, const Neighbours& neighbours, Nanoseconds now) {
    std::unordered_map<std::uint32_t, const Names::Peering*> peerings;
    for (const auto& peering : snapshot.names.peerings) { peerings.emplace(peering.slot, &peering); }
    return {
        neighbours.all().size(), [&, now, peerings = std::move(peerings)](std::size_t one, Json& list) {
            const auto& entry = neighbours.all()[one];
            const auto attachment = entry.plan.attachment;
            const auto found = peerings.find(attachment / kLinks);
            const auto* peering = attachment == kNowhere || found == peerings.end() ? nullptr : found->second;
            const bool known = entry.mac != Mac{};
            list.push_back(
                {{"port", snapshot.ports[entry.plan.port].name},
                 {"customer", peering != nullptr ? Json(peering->customer) : Json()},
                 {"circuit", peering != nullptr ? Json(peering->circuit) : Json()},
                 {"peering", peering != nullptr ? Json(peering->type) : Json()},
                 {"link", peering != nullptr ? Json(config::to_text(static_cast<Link>(attachment % kLinks))) : Json()},
                 {"address", mapped_text(entry.plan.address)},
                 {"mac", known ? Json(to_string(entry.mac)) : Json()},
                 {"state", to_text(entry.state)},
                 {"age_ms", entry.confirmed != 0 ? Json((now - std::min(now, entry.confirmed)) / 1'000'000) : Json()},
                 {"changes", entry.changes},
                 {"held", entry.held.size()}});
        }};
}

}  // namespace peerlane::dataplane
