#include "dataplane/control/port_events.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {

std::string port_meaning(const Snapshot& snapshot, std::size_t port, bool up) {
    if (up) { return ""; }
    if (!snapshot.ports[port].access) {
        const auto tunnels = std::ranges::count_if(snapshot.names.tunnels, [&](const Names::Tunnel& tunnel) {
            return snapshot.tunnels[tunnel.slot].port == port;
        });
        return fmt::format("{} tunnels send by it and carry nothing until it is up", tunnels);
    }
    std::size_t here = 0;
    std::size_t pairs = 0;
    for (const auto& circuit : snapshot.names.circuits) {
        if (circuit.peerings.empty()) { continue; }
        const auto slot = snapshot.names.peerings[circuit.peerings.front()].slot;
        const bool ends = std::ranges::any_of(
            circuit.links, [&](Link link) { return snapshot.attachments[slot * kLinks + raw(link)].port == port; });
        here += ends ? 1U : 0U;
        pairs += ends && circuit.links.size() == kLinks ? 1U : 0U;
    }
    return fmt::format("{} circuits have a link there, {} of them another one that carries their flows", here, pairs);
}

std::uint64_t unclaimed(const State& state, std::size_t port) {
    std::uint64_t sum = 0;
    for (const auto& worker : state.workers) { sum += read(worker->unclaimed[port]); }
    return sum;
}

void UnclaimedPackets::tick(const Ports& ports, const State& state, const std::vector<LocalCounts>& local,
                            Nanoseconds now) {
    if (now - looked_ < kLook) { return; }
    looked_ = now;
    seen_.resize(ports.all().size());
    for (std::size_t i = 0; i < seen_.size(); ++i) {
        Seen& seen = seen_[i];
        const auto nobody = unclaimed(state, i);
        const auto refused = local[i].tap_refused;
        if ((nobody == seen.unclaimed && refused == seen.refused) || now < seen.quiet) { continue; }
        const auto& name = ports.all()[i].setup.name;
        if (nobody != seen.unclaimed) {
            log("port {}: {} packets to the edge's own addresses were taken by nobody: what is not ARP, neighbour "
                "discovery, an echo request or a tunnel's is for a tap; set ports.{}.tap, or find who sends them",
                name, nobody - seen.unclaimed, name);
        }
        if (refused != seen.refused) {
            log("port {}: its tap did not take {} packets: see whether it is up, and whether who reads it keeps up",
                name, refused - seen.refused);
        }
        seen = {nobody, refused, now + kQuiet};
    }
}

}  // namespace peerlane::dataplane
