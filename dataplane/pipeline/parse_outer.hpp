// Frames from the core: Ethernet and the outer IP header, and whether GRE or ESP is behind it.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/parse_link.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

namespace detail {

/// Not GRE or ESP in plain IPv4: IPv6, IPv4 options, ESP in UDP, or the end of its way. For us, but neither GRE nor
/// ESP: local delivery. Fills the columns of parse_outer().
void parse_unusual(Worker& worker, Burst& burst, std::uint32_t slot, std::uint8_t* frame, unsigned length) noexcept;

/// The extension headers between what ESP has around and GRE: `protocol` is the first, `length` bytes may be read from
/// `at` on, `first` if an IPv6 header is before them. Fate::live, and their length is added to `skipped`; or what is
/// wrong.
[[gnu::cold]] Fate judge_headers(std::uint8_t protocol, const std::uint8_t* at, unsigned length, bool first,
                                 unsigned& skipped) noexcept;

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
inline void set_addresses(table::TunnelIdentity& identity, const Ipv6& outer) noexcept {
    identity.local_high = outer.destination_high.get();
    identity.local_low = outer.destination_low.get();
    identity.remote_high = outer.source_high.get();
    identity.remote_low = outer.source_low.get();
}

/// In the tunnel table a mapped address means IPv4; on the wire it means nothing good (RFC 4942 §2.2).
inline bool is_mapped(const Be64& high, const Be64& low) noexcept {
    return high.get() == 0 && low.get() >> 32U == 0xffff;
}

template <bool kVouched>
[[gnu::always_inline]] inline void parse_outer_as(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const PortInfo& port = snapshot.ports[burst.port];
    const std::uint64_t mac = port.mac;
    const std::uint64_t mac_mask = port.mac_mask;
    const unsigned mtu = port.mtu;
    const bool protects = !snapshot.sas.empty();  // else ESP is not ours to open
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
            parse_unusual(worker, burst, slot, frame, length);
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
        const bool esp = four.protocol == ip::kEsp && protects;
        if (ours && type == ether::kIpv4 && four.version_ihl == 0x45 && (four.protocol == ip::kGre || esp) &&
            total4 >= sizeof(Ipv4) + sizeof(Gre) && total4 <= left && total4 <= mtu && !four.is_fragment() &&
            ((kVouched && device_vouches(*mbuf)) || ipv4_checksum_ok(l3, 5))) [[likely]] {
            set_addresses(identity, four);
            burst.outer_tos[slot] = four.tos;
            burst.l3[slot] = frame + kLink + sizeof(Ipv4);
            burst.gre_length[slot] = static_cast<std::uint16_t>(total4 - sizeof(Ipv4));
            burst.in_udp[slot] = false;
            burst.esp[burst.esp_count] = static_cast<std::uint8_t>(slot);
            burst.esp_count += esp ? 1U : 0U;
            continue;
        }
        parse_unusual(worker, burst, slot, frame, length);
    }
    burst.sweep();
}

/// Out of line, so that ports whose device verifies nothing pay nothing.
[[gnu::noinline]] inline void parse_vouched_outer(Worker& worker, Burst& burst) noexcept {
    parse_outer_as<true>(worker, burst);
}

/// Tunnels come untagged, and a frame must not pass for one because a driver took off its tag unasked: it gets it back,
/// or nothing of it is left.
[[gnu::noinline, gnu::cold]] inline void expose_tags(const Snapshot& snapshot, Burst& burst) noexcept {
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        rte_mbuf& mbuf = *burst.mbuf[slot];
        if (make_whole(snapshot, burst, slot)) { continue; }
        rte_pktmbuf_free(mbuf.next);
        mbuf.next = nullptr;
        mbuf.nb_segs = 1;
        mbuf.data_len = 0;
        mbuf.pkt_len = 0;
    }
}

}  // namespace detail

/// Fills l3 and gre_length (of the GRE or ESP packet), outer_tos, the addresses of identity, and the list of ESP.
inline void parse_outer(Worker& worker, Burst& burst) noexcept {
    if (burst.strips) [[unlikely]] { detail::expose_tags(*worker.snapshot, burst); }
    if (burst.vouched) [[unlikely]] {
        detail::parse_vouched_outer(worker, burst);
    } else {
        detail::parse_outer_as<false>(worker, burst);
    }
}

}  // namespace peerlane::dataplane
