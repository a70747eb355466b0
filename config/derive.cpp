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

}  // namespace

std::uint32_t tunnel_overhead(const Tunnel& tunnel) noexcept {
    return (std::holds_alternative<Ip4>(tunnel.local) ? 20U : 40U) + 4U + (tunnel.key ? 4U : 0U);
}

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
    return l2 + 24U;
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

std::optional<std::uint32_t> core_port_of(const Model& model, const Tunnel& tunnel) noexcept {
    std::optional<std::uint32_t> best;
    unsigned most = 0;
    for (std::uint32_t i = 0; i < model.ports.size(); ++i) {
        const unsigned suited = suits(model.ports[i], tunnel.local);
        if (suited <= most) continue;
        most = suited;
        best = i;
    }
    return best;
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

}  // namespace peerlane::config
