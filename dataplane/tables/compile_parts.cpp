#include "dataplane/tables/compile_parts.hpp"

#include <algorithm>
#include <bit>

#include "config/derive.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

std::uint32_t customer(std::uint32_t slot, Link link) noexcept {
    return route::make(route::Kind::customer, slot * kLinks + raw(link));
}
std::uint32_t special(route::Special what) noexcept {
    return route::make(route::Kind::special, static_cast<std::uint32_t>(what));
}
std::uint32_t accepted_everywhere() noexcept {
    return route::kAcceptPrimary | route::kAcceptSecondary;
}

/// What differs between the families.
struct Four {
    using Address = Ip4;
    using Prefix = Prefix4;
    using Route = table::Route4;
    using Range = table::Range4;
    static std::optional<Prefix4> subnet(const config::PeeringLink& link) { return link.subnet; }
    static Prefix4 host(Ip4 address) { return {address, 32}; }
    /// The network and broadcast addresses of a subnet are no hosts (RFC 1812 §4.2.3.1; a /31 has none, RFC 3021).
    static void add_broadcasts(std::vector<Route>& routes, Prefix4 subnet) {
        if (subnet.length > 30) { return; }
        routes.push_back({host(first_address(subnet)), special(route::Special::broadcast)});
        routes.push_back({host(last_address(subnet)), special(route::Special::broadcast)});
    }
};
struct Six {
    using Address = Ip6;
    using Prefix = Prefix6;
    using Route = table::Route6;
    using Range = table::Range6;
    static std::optional<Prefix6> subnet(const config::PeeringLink& link) { return link.subnet6; }
    static Prefix6 host(Ip6 address) { return {address, 128}; }
    static void add_broadcasts(std::vector<Route>& /*routes*/, Prefix6 /*subnet*/) {}
};

template <class Family>
std::vector<typename Family::Range> vrf_ranges(const config::Peering& peering, std::uint32_t slot, Link home,
                                               const std::vector<std::uint32_t>& tunnel_slots) {
    using Prefix = typename Family::Prefix;
    using Route = typename Family::Route;
    std::vector<Route> routes;
    std::vector<Route> prefixes;
    const auto kind = peering.links.size() == kLinks ? route::Kind::pair : route::Kind::customer;
    const auto behind = route::make(kind, slot * kLinks + raw(home));
    for (const auto& prefix : peering.customer_prefixes) {
        if (const auto* one = std::get_if<Prefix>(&prefix)) {
            routes.push_back({*one, behind});
            prefixes.push_back({*one, accepted_everywhere()});
        }
    }
    for (std::size_t i = 0; i < peering.virtual_networks.size(); ++i) {
        for (const auto& prefix : peering.virtual_networks[i].prefixes) {
            if (const auto* one = std::get_if<Prefix>(&prefix)) {
                routes.push_back({*one, route::make(route::Kind::tunnel, tunnel_slots[i])});
            }
        }
    }
    const auto either = [](std::uint32_t a, std::uint32_t b) { return a | b; };
    auto accepted = table::longest_prefix_ranges(prefixes);
    std::vector<Route> own;
    for (const auto& link : peering.links) {
        const auto subnet = Family::subnet(link);
        if (!subnet) { continue; }
        const auto edge = Family::host(config::edge_address(*subnet));
        routes.push_back({*subnet, customer(slot, link.link)});
        Family::add_broadcasts(routes, *subnet);
        routes.push_back({edge, special(route::Special::local)});
        const std::vector<Route> connected{{*subnet, route::accept_bit(link.link)}};
        accepted = table::overlay(accepted, table::longest_prefix_ranges(connected), either);
        own.push_back({edge, 1});
        Family::add_broadcasts(own, *subnet);
    }
    const auto but_not = [](std::uint32_t a, std::uint32_t b) { return b != 0 ? 0U : a; };
    accepted = table::overlay(accepted, table::longest_prefix_ranges(own), but_not);
    return table::overlay(table::longest_prefix_ranges(routes), accepted, either);
}

void put_mac(std::uint8_t* at, const Mac& mac) {
    std::copy(mac.octets.begin(), mac.octets.end(), at);
}

}  // namespace

std::shared_ptr<const Snapshot::Vrf> compile_vrf(const config::Peering& peering, std::uint32_t slot, Link home,
                                                 const std::vector<std::uint32_t>& tunnel_slots,
                                                 const Snapshot* previous) {
    auto ranges4 = vrf_ranges<Four>(peering, slot, home, tunnel_slots);
    auto ranges6 = vrf_ranges<Six>(peering, slot, home, tunnel_slots);
    const Snapshot::Vrf* old = nullptr;
    if (previous != nullptr && slot < previous->vrfs.size()) { old = previous->vrfs[slot].get(); }
    if (old != nullptr && old->ranges4 == ranges4 && old->ranges6 == ranges6) { return previous->vrfs[slot]; }
    auto vrf = std::make_shared<Snapshot::Vrf>();
    vrf->routes4 = old != nullptr && old->ranges4 == ranges4 ? old->routes4 : table::RouteTable4::build(ranges4);
    vrf->routes6 = old != nullptr && old->ranges6 == ranges6 ? old->routes6 : table::RouteTable6::build(ranges6);
    vrf->ranges4 = std::move(ranges4);
    vrf->ranges6 = std::move(ranges6);
    return vrf;
}

Ip6 mapped(const IpAddress& address) noexcept {
    if (const auto* four = std::get_if<Ip4>(&address)) { return {0, table::mapped(*four)}; }
    return std::get<Ip6>(address);
}

table::TunnelIdentity tunnel_identity(const config::Tunnel& tunnel) noexcept {
    const auto local = mapped(tunnel.local);
    const auto remote = mapped(tunnel.remote);
    table::TunnelIdentity identity;
    identity.local_high = local.high;
    identity.local_low = local.low;
    identity.remote_high = remote.high;
    identity.remote_low = remote.low;
    identity.has_key = tunnel.key ? 1 : 0;
    identity.key = tunnel.key ? raw(*tunnel.key) : 0;
    return identity;
}

void put_delivery_header(std::uint8_t* at, const IpAddress& local, const IpAddress& remote, std::uint8_t protocol) {
    if (const auto* six = std::get_if<Ip6>(&local)) {
        const auto to = std::get<Ip6>(remote);
        auto& ip = *reinterpret_cast<Ipv6*>(at);
        ip.version_class_flow.set(6U << 28U);
        ip.next_header = protocol;
        ip.hop_limit = ip::kHopLimit;
        ip.source_high.set(six->high);
        ip.source_low.set(six->low);
        ip.destination_high.set(to.high);
        ip.destination_low.set(to.low);
        return;
    }
    auto& ip = *reinterpret_cast<Ipv4*>(at);
    ip.version_ihl = 0x45;
    ip.fragment.set(Ipv4::kDontFragment);
    ip.ttl = ip::kHopLimit;
    ip.protocol = protocol;
    ip.source.set(std::get<Ip4>(local).value);
    ip.destination.set(std::get<Ip4>(remote).value);
}

void compile_tunnel(const config::Tunnel& tunnel, const config::Port& port, const PortInfo& port_info,
                    std::uint8_t port_index, TunnelInfo& info, TunnelHeader& header) {
    const bool six = std::holds_alternative<Ip6>(tunnel.local);
    const auto overhead = config::tunnel_overhead(tunnel);
    info.mtu = static_cast<std::uint16_t>(port.mtu - overhead);
    info.port = port_index;
    info.header_length = static_cast<std::uint8_t>(sizeof(ether::Header) + overhead);
    info.flags = static_cast<std::uint8_t>((six ? TunnelInfo::kOuterV6 : 0) | (tunnel.key ? TunnelInfo::kKey : 0) |
                                           (tunnel.mss_clamp ? TunnelInfo::kClampMss : 0) |
                                           (tunnel.dscp ? TunnelInfo::kFixedDscp : 0) |
                                           (tunnel.inner_df == config::InnerDf::ignore ? TunnelInfo::kIgnoreDf : 0) |
                                           (port_info.has_gateway_mac ? 0 : TunnelInfo::kLearns));
    info.dscp = static_cast<std::uint8_t>(tunnel.dscp.value_or(0) << 2U);

    header = {};
    std::uint8_t* at = header.octets.data() + header.octets.size() - info.header_length;
    auto& link = *reinterpret_cast<ether::Header*>(at);
    put_mac(link.destination, port_info.gateway_mac);
    put_mac(link.source, port_info.mac_address);
    link.type.set(six ? ether::kIpv6 : ether::kIpv4);
    at += sizeof(ether::Header);
    put_delivery_header(at, tunnel.local, tunnel.remote, ip::kGre);
    if (!six) { info.header_sum = fold(sum_words(at, sizeof(Ipv4))); }
    at += six ? sizeof(Ipv6) : sizeof(Ipv4);
    auto& gre = *reinterpret_cast<Gre*>(at);
    gre.flags.set(tunnel.key ? Gre::kKey : 0);
    if (tunnel.key) { reinterpret_cast<Be32*>(at + sizeof(Gre))->set(raw(*tunnel.key)); }
}

void set_tpids(const config::Port& port, PortInfo& info) noexcept {
    const auto sent = [&](std::uint16_t tpid) {
        info.hears_tpids |= tpid == config::kHeardTpid;
        return tpid == config::kHeardTpid ? ether::kVlan : tpid;
    };
    info.service_tpid = sent(port.service_tpid);
    info.single_tpid = sent(port.single_tpid);
    info.inner_tpid = port.inner_tpid;
    info.outer_tpids = ether::kUsualTpids | ether::tpid_bit(info.service_tpid) | ether::tpid_bit(info.single_tpid);
    info.inner_tpids = ether::tpid_bit(ether::kVlan) | ether::tpid_bit(info.inner_tpid);
    for (const auto tpid : port.accept_tpids) { info.outer_tpids |= ether::tpid_bit(tpid); }
    for (const auto tpid : port.accept_inner_tpids) { info.inner_tpids |= ether::tpid_bit(tpid); }
}

void compile_link_sources(const config::Peering& peering, Exit& exit) {
    std::optional<std::pair<std::uint32_t, std::uint32_t>> four;  // the lowest and the highest address
    std::optional<std::uint8_t> six;
    bool ask = false;
    for (const auto& link : peering.links) {
        if (link.subnet) {
            const auto low = first_address(*link.subnet).value;
            const auto high = last_address(*link.subnet).value;
            four = four ? std::pair(std::min(four->first, low), std::max(four->second, high)) : std::pair(low, high);
        }
        if (link.subnet6) {
            const auto hash = link_source::hash6(first_address(*link.subnet6).high);
            ask |= six && *six != hash;
            six = hash;
        }
    }
    exit.near6 = six.value_or(0);
    exit.near4 = link_source::kNone;
    if (four) {
        const auto bits = std::max(8U, static_cast<unsigned>(std::bit_width(four->first ^ four->second)));
        exit.near4 = (four->first & ~0xffU) | bits;
    }
    if (ask) { exit.near4 |= link_source::kAsk6; }
}

void compile_link_header(const config::Circuit& circuit, const config::Peering& peering, const config::Port& port,
                         const PortInfo& port_info, Exit& exit) {
    const bool two = circuit.service_vlan.has_value();
    exit.header_length = static_cast<std::uint8_t>(sizeof(ether::Header) + (two ? 2 : 1) * sizeof(ether::Tag));
    exit.has_mac = peering.customer_mac.has_value();
    std::uint8_t* at = exit.header.data() + exit.header.size() - exit.header_length;
    auto& link = *reinterpret_cast<ether::Header*>(at);
    put_mac(link.destination, peering.customer_mac.value_or(Mac{}));
    put_mac(link.source, port_info.mac_address);
    link.type.set(two ? port_info.service_tpid : port_info.single_tpid);
    exit.hears_tpid = (two ? port.service_tpid : port.single_tpid) == config::kHeardTpid;
    auto* tag = reinterpret_cast<ether::Tag*>(at + sizeof(ether::Header));
    if (two) {
        tag->tci.set(*circuit.service_vlan);
        tag->type.set(port_info.inner_tpid);
        ++tag;
    }
    tag->tci.set(peering.vlan);
}

}  // namespace peerlane::dataplane
