// Rules for VLANs: what a frame's port and tags say must name one peering.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "config/validate.hpp"

namespace peerlane::config {
namespace {

using PortVlan = std::tuple<std::uint32_t, std::uint16_t>;
using PortVlans = std::tuple<std::uint32_t, std::uint16_t, std::uint16_t>;  // inner VID 0: one tag

/// The circuit's ports that exist, each once.
std::vector<std::uint32_t> ports_of(const Check& check, const Circuit& circuit) {
    std::vector<std::uint32_t> ports;
    for (const CircuitLink& link : circuit.links)
        if (link.port < check.model.ports.size() && std::ranges::find(ports, link.port) == ports.end())
            ports.push_back(link.port);
    return ports;
}

std::string tags(const Circuit& circuit, const Peering& peering) {
    if (!circuit.service_vlan) return fmt::format("the single tag {}", peering.vlan);
    return fmt::format("S-VID {}, C-VID {}", *circuit.service_vlan, peering.vlan);
}

/// Claims the peering's tags on every port of its circuit; one complaint at most, however many ports clash.
void claim(const Check& check, const Circuit& circuit, const Peering& peering, Seen<PortVlans>& seen) {
    const Place place = check.sources.at(peering.place, "vlan");
    const std::uint16_t outer = circuit.service_vlan.value_or(peering.vlan);
    const std::uint16_t inner = circuit.service_vlan ? peering.vlan : std::uint16_t{0};
    const Place* taken = nullptr;
    std::string_view port_name;
    for (const std::uint32_t port : ports_of(check, circuit)) {
        const Place* first = seen.find_or_add({port, outer, inner}, place);
        if (first == nullptr || taken != nullptr) continue;
        taken = first;
        port_name = check.model.ports[port].name;
    }
    if (taken == nullptr) return;
    check.report.error(place,
                       fmt::format("vlan: {} on port {} is another peering's already, at {}", tags(circuit, peering),
                                   port_name, check.report.where(*taken)),
                       "give this peering a VLAN of its own, or its circuit another port");
}

/// Frames still find their peering, but people read an S-VID as a circuit.
void warn_of_shared_service_vlan(const Check& check, const Circuit& circuit, Seen<PortVlan>& seen) {
    const Place place = check.sources.at(circuit.place, "service_vlan");
    for (const std::uint32_t port : ports_of(check, circuit)) {
        const Place* first = seen.find_or_add({port, *circuit.service_vlan}, place);
        if (first == nullptr) continue;
        check.report.warning(
            place,
            fmt::format("service_vlan: S-VID {} on port {} is another circuit's too, at {}", *circuit.service_vlan,
                        check.model.ports[port].name, check.report.where(*first)),
            "give each circuit an S-VID of its own");
        return;
    }
}

}  // namespace

void validate_vlans(const Check& check) {
    Seen<PortVlans> peerings;
    Seen<PortVlan> service;
    each_circuit(check.model, [&](const Customer&, const Circuit& circuit) {
        const bool unreadable = !circuit.service_vlan && check.sources.field(circuit.place, "service_vlan");
        if (unreadable) return;
        if (circuit.service_vlan) warn_of_shared_service_vlan(check, circuit, service);
        for (const Peering& peering : circuit.peerings)
            if (peering.vlan != 0) claim(check, circuit, peering, peerings);
    });
}

}  // namespace peerlane::config
