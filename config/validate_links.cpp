// Rules for links and their subnets.
#include <fmt/format.h>

#include <algorithm>

#include "config/derive.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

void check_ports_differ(const Check& check, const Circuit& circuit) {
    if (circuit.links.size() != 2 || circuit.links[0].port != circuit.links[1].port ||
        circuit.links[0].port >= check.model.ports.size() || check.sources.field(circuit.place, "port"))
        return;
    check.report.error(check.sources.field(circuit.place, "links").find("secondary").place(),
                       fmt::format("links: both are on port {}", check.model.ports[circuit.links[0].port].name),
                       "put the secondary link on another port, or leave it out");
}

/// Where the file gives a link's subnet; nothing if it does not.
Cursor subnet_said(const Check& check, const Peering& peering, Link link, bool v6) {
    if (const Cursor only = check.sources.field(peering.place, v6 ? "subnet6" : "subnet")) return only;
    return check.sources.field(peering.place, v6 ? "subnets6" : "subnets").find(to_text(link));
}

template <class Subnet>
void check_overlap(const Check& check, const Peering& peering, Subnet PeeringLink::* member, bool v6) {
    if (peering.links.size() != 2) return;
    const auto& first = peering.links[0].*member;
    const auto& second = peering.links[1].*member;
    if (!first || !second || !(contains(*first, second->address) || contains(*second, first->address))) return;
    check.report.error(subnet_said(check, peering, peering.links[1].link, v6).place(),
                       fmt::format("{} of the {} link overlaps {} of the {} one", to_string(*second),
                                   to_text(peering.links[1].link), to_string(*first), to_text(peering.links[0].link)),
                       "give each link a subnet of its own, such as the two halves of a larger one");
}

/// A pair needs `subnets`, and every link of ours a subnet.
void check_subnets(const Check& check, const Peering& peering) {
    for (const std::string_view key : {"subnet", "subnet6"})
        if (const Cursor only = check.sources.field(peering.place, key); only && peering.links.size() == 2)
            check.report.error(
                only.place(), fmt::format("{}: the circuit has two links", key),
                fmt::format("write {}s{}: {{ primary: …, secondary: … }}", key.substr(0, 6), key.substr(6)));
    if (!std::ranges::any_of(std::initializer_list<std::string_view>{"subnets", "subnets6"},
                             [&](auto key) { return bool(check.sources.field(peering.place, key)); }))
        return;  // none at all is a missing key
    for (const PeeringLink& link : peering.links)
        if (!subnet_said(check, peering, link.link, false) && !subnet_said(check, peering, link.link, true))
            check.report.error(peering.place, fmt::format("the {} link has no subnet", to_text(link.link)),
                               fmt::format("add `{}` under subnets or subnets6", to_text(link.link)));
}

bool has_family(const std::vector<Prefix>& prefixes, bool v6) {
    return std::ranges::any_of(prefixes,
                               [&](const Prefix& prefix) { return std::holds_alternative<Prefix6>(prefix) == v6; });
}

void warn_of_silent_family(const Check& check, const Peering& peering, bool v6) {
    const bool used = has_family(peering.customer_prefixes, v6) ||
                      std::ranges::any_of(peering.virtual_networks, [&](const VirtualNetwork& network) {
                          return has_family(network.prefixes, v6);
                      });
    const auto silent = [&](const PeeringLink& link) { return !subnet_said(check, peering, link.link, v6); };
    if (!used || std::ranges::none_of(peering.links, silent)) return;
    check.report.warning(
        peering.place,
        fmt::format("{} prefixes without an {} subnet: the edge has no address to send ICMP errors from",
                    v6 ? "IPv6" : "IPv4", v6 ? "IPv6" : "IPv4"),
        v6 ? "add `subnet6` (for a pair `subnets6`)" : "add `subnet` (for a pair `subnets`)");
}

}  // namespace

void validate_links(const Check& check) {
    each_circuit(check.model, [&](const Customer&, const Circuit& circuit) {
        check_ports_differ(check, circuit);
        for (const Peering& peering : circuit.peerings) {
            check_overlap(check, peering, &PeeringLink::subnet, false);
            check_overlap(check, peering, &PeeringLink::subnet6, true);
            check_subnets(check, peering);
            warn_of_silent_family(check, peering, false);
            warn_of_silent_family(check, peering, true);
        }
    });
}

}  // namespace peerlane::config
