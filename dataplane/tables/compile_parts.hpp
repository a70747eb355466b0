// The parts of a compilation that stand alone: one VRF's routes, one tunnel's header, one link header, one port.
#pragma once

#include "config/model.hpp"
#include "dataplane/tables/snapshot.hpp"

namespace peerlane::dataplane {

/// Source acceptance and routes of one peering (both families), as ranges; tables are taken from `previous` where they
/// are equal.
std::shared_ptr<const Snapshot::Vrf> compile_vrf(const config::Peering& peering, std::uint32_t slot, Link home,
                                                 const std::vector<std::uint32_t>& tunnel_slots,
                                                 const Snapshot* previous);

/// TunnelInfo (but for peering and attachment) and TunnelHeader.
void compile_tunnel(const config::Tunnel& tunnel, const config::Port& port, const PortInfo& port_info,
                    std::uint8_t port_index, TunnelInfo& info, TunnelHeader& header);

/// The link header of `exit`, with PCP 0 (IEEE 802.1Q §9.6).
void compile_link_header(const config::Circuit& circuit, const config::Peering& peering, const config::Port& port,
                         const PortInfo& port_info, Exit& exit);

/// Identity as a received packet shows it.
table::TunnelIdentity tunnel_identity(const config::Tunnel& tunnel) noexcept;

/// IPv4 as ::ffff:a.b.c.d.
Ip6 mapped(const IpAddress& address) noexcept;

}  // namespace peerlane::dataplane
