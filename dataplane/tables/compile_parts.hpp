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

/// An IP header from `local` to `remote` (of one family) with hop limit 64, DF and ID 0 (RFC 6864); lengths, TOS and
/// checksum are the packet's. 20 or 40 octets.
void put_delivery_header(std::uint8_t* at, const IpAddress& local, const IpAddress& remote, std::uint8_t protocol);

/// near4 and near6 of `exit`.
void compile_link_sources(const config::Peering& peering, Exit& exit);

/// The link header of `exit`, with PCP 0 (IEEE 802.1Q §9.6).
/// What an access port sends and accepts in its tags.
void set_tpids(const config::Port& port, PortInfo& info) noexcept;

void compile_link_header(const config::Circuit& circuit, const config::Peering& peering, const config::Port& port,
                         const PortInfo& port_info, Exit& exit);

/// Identity as a received packet shows it.
table::TunnelIdentity tunnel_identity(const config::Tunnel& tunnel) noexcept;

/// IPv4 as ::ffff:a.b.c.d.
Ip6 mapped(const IpAddress& address) noexcept;

}  // namespace peerlane::dataplane
