// Rules of who has which address on which segment: the edge, gateways, tunnels' ends, customers' routers; and prefixes
// that no forwarded packet has.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>

#include "config/derive.hpp"
#include "config/validate.hpp"
#include "lib/net/never_forwarded.hpp"

namespace peerlane::config {
namespace {

// ---- prefixes ----------------------------------------------------------------------------------------------------

Prefix4 half(Prefix4 whole, bool upper) {
    const auto length = static_cast<std::uint8_t>(whole.length + 1);
    const auto bit = upper ? std::uint32_t{1} << (32U - length) : 0U;
    return {{first_address(whole).value | bit}, length};
}
Prefix6 half(Prefix6 whole, bool upper) {
    const auto length = static_cast<std::uint8_t>(whole.length + 1);
    Ip6 first = first_address(whole);
    if (upper) {
        if (length <= 64)
            first.high |= std::uint64_t{1} << (64U - length);
        else
            first.low |= std::uint64_t{1} << (128U - length);
    }
    return {first, length};
}

const auto& table_for(Prefix4) {
    return kNeverForwarded4;
}
const auto& table_for(Prefix6) {
    return kNeverForwarded6;
}

/// Why no packet has an address of the prefix; empty if some may have. Blocks may be in it side by side: 224.0.0.0/3.
template <class Prefix_>
std::string why_never(Prefix_ prefix) {
    if (const auto* block = never_forwarded(prefix))
        return fmt::format("in {}, which is {}", to_string(block->prefix), block->what);
    for (const auto& block : table_for(prefix)) {
        if (block.prefix.length <= prefix.length || !contains(prefix, block.prefix.address)) continue;
        const std::string lower = why_never(half(prefix, false));
        const std::string upper = lower.empty() ? "" : why_never(half(prefix, true));
        return upper.empty() ? "" : fmt::format("partly {}, partly {}", lower, upper);
    }
    return "";
}

bool is_inside(const Prefix& inner, const Prefix& outer) {
    return std::visit(
        [&](auto whole) {
            const auto* part = std::get_if<decltype(whole)>(&inner);
            return part != nullptr && part->length > whole.length && contains(whole, part->address);
        },
        outer);
}

/// One of a peering's lists of prefixes.
void check_prefixes(const Check& check, const Peering& peering, const std::vector<Prefix>& prefixes, Place owner,
                    std::string_view key) {
    // The sources of the other types are public ones, which is a rule of its own (validate_prefixes.cpp).
    const bool public_sources = key == "customer_prefixes" && peering.type != PeeringType::private_;
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
        const Prefix& prefix = prefixes[i];
        const Place place = check.sources.item(owner, key, i);
        const std::string why = std::visit([](auto one) { return why_never(one); }, prefix);
        if (!why.empty() && !public_sources)
            check.report.error(
                place, fmt::format("{}: {} is {}: no packet is forwarded from or to it", key, to_string(prefix), why),
                "remove it, or write the prefix that is meant");
        const auto of_link = [&](const auto& subnet, Link link) {
            if (!subnet || !is_inside(prefix, *subnet)) return;
            check.report.error(place,
                               fmt::format("{}: {} is in {}, whose addresses are those of the {} link itself", key,
                                           to_string(prefix), to_string(*subnet), to_text(link)),
                               "remove it: a link's subnet is accepted and connected anyway");
        };
        for (const PeeringLink& link : peering.links) {
            of_link(link.subnet, link.link);
            of_link(link.subnet6, link.link);
        }
    }
}

void warn_of_link_local(const Check& check, const Peering& peering) {
    for (const PeeringLink& link : peering.links) {
        if (!link.subnet || !is_link_local(link.subnet->address)) continue;
        const bool pair = peering.links.size() == 2;
        check.report.warning(
            check.sources.at(peering.place, pair ? "subnets" : "subnet"),
            fmt::format("subnet: {} of the {} link is link-local (RFC 3927): only the two routers of the link reach it",
                        to_string(*link.subnet), to_text(link.link)),
            "write another prefix if the customer's router is to be reached from the cloud");
    }
}

// ---- the core ----------------------------------------------------------------------------------------------------

struct Holder {
    std::string who;
    Place place;
};
using Holders = std::map<IpAddress, Holder>;

/// Who has which address on the core side; the first one who claims it.
struct Core {
    Holders own;       // of ports
    Holders gateways;  // of ports
    Holders locals;    // of tunnels
};

template <class Optional>
void add(Holders& holders, const Check& check, const Port& port, const Optional& address, std::string_view key,
         std::string_view what) {
    if (address)
        holders.try_emplace(IpAddress{*address},
                            Holder{fmt::format("{} of port {}", what, port.name), check.sources.at(port.place, key)});
}

/// The addresses of the two ends of a tunnel or of ESP around it, where the file gives them.
template <class Visit>
void each_end(const Check& check, const VirtualNetwork& network, Visit visit) {
    if (network.tunnel.place.line != 0) visit(network.tunnel.place, network.tunnel.local, network.tunnel.remote);
    if (!network.ipsec || network.ipsec->place.line == 0) return;
    const auto said = [&](std::string_view key, const IpAddress& address) {
        return check.sources.field(network.ipsec->place, key) ? address : IpAddress{};
    };
    // Two alike are complained of by check_ends().
    if (network.ipsec->local != network.ipsec->remote)
        visit(network.ipsec->place, said("local", network.ipsec->local), said("remote", network.ipsec->remote));
}

Core core_of(const Check& check) {
    Core core;
    for (const Port& port : check.model.ports) {
        if (port.role != Role::core) continue;
        const auto own = [](const auto& prefix) { return prefix ? std::optional(prefix->address) : std::nullopt; };
        add(core.own, check, port, own(port.address), "address", "the address");
        add(core.own, check, port, own(port.address6), "address6", "the address");
        add(core.gateways, check, port, port.gateway, "gateway", "the gateway");
        add(core.gateways, check, port, port.gateway6, "gateway6", "the gateway");
    }
    // What is both is complained of where the gateway is.
    for (const auto& [address, holder] : core.own) core.gateways.erase(address);
    each_network(check.model, [&](const VirtualNetwork& network) {
        each_end(check, network, [&](Place place, const IpAddress& local, const IpAddress&) {
            if (is_set(local))
                core.locals.try_emplace(local, Holder{"the local end of a tunnel", check.sources.at(place, "local")});
        });
    });
    return core;
}

/// Why an address of a core port's subnet is no host's; empty if it may be one. A /31 has two hosts (RFC 3021).
std::string why_no_host(const Model& model, const IpAddress& address) {
    for (const Port& port : model.ports) {
        if (port.role != Role::core) continue;
        if (const Ip4* four = std::get_if<Ip4>(&address)) {
            if (!port.address || port.address->length > 30 || !contains(*port.address, *four)) continue;
            const bool first = *four == first_address(*port.address);
            if (first || *four == last_address(*port.address))
                return fmt::format("the {} address of the subnet of port {}", first ? "network" : "broadcast",
                                   port.name);
        } else if (port.address6 && port.address6->length < 127 &&
                   std::get<Ip6>(address) == first_address(*port.address6)) {
            return fmt::format("the routers' anycast address in the subnet of port {} (RFC 4291 §2.6.1)", port.name);
        }
    }
    return "";
}

bool link_local(const IpAddress& address) {
    return std::visit([](auto one) { return is_link_local(one); }, address);
}

void check_end(const Check& check, Place place, std::string_view key, const IpAddress& address,
               std::initializer_list<const Holders*> others, std::string_view remedy) {
    const auto refuse = [&](const std::string& why) {
        check.report.error(place, fmt::format("{}: {} is {}", key, to_string(address), why), std::string(remedy));
    };
    if (link_local(address)) return refuse("link-local: no router forwards from or to it");
    for (const Holders* holders : others)
        if (const auto held = holders->find(address); held != holders->end())
            return refuse(fmt::format("{}, at {}", held->second.who, check.report.where(held->second.place)));
    if (const std::string why = why_no_host(check.model, address); !why.empty()) refuse(why);
}

void check_tunnels(const Check& check, const Core& core) {
    each_network(check.model, [&](const VirtualNetwork& network) {
        each_end(check, network, [&](Place place, const IpAddress& local, const IpAddress& remote) {
            if (is_set(local))
                check_end(check, check.sources.at(place, "local"), "local", local, {&core.gateways},
                          "write an address that only the edge has");
            // Its own local end is complained of by check_ends().
            if (is_set(remote) && remote != local)
                check_end(check, check.sources.at(place, "remote"), "remote", remote, {&core.own, &core.locals},
                          "write the address of the cloud gateway");
        });
    });
}

/// RFC 4291 appendix A: the link-local address that the edge has with this MAC.
Ip6 own_link_local(const Mac& mac) {
    const auto& o = mac.octets;
    const auto bits = [](std::uint8_t octet, unsigned shift) { return std::uint64_t{octet} << shift; };
    return {0xfe80'0000'0000'0000, bits(o[0] ^ 2U, 56) | bits(o[1], 48) | bits(o[2], 40) | 0xff'fe00'0000U |
                                       bits(o[3], 16) | bits(o[4], 8) | o[5]};
}

void check_gateways(const Check& check, const Core& core, const Port& port) {
    const auto look = [&](const IpAddress& gateway, const IpAddress& own, std::string_view key) {
        const auto refuse = [&](const std::string& why) {
            check.report.error(check.sources.at(port.place, key),
                               fmt::format("{}: {} is {}", key, to_string(gateway), why),
                               "write the address of the next hop");
        };
        if (gateway == own) return;  // complained of by validate_ports()
        if (const auto held = core.own.find(gateway); held != core.own.end())
            return refuse(fmt::format("{}, at {}", held->second.who, check.report.where(held->second.place)));
        const bool four = std::holds_alternative<Ip4>(gateway);
        if (const std::string why = four ? why_no_host(check.model, gateway) : ""; !why.empty()) refuse(why);
        if (port.mac && gateway == IpAddress{own_link_local(*port.mac)})
            refuse("the edge's own link-local address on this port");
    };
    if (port.gateway && port.address) look(*port.gateway, port.address->address, "gateway");
    if (port.gateway6 && port.address6) look(*port.gateway6, port.address6->address, "gateway6");
}

// ---- MACs --------------------------------------------------------------------------------------------------------

void check_mac(const Check& check, Place place, std::string_view key, const Mac& mac, const Port& port,
               std::string_view whose) {
    if (!port.mac || *port.mac != mac) return;
    check.report.error(place,
                       fmt::format("{}: {} is the edge's own on port {}, at {}", key, to_string(mac), port.name,
                                   check.report.where(check.sources.at(port.place, "mac"))),
                       fmt::format("write the Ethernet address of {}", whose));
}

}  // namespace

void validate_roles(const Check& check) {
    const Core core = core_of(check);
    for (const Port& port : check.model.ports) {
        if (port.role != Role::core) continue;
        check_gateways(check, core, port);
        if (port.gateway_mac)
            check_mac(check, check.sources.at(port.place, "gateway_mac"), "gateway_mac", *port.gateway_mac, port,
                      "the next hop");
    }
    check_tunnels(check, core);
    each_peering(check.model, [&](const Customer&, const Circuit& circuit, const Peering& peering) {
        check_prefixes(check, peering, peering.customer_prefixes, peering.place, "customer_prefixes");
        for (const VirtualNetwork& network : peering.virtual_networks)
            check_prefixes(check, peering, network.prefixes, network.place, "prefixes");
        warn_of_link_local(check, peering);
        for (const CircuitLink& link : circuit.links)
            if (peering.customer_mac && link.port < check.model.ports.size())
                check_mac(check, check.sources.at(peering.place, "customer_mac"), "customer_mac", *peering.customer_mac,
                          check.model.ports[link.port], "the customer's router");
    });
}

}  // namespace peerlane::config
