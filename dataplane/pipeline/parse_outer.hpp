// Frames from the core: Ethernet, the outer IP header, the GRE header (RFC 2784 §2.3 with RFC 2890) and the identity
// they make.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/parse_link.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

namespace detail {

/// Not a well-formed GRE packet in plain IPv4 or IPv6: says what it is. For us, but not GRE: local delivery.
/// Fate::live if it is unusual but right (IPv4 options).
Fate judge_outer(const Snapshot& snapshot, const PortInfo& port, const std::uint8_t* frame, unsigned length) noexcept;

/// What becomes of GRE to `destination` (IPv4 mapped) that no tunnel takes: not one of the edge's own addresses on the
/// core side, or of no tunnel there.
Fate judge_stranger(const Snapshot& snapshot, Ip6 destination) noexcept;

/// Whether something on the core side may be answered at `source` (IPv4 mapped): a unicast address, not our own (RFC
/// 1122 §3.2.1.3).
bool may_reply_to(const Snapshot& snapshot, Ip6 source) noexcept;

inline void set_addresses(table::TunnelIdentity& identity, const Ipv4& outer) noexcept {
    identity.local_high = identity.remote_high = 0;
    identity.local_low = table::mapped(Ip4{outer.destination.get()});
    identity.remote_low = table::mapped(Ip4{outer.source.get()});
}

}  // namespace detail

/// Fills l3 (the outer IP header, then the GRE header), outer_tos, gre_length and the addresses of identity.
inline void parse_outer(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const PortInfo& port = snapshot.ports[burst.port];
    const std::uint64_t mac = port.mac;
    const std::uint64_t mac_mask = port.mac_mask;
    const unsigned mtu = port.mtu;
    const std::uint32_t count = burst.count;
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        rte_mbuf* mbuf = burst.mbuf[slot];
        prefetch_ahead(burst, slot);
        if (mbuf->nb_segs != 1) [[unlikely]] {
            if (!linearise(burst, slot)) { continue; }
        }
        auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
        const unsigned length = mbuf->data_len;
        constexpr unsigned kLink = sizeof(ether::Header);
        if (length < kLink + sizeof(Ipv4)) [[unlikely]] {
            burst.end(slot, detail::judge_outer(snapshot, port, frame, length));
            continue;
        }
        const std::uint64_t destination = load_mac(frame);
        const auto type = reinterpret_cast<const ether::Header*>(frame)->type.get();
        const bool ours = (destination & 1U) == 0 && ((destination ^ mac) & mac_mask) == 0;
        const std::uint8_t* l3 = frame + kLink;
        const unsigned left = length - kLink;
        table::TunnelIdentity& identity = burst.identity[slot];
        const auto& four = *reinterpret_cast<const Ipv4*>(l3);
        const unsigned total4 = four.total_length.get();
        if (ours && type == ether::kIpv4 && four.version_ihl == 0x45 && four.protocol == ip::kGre &&
            total4 >= sizeof(Ipv4) + sizeof(Gre) && total4 <= left && total4 <= mtu && !four.is_fragment() &&
            ipv4_checksum_ok(l3, 5)) [[likely]] {
            detail::set_addresses(identity, four);
            burst.outer_tos[slot] = four.tos;
            burst.l3[slot] = frame + kLink + sizeof(Ipv4);
            burst.gre_length[slot] = static_cast<std::uint16_t>(total4 - sizeof(Ipv4));
            continue;
        }
        const Fate fate = detail::judge_outer(snapshot, port, frame, length);
        if (fate != Fate::live) [[unlikely]] {
            burst.end(slot, fate);
            burst.answers |= fate == Fate::punted;
            continue;
        }
        if (type == ether::kIpv6) {
            const auto& six = *reinterpret_cast<const Ipv6*>(l3);
            identity.local_high = six.destination_high.get();
            identity.local_low = six.destination_low.get();
            identity.remote_high = six.source_high.get();
            identity.remote_low = six.source_low.get();
            burst.outer_tos[slot] = six.traffic_class();
            burst.l3[slot] = frame + kLink + sizeof(Ipv6);
            burst.gre_length[slot] = six.payload_length.get();
        } else {
            detail::set_addresses(identity, four);
            burst.outer_tos[slot] = four.tos;
            burst.l3[slot] = frame + kLink + four.header_length();
            burst.gre_length[slot] = static_cast<std::uint16_t>(total4 - four.header_length());
        }
    }
    burst.sweep();
}

}  // namespace peerlane::dataplane
