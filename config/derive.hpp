// What follows from a configuration: addresses, overheads, which port serves which tunnel, names for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/model.hpp"

namespace peerlane::config {

/// Octets a tunnel puts around an inner packet: IP (20 or 40), GRE (4; RFC 2784 §2.1) and key (4; RFC 2890 §2).
std::uint32_t tunnel_overhead(const Tunnel& tunnel) noexcept;

/// Octets of the outer IP packet around an inner packet of that size: with ESP its padding (RFC 4303 §2.4) and UDP
/// header (RFC 3948) too.
std::uint32_t sealed_size(const VirtualNetwork& network, std::uint32_t inner) noexcept;
/// The largest inner packet whose outer IP packet is at most `mtu` octets; 0 if none is. Computed, not searched.
std::uint32_t largest_inner(const VirtualNetwork& network, std::uint32_t mtu) noexcept;

/// Octets a packet costs beyond its IP length: l3 none, l2 Ethernet header and tags, wire FCS, preamble and gap
/// as well.
std::uint32_t accounting_overhead(const Circuit& circuit) noexcept;
/// Bytes that the shortest packet costs, 0 where there is no least: `wire` counts what the medium carries, and no frame
/// there is shorter than 60 bytes and FCS (IEEE 802.3 §3.2.8), whatever the tags.
std::uint32_t accounting_shortest(const Circuit& circuit) noexcept;

/// The first and the second usable address of a link's subnet; of a /31 (RFC 3021) or /127 (RFC 6164) its two
/// addresses.
Ip4 customer_address(Prefix4 subnet) noexcept;
Ip6 customer_address(Prefix6 subnet) noexcept;
Ip4 edge_address(Prefix4 subnet) noexcept;
Ip6 edge_address(Prefix6 subnet) noexcept;

/// Source and destination of what leaves for the network: those of ESP, or else of the tunnel.
const IpAddress& outer_local(const VirtualNetwork& network) noexcept;
const IpAddress& outer_remote(const VirtualNetwork& network) noexcept;

/// Index into Model::ports of the core port that serves what leaves from `local`: the one whose subnet holds it (the
/// longest, if several), else the first with an address of that family, else the first; nullopt if there is none.
std::optional<std::uint32_t> core_port_of(const Model& model, const IpAddress& local) noexcept;
std::optional<std::uint32_t> core_port_of(const Model& model, const Tunnel& tunnel) noexcept;
std::optional<std::uint32_t> core_port_of(const Model& model, const VirtualNetwork& network) noexcept;

/// Calls `visit(network)` for every virtual network.
template <class Visit>
void each_network(const Model& model, Visit visit) {
    for (const Customer& customer : model.customers)
        for (const Circuit& circuit : customer.circuits)
            for (const Peering& peering : circuit.peerings)
                for (const VirtualNetwork& network : peering.virtual_networks) visit(network);
}

/// The larger of 20 ms of the bandwidth and 64 kB.
Bytes default_burst(BitsPerSecond bandwidth) noexcept;
/// Gives every bucket without a burst the default one.
void resolve_bursts(Model& model) noexcept;

/// Gives ESP without addresses of its own those of its tunnel.
void resolve_outer_addresses(Model& model) noexcept;

/// False for what loading has left as it was.
bool is_set(const IpAddress& address) noexcept;

/// As in the file: "private", "microsoft", "public"; "primary", "secondary".
std::string_view to_text(PeeringType type) noexcept;
std::string_view to_text(Link link) noexcept;
/// "customer/circuit"
std::string circuit_label(const Customer& customer, const Circuit& circuit);
/// "customer/circuit/peering/network"
std::string network_label(const Customer& customer, const Circuit& circuit, const Peering& peering,
                          const VirtualNetwork& network);

}  // namespace peerlane::config
