#include "config/derive.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/units.hpp"

namespace peerlane::config {
namespace {

constexpr Nanoseconds kDefaultBurstTime = 20'000'000;
constexpr std::uint64_t kDefaultBurstBytes = 64'000;

/// 0: no core port; 1: a core port; 2: with an address of the family of `address`; more: its subnet holds it.
unsigned suits(const Port& port, const IpAddress& address) {
    const auto match = [](const auto& own, auto ip) -> unsigned {
        if (!own) return 1;
        return contains(*own, ip) ? 3U + own->length : 2U;
    };
    if (port.role != Role::core) return 0;
    if (const Ip4* ip4 = std::get_if<Ip4>(&address)) return match(port.address, *ip4);
    return match(port.address6, std::get<Ip6>(address));
}

constexpr std::uint32_t kUdpHeader = 8;

std::uint32_t ip_header(const IpAddress& address) {
    return std::holds_alternative<Ip4>(address) ? 20 : 40;
}

/// What stands before the ESP header, and in the payload before the inner packet.
struct Around {
    std::uint32_t outside = 0;
    std::uint32_t inside = 0;
};

Around around(const Tunnel& tunnel, const Ipsec& ipsec) {
    const std::uint32_t delivery = ipsec.mode == IpsecMode::tunnel ? 0 : ip_header(tunnel.local);
    return {.outside = ip_header(ipsec.local) + (ipsec.udp_encapsulation ? kUdpHeader : 0),
            .inside = tunnel_overhead(tunnel) - delivery};
}

}  // namespace

std::uint32_t tunnel_overhead(const Tunnel& tunnel) noexcept {
    return ip_header(tunnel.local) + 4U + (tunnel.key ? 4U : 0U);
}

std::uint32_t sealed_size(const VirtualNetwork& network, std::uint32_t inner) noexcept {
    if (!network.ipsec) return inner + tunnel_overhead(network.tunnel);
    const Around add = around(network.tunnel, *network.ipsec);
    return add.outside + esp_sealed(network.ipsec->suite, add.inside + inner);
}

std::uint32_t largest_inner(const VirtualNetwork& network, std::uint32_t mtu) noexcept {
    const auto less = [](std::uint32_t from, std::uint32_t octets) { return from > octets ? from - octets : 0; };
    if (!network.ipsec) return less(mtu, tunnel_overhead(network.tunnel));
    const Around add = around(network.tunnel, *network.ipsec);
    return less(esp_fits(network.ipsec->suite, less(mtu, add.outside)), add.inside);
}

const IpAddress& outer_local(const VirtualNetwork& network) noexcept {
    return network.ipsec ? network.ipsec->local : network.tunnel.local;
}
const IpAddress& outer_remote(const VirtualNetwork& network) noexcept {
    return network.ipsec ? network.ipsec->remote : network.tunnel.remote;
}

namespace {
constexpr std::uint32_t kWireOctets = 4U + 8U + 12U;  // FCS, preamble with its delimiter, gap
constexpr std::uint32_t kShortestFrame = 60U;         // without FCS
}  // namespace

std::uint32_t accounting_overhead(const Circuit& circuit) noexcept {
    const std::uint32_t l2 = 14U + 4U * (circuit.service_vlan ? 2U : 1U);
    switch (circuit.accounting) {
        case Accounting::l3:
            return 0;
        case Accounting::l2:
            return l2;
        case Accounting::wire:
            break;
    }
    return l2 + kWireOctets;
}

std::uint32_t accounting_shortest(const Circuit& circuit) noexcept {
    return circuit.accounting == Accounting::wire ? kShortestFrame + kWireOctets : 0;
}

Ip4 customer_address(Prefix4 subnet) noexcept {
    return offset(first_address(subnet), subnet.length < 31 ? 1 : 0);
}
Ip6 customer_address(Prefix6 subnet) noexcept {
    return offset(first_address(subnet), subnet.length < 127 ? 1 : 0);
}
Ip4 edge_address(Prefix4 subnet) noexcept {
    return offset(customer_address(subnet), 1);
}
Ip6 edge_address(Prefix6 subnet) noexcept {
    return offset(customer_address(subnet), 1);
}

std::optional<std::uint32_t> core_port_of(const Model& model, const IpAddress& local) noexcept {
    std::optional<std::uint32_t> best;
    unsigned most = 0;
    for (std::uint32_t i = 0; i < model.ports.size(); ++i) {
        const unsigned suited = suits(model.ports[i], local);
        if (suited <= most) continue;
        most = suited;
        best = i;
    }
    return best;
}
std::optional<std::uint32_t> core_port_of(const Model& model, const Tunnel& tunnel) noexcept {
    return core_port_of(model, tunnel.local);
}
std::optional<std::uint32_t> core_port_of(const Model& model, const VirtualNetwork& network) noexcept {
    return core_port_of(model, outer_local(network));
}

Bytes default_burst(BitsPerSecond bandwidth) noexcept {
    return std::max(bytes_in(bandwidth, kDefaultBurstTime), Bytes{kDefaultBurstBytes});
}

void resolve_bursts(Model& model) noexcept {
    for (Customer& customer : model.customers)
        for (Circuit& circuit : customer.circuits) {
            if (circuit.burst == Bytes{0}) circuit.burst = default_burst(circuit.bandwidth);
            for (Peering& peering : circuit.peerings)
                if (peering.bandwidth && peering.burst == Bytes{0}) peering.burst = default_burst(*peering.bandwidth);
        }
}

void resolve_outer_addresses(Model& model) noexcept {
    for (Customer& customer : model.customers)
        for (Circuit& circuit : customer.circuits)
            for (Peering& peering : circuit.peerings)
                for (VirtualNetwork& network : peering.virtual_networks) {
                    if (!network.ipsec) continue;
                    if (!is_set(network.ipsec->local)) network.ipsec->local = network.tunnel.local;
                    if (!is_set(network.ipsec->remote)) network.ipsec->remote = network.tunnel.remote;
                }
}

bool is_set(const IpAddress& address) noexcept {
    const Ip4* v4 = std::get_if<Ip4>(&address);
    return v4 == nullptr || *v4 != Ip4{};
}

std::string_view to_text(PeeringType type) noexcept {
    switch (type) {
        case PeeringType::private_:
            return "private";
        case PeeringType::microsoft:
            return "microsoft";
        case PeeringType::public_:
            break;
    }
    return "public";
}

std::string_view to_text(Link link) noexcept {
    return link == Link::primary ? "primary" : "secondary";
}

std::string circuit_label(const Customer& customer, const Circuit& circuit) {
    return fmt::format("{}/{}", customer.name, circuit.name);
}
std::string network_label(const Customer& customer, const Circuit& circuit, const Peering& peering,
                          const VirtualNetwork& network) {
    return fmt::format("{}/{}/{}", circuit_label(customer, circuit), to_text(peering.type), network.name);
}

}  // namespace peerlane::config
