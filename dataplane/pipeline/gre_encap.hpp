// GRE over IPv4 or IPv6 (RFC 2784, RFC 2890): one copy of the tunnel's header, then lengths, TOS, checksum and protocol
// type.
#pragma once

#include <rte_memcpy.h>

#include "dataplane/pipeline/neighbour.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// The packet now begins at `start` and is `length` octets long, in its one segment. What came before or after is cut.
inline void set_frame(rte_mbuf* mbuf, const std::uint8_t* start, unsigned length) noexcept {
    mbuf->data_off = static_cast<std::uint16_t>(start - static_cast<std::uint8_t*>(mbuf->buf_addr));
    mbuf->data_len = static_cast<std::uint16_t>(length);
    mbuf->pkt_len = length;
}

/// Completes an outer IP header copied from a template: `length` octets from it to the end of the packet; `sum` folded,
/// in memory order, of an IPv4 header without total length, TOS and checksum.
[[gnu::always_inline]] inline void complete_outer(std::uint8_t* l3, bool six, std::uint8_t tos, unsigned length,
                                                  std::uint16_t sum) noexcept {
    if (!six) [[likely]] {
        auto& outer = *reinterpret_cast<Ipv4*>(l3);
        outer.tos = tos;
        outer.total_length.set(static_cast<std::uint16_t>(length));
        // TOS is the second octet of its word, the high one of it in memory order.
        const auto checksum = static_cast<std::uint16_t>(~fold(
            std::uint64_t{sum} + __builtin_bswap16(static_cast<std::uint16_t>(length)) + (std::uint32_t{tos} << 8U)));
        std::memcpy(outer.checksum.octets, &checksum, 2);
    } else {
        auto& outer = *reinterpret_cast<Ipv6*>(l3);
        outer.version_class_flow.set(6U << 28U | std::uint32_t{tos} << 20U);
        outer.payload_length.set(static_cast<std::uint16_t>(length - sizeof(Ipv6)));
    }
}

/// Puts Ethernet, IP and GRE before the inner packet. DSCP and ECN are copied from it (RFC 2983 §3 uniform, RFC 6040
/// §4.1 normal mode), unless the tunnel fixes the DSCP. mtu_guard made sure of the room.
[[gnu::always_inline]] inline void encap_slot(Burst& burst, std::uint32_t slot, const TunnelInfo& tunnel,
                                              const TunnelHeader& header) noexcept {
    std::uint8_t* inner = burst.l3[slot];
    const unsigned inner_length = burst.length[slot];
    const unsigned flags = tunnel.flags;
    const bool four = inner[0] >> 4U == 4;
    std::uint8_t tos = four ? inner[1] : reinterpret_cast<const Ipv6*>(inner)->traffic_class();
    if ((flags & TunnelInfo::kFixedDscp) != 0) { tos = static_cast<std::uint8_t>(tunnel.dscp | (tos & ip::kEcnMask)); }

    std::memcpy(inner - sizeof(header.octets), header.octets.data(), sizeof(header.octets));
    std::uint8_t* frame = inner - tunnel.header_length;
    const unsigned frame_length = tunnel.header_length + inner_length;
    auto* gre = reinterpret_cast<Gre*>(inner - ((flags & TunnelInfo::kKey) != 0 ? 8 : 4));
    gre->protocol.set(four ? ether::kIpv4 : ether::kIpv6);
    complete_outer(frame + sizeof(ether::Header), (flags & TunnelInfo::kOuterV6) != 0, tos,
                   frame_length - static_cast<unsigned>(sizeof(ether::Header)), tunnel.header_sum);
    set_frame(burst.mbuf[slot], frame, frame_length);
}

inline void gre_encap(Worker& worker, Burst& burst) noexcept {
    const TunnelInfo* tunnels = worker.snapshot->tunnels.data();
    const TunnelHeader* headers = worker.snapshot->tunnel_headers.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere) [[unlikely]] { return; }  // back to a customer: tag_push
        encap_slot(burst, slot, tunnels[index], headers[index]);
    });
}

/// The core port the tunnel's outer addresses are reached by.
inline void send_to_core(Worker& worker, Burst& burst) noexcept {
    const TunnelInfo* tunnels = worker.snapshot->tunnels.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere) [[unlikely]] { return; }
        put_next_hop(worker.state, burst.mbuf[slot], tunnels[index]);
        burst.out_port[slot] = tunnels[index].port;
        burst.fate[slot] = Fate::sent;
    });
}

}  // namespace peerlane::dataplane
