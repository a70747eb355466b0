#include "dataplane/tables/compile_neighbours.hpp"

#include <algorithm>

#include "config/derive.hpp"
#include "dataplane/tables/compile_parts.hpp"

namespace peerlane::dataplane {

void NeighbourCompiler::begin() {
    state_.core_neighbours.take("nobody");  // neighbour::kNobody
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
    if (core_.insert(slot).second) { snapshot_.neighbours.push_back(plan); }
    return plan.word;
}

}  // namespace peerlane::dataplane
