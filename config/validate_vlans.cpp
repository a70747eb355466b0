// Rules for VLANs: what a frame's port and tags say must name one peering.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "config/validate.hpp"

namespace peerlane::config {
namespace {

using PortVlan = std::tuple<std::uint32_t, std::uint16_t>;

/// The circuit's ports that exist, each once.
std::vector<std::uint32_t> ports_of(const Check& check, const Circuit& circuit) {
    std::vector<std::uint32_t> ports;
    for (const CircuitLink& link : circuit.links)
        if (link.port < check.model.ports.size() && std::ranges::find(ports, link.port) == ports.end())
            ports.push_back(link.port);
    return ports;
}

/// Claims the VLAN on every port of the circuit; one complaint at most, however many ports clash.
void claim(const Check& check, const Circuit& circuit, std::uint16_t vlan, Place place, Seen<PortVlan>& seen,
           std::string_view what, std::string_view owner) {
    const Place* taken = nullptr;
    std::string_view port_name;
    for (const std::uint32_t port : ports_of(check, circuit)) {
        const Place* first = seen.find_or_add({port, vlan}, place);
        if (first == nullptr || taken != nullptr) continue;
        taken = first;
        port_name = check.model.ports[port].name;
    }
    if (taken != nullptr)
        check.report.error(place,
                           fmt::format("{} {} on port {} is another {}'s already, at {}", what, vlan, port_name, owner,
                                       check.report.where(*taken)),
                           fmt::format("give this {} a VLAN or port of its own", owner));
}

void check_inner_vlans(const Check& check, const Circuit& circuit) {
    Seen<std::uint16_t> seen;
    for (const Peering& peering : circuit.peerings) {
        if (peering.vlan == 0) continue;
        const Place place = check.sources.at(peering.place, "vlan");
        if (const Place* first = seen.find_or_add(peering.vlan, place))
            check.report.error(place,
                               fmt::format("vlan: S-VID {}, C-VID {} is another peering's already, at {}",
                                           *circuit.service_vlan, peering.vlan, check.report.where(*first)),
                               "give this peering a C-VID of its own");
    }
}

}  // namespace

void validate_vlans(const Check& check) {
    Seen<PortVlan> service;  // an S-VID belongs to one circuit per port, whatever C-VIDs are below it
    Seen<PortVlan> single;   // apart: one tag V and an outer tag V are told apart by the inner tag
    each_circuit(check.model, [&](const Customer&, const Circuit& circuit) {
        if (circuit.service_vlan) {
            const Place place = check.sources.at(circuit.place, "service_vlan");
            claim(check, circuit, *circuit.service_vlan, place, service, "service_vlan:", "circuit");
            check_inner_vlans(check, circuit);
        } else if (!check.sources.field(circuit.place, "service_vlan")) {
            for (const Peering& peering : circuit.peerings)
                if (peering.vlan != 0)
                    claim(check, circuit, peering.vlan, check.sources.at(peering.place, "vlan"), single,
                          "vlan: the single tag", "peering");
        }
    });
}

}  // namespace peerlane::config
