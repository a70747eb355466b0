#include "dataplane/tables/compile_neighbours.hpp"

#include <algorithm>

#include "config/derive.hpp"
#include "dataplane/tables/compile_parts.hpp"

namespace peerlane::dataplane {
namespace {

/// Messages a second that the edge's own questions bring from one link: a watched one with both families has 27.
constexpr std::uint64_t kFromNeighbours = 40;

meter::BucketRate per_second(std::uint64_t packets) {
    return meter::bucket_rate(BitsPerSecond{packets * 8}, Bytes{packets});
}

}  // namespace

void NeighbourCompiler::begin() {
    const std::uint64_t punts = model_.edge.punts_per_second;
    asks_ = std::max<std::uint64_t>(punts / 10, 1);
    snapshot_.punt_rate = per_second(punts);
    snapshot_.ask_rate = per_second(asks_);
    snapshot_.neighbour_rate = per_second(asks_ + kFromNeighbours);
    state_.core_neighbours.take("nobody");  // as in State
}

/// Those on the core side: each confirms itself, and may ask.
void NeighbourCompiler::finish() {
    std::vector<std::uint64_t> beside(snapshot_.ports.size());
    for (const auto& plan : snapshot_.neighbours) {
        const bool core = plan.attachment == NeighbourPlan::kCore;
        if (core) { ++beside[plan.port]; }
        snapshot_.next_hops.emplace_back(core ? local_cell::core(plan.port) : plan.attachment, plan.address);
    }
    std::sort(snapshot_.next_hops.begin(), snapshot_.next_hops.end());
    for (std::size_t i = 0; i < beside.size(); ++i) {
        snapshot_.ports[i].neighbour_rate = per_second(asks_ + kFromNeighbours + 2 * beside[i]);
    }
}

void NeighbourCompiler::add_gateways(std::size_t index) {
    const auto& port = model_.ports[index];
    if (port.address && port.gateway) { add_core(index, mapped(*port.gateway), mapped(port.address->address)); }
    if (port.address6 && port.gateway6) { add_core(index, *port.gateway6, port.address6->address); }
}

void NeighbourCompiler::add_customer(const config::Circuit& circuit, const config::Peering& peering,
                                     const config::CircuitLink& end, std::uint32_t attachment) {
    const auto& link = *std::find_if(peering.links.begin(), peering.links.end(),
                                     [&](const auto& one) { return one.link == end.link; });
    NeighbourPlan plan{.port = static_cast<std::uint8_t>(end.port), .attachment = attachment};
    plan.mac = peering.customer_mac;
    plan.watched = circuit.links.size() == kLinks;
    const auto add = [&](bool six, bool other, Ip6 address, Ip6 own) {
        plan.word = neighbour::customer(attachment, six);
        plan.also = other ? neighbour::kNobody : neighbour::customer(attachment, !six);
        plan.address = address;
        plan.own = own;
        snapshot_.neighbours.push_back(plan);
    };
    if (link.subnet) {
        add(false, link.subnet6.has_value(), mapped(config::customer_address(*link.subnet)),
            mapped(config::edge_address(*link.subnet)));
    }
    if (link.subnet6) {
        add(true, link.subnet.has_value(), config::customer_address(*link.subnet6),
            config::edge_address(*link.subnet6));
    }
}

std::uint32_t NeighbourCompiler::next_hop(std::uint32_t index, const IpAddress& remote) {
    const auto& port = model_.ports[index];
    if (port.gateway_mac) { return neighbour::kNobody; }
    if (const auto* four = std::get_if<Ip4>(&remote)) {
        if (!port.address) { return neighbour::kNobody; }
        const bool near = contains(*port.address, *four);
        if (!near && !port.gateway) { return neighbour::kNobody; }
        return add_core(index, mapped(near ? *four : *port.gateway), mapped(port.address->address));
    }
    const auto six = std::get<Ip6>(remote);
    if (!port.address6) { return neighbour::kNobody; }
    const bool near = contains(*port.address6, six);
    if (!near && !port.gateway6) { return neighbour::kNobody; }
    return add_core(index, near ? six : *port.gateway6, port.address6->address);
}

/// Its word. A neighbour that several tunnels have is one.
std::uint32_t NeighbourCompiler::add_core(std::size_t index, Ip6 address, Ip6 own) {
    const auto& port = model_.ports[index];
    const auto slot = state_.core_neighbours.take(port.name + ' ' + to_string(address)).slot;
    NeighbourPlan plan{.word = neighbour::kFirstCore + slot, .port = static_cast<std::uint8_t>(index)};
    plan.address = address;
    plan.own = own;
    plan.mac = port.gateway_mac;
    plan.gateway = (port.gateway && address == mapped(*port.gateway)) || (port.gateway6 && address == *port.gateway6);
    if (core_.insert(slot).second) { snapshot_.neighbours.push_back(plan); }
    return plan.word;
}

}  // namespace peerlane::dataplane
