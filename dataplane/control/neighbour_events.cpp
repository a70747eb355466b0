#include "dataplane/control/neighbour_events.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/derive.hpp"
#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {
namespace {

std::size_t tunnels_by(const Snapshot& snapshot, std::uint32_t word) {
    return static_cast<std::size_t>(std::ranges::count_if(snapshot.names.tunnels, [&](const Names::Tunnel& tunnel) {
        const auto& info = snapshot.tunnels[tunnel.slot];
        return (info.flags & TunnelInfo::kLearns) != 0 && info.neighbour == word;
    }));
}

const Neighbours::Entry* other_link(const Neighbours& neighbours, const NeighbourPlan& plan) {
    const auto& all = neighbours.all();
    const bool four = plan.address.high == 0;
    const auto found = std::ranges::find_if(all, [&](const Neighbours::Entry& entry) {
        return entry.plan.attachment == (plan.attachment ^ 1U) && (entry.plan.address.high == 0) == four;
    });
    return found == all.end() ? nullptr : &*found;
}

/// What it means that the neighbour does not answer, or does again.
std::string meaning(const Snapshot& snapshot, const Neighbours& neighbours, const Neighbours::Entry& entry) {
    const auto& plan = entry.plan;
    if (plan.attachment == NeighbourPlan::kCore) {
        const auto tunnels = tunnels_by(snapshot, plan.word);
        return entry.alive ? fmt::format("{} tunnels send by it again", tunnels)
                           : fmt::format("what {} tunnels send is dropped (no_neighbour) until it does", tunnels);
    }
    if (!plan.watched) {
        return entry.alive ? "packets go to it again" : "packets for it are dropped (no_neighbour) until it does";
    }
    if (entry.alive) { return "its share of the pair's flows comes back to this link"; }
    const auto* other = other_link(neighbours, plan);
    return other != nullptr && other->alive ? "the pair's flows go by the other link"
                                            : "the pair's other link is dead too, and nothing reaches the customer";
}

}  // namespace

std::string mapped_text(Ip6 address) {
    const bool four = address.high == 0 && address.low >> 32U == 0xffff;
    return four ? to_string(Ip4{static_cast<std::uint32_t>(address.low)}) : to_string(address);
}

std::string neighbour_place(const Snapshot& snapshot, const NeighbourPlan& plan) {
    const auto& port = snapshot.ports[plan.port].name;
    if (plan.attachment == NeighbourPlan::kCore) {
        return fmt::format("{} {}", plan.gateway ? "gateway of" : "tunnel end on", port);
    }
    for (const auto& peering : snapshot.names.peerings) {
        if (peering.slot != plan.attachment / kLinks) { continue; }
        return fmt::format("{}/{} {}, {} link on {}", peering.customer, peering.circuit, peering.type,
                           config::to_text(static_cast<Link>(plan.attachment % kLinks)), port);
    }
    return port;
}

void NeighbourEvents::changed(const Snapshot& snapshot, const Neighbours& neighbours, const Neighbours::Entry& entry,
                              unsigned changes, Nanoseconds now) {
    if (full_ > now + (kAtOnce - 1) * kLine) {
        ++(entry.alive ? came_ : died_);
        return;
    }
    full_ = std::max(full_, now) + kLine;
    const auto often = changes > 1 ? fmt::format(" (changed {} times since it was last told)", changes) : "";
    log("neighbour {} ({}) {}{}: {}", mapped_text(entry.plan.address), neighbour_place(snapshot, entry.plan),
        entry.alive ? fmt::format("answers again, with {}", to_string(entry.mac)) : "does not answer", often,
        meaning(snapshot, neighbours, entry));
}

void NeighbourEvents::tick(Nanoseconds now) {
    if ((died_ | came_) == 0 || now - summed_ < kSummary) { return; }
    summed_ = now;
    log("{} more neighbours stopped answering, and {} answer again: `show neighbours` lists them", died_, came_);
    died_ = came_ = 0;
}

}  // namespace peerlane::dataplane
