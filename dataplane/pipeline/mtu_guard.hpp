// TTL, size and next hop: the last questions before a packet may be charged and sent. Also the TCP MSS clamp.
#pragma once

#include <rte_prefetch.h>

#include <algorithm>
#include <cstddef>

#include "dataplane/pipeline/esp_seal.hpp"
#include "dataplane/pipeline/neighbour.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/extension_headers.hpp"
#include "lib/net/headers.hpp"
#include "lib/net/mss.hpp"

namespace peerlane::dataplane {

/// Octets a stage may write before the inner packet: one tunnel header with what aligns it.
inline constexpr unsigned kHeadroom = sizeof(TunnelHeader);
static_assert(
    kSealedHeadroom <= RTE_PKTMBUF_HEADROOM + sizeof(ether::Header),
    "ESP and IV + IPv6 + GRE with key and, as a whole template, Ethernet + IPv6 + UDP fit before a packet that "
    "came with one tag, and that beside it");

/// One way out, as this stage sees it.
struct WayOut {
    unsigned mtu;            // largest IP packet, octets
    std::uint64_t next_hop;  // namespace neighbour
    bool ignore_df;
    unsigned headroom = kHeadroom;
};

namespace detail {

inline bool is_ipv4(const std::uint8_t* l3) noexcept {
    return l3[0] >> 4U == 4;
}

/// Something hinders: says what, in the order a router asks. True if the packet may go on all the same (it will be
/// cut).
[[gnu::noinline, gnu::cold]] inline bool judge_way_out(Burst& burst, std::uint32_t slot, const WayOut& way,
                                                       unsigned room) noexcept {
    const auto* l3 = burst.l3[slot];
    const auto fail = [&](Fate why, bool answer) {
        burst.end(slot, why);
        burst.answers |= answer;
        return false;
    };
    const bool four = is_ipv4(l3);
    const auto& header4 = *reinterpret_cast<const Ipv4*>(l3);
    if ((four ? header4.ttl : reinterpret_cast<const Ipv6*>(l3)->hop_limit) <= 1) {
        return fail(Fate::ttl_expired, true);
    }
    const bool big = burst.length[slot] > way.mtu;
    if (big && (!four || ((header4.fragment.get() & Ipv4::kDontFragment) != 0 && !way.ignore_df))) {
        return fail(Fate::too_big, true);
    }
    // A fragment that ends beyond what the offset field can say; cut again, its later pieces would begin anew at 0.
    const unsigned first = (header4.fragment.get() & Ipv4::kOffsetMask) * 8U;
    if (big && first + burst.length[slot] - header4.header_length() > 0xffff) { return fail(Fate::bad_header, false); }
    if ((way.next_hop & neighbour::kKnown) == 0) {
        const bool waits = (way.next_hop & neighbour::kHolds) != 0 && burst.kind == Burst::Kind::received;
        burst.holds |= waits;
        return fail(waits ? Fate::held : Fate::no_neighbour, (way.next_hop & neighbour::kFailed) != 0);
    }
    if (room < way.headroom) { return fail(Fate::no_headroom, false); }
    if (big) {
        burst.cut_mtu[slot] = static_cast<std::uint16_t>(way.mtu);
        burst.cut_octets[slot] = 0;  // nothing is cut yet; a refund before fragment() returns the whole length
        burst.cuts = true;
    }
    return true;
}

/// Clamps the MSS of an unfragmented TCP segment, behind any extension headers, to what fits `mtu`. A packet that goes
/// no further stays as it came: the answer quotes it.
[[gnu::noinline]] inline void clamp_slot(const Burst& burst, std::uint32_t slot, unsigned mtu) noexcept {
    if (burst.fate[slot] != Fate::live) { return; }
    auto* l3 = burst.l3[slot];
    if (is_ipv4(l3)) {
        const auto& header = *reinterpret_cast<const Ipv4*>(l3);
        const unsigned skip = header.header_length();
        if (header.protocol != ip::kTcp || header.is_fragment()) { return; }
        clamp_mss(l3 + skip, burst.length[slot] - skip, sizeof(Ipv4), mtu);
    } else {
        // What an Authentication Header covers is not to be changed.
        const auto upper = upper_layer(*reinterpret_cast<const Ipv6*>(l3), burst.length[slot]);
        if (upper.protocol != ip::kTcp || upper.fragment || upper.authenticated) { return; }
        clamp_mss(l3 + upper.offset, burst.length[slot] - upper.offset, sizeof(Ipv6), mtu);
    }
}

}  // namespace detail

/// One slot: may it leave this way? If so its TTL is one less.
[[gnu::always_inline]] inline void guard_slot(Burst& burst, std::uint32_t slot, const WayOut& way) noexcept {
    auto* l3 = burst.l3[slot];
    const auto room = static_cast<unsigned>(l3 - static_cast<std::uint8_t*>(burst.mbuf[slot]->buf_addr));
    const bool four = detail::is_ipv4(l3);
    const unsigned ttl = l3[four ? offsetof(Ipv4, ttl) : offsetof(Ipv6, hop_limit)];
    burst.cut_mtu[slot] = 0;
    if (ttl <= 1 || burst.length[slot] > way.mtu || (way.next_hop & neighbour::kKnown) == 0 || room < way.headroom)
        [[unlikely]] {
        if (!detail::judge_way_out(burst, slot, way, room)) { return; }
    }
    if (four) [[likely]] {
        ipv4_decrement_ttl(*reinterpret_cast<Ipv4*>(l3));
    } else {
        reinterpret_cast<Ipv6*>(l3)->hop_limit--;
    }
}

namespace detail {
[[gnu::noinline, gnu::cold]] inline void guard_hairpin(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const Exit& exit = worker.snapshot->exits[burst.exit[slot]];
    guard_slot(burst, slot,
               {exit.mtu, next_hop(worker.state, exit, burst.exit[slot], !is_ipv4(burst.l3[slot])), false});
}
}  // namespace detail

namespace detail {
/// From a tunnel: the edge's own address, or a link's network or broadcast address, is no host's in the cloud (RFC 1812
/// §5.3.7). True if the source is one, and the packet ends.
[[gnu::noinline, gnu::cold]] inline bool refuse_own_source(Burst& burst, std::uint32_t slot, bool four) noexcept {
    const auto value = four ? table::find(burst.routes4[slot], Ip4{burst.source4[slot]})
                            : table::find(burst.routes6[slot], burst.source6[slot]);
    if (route::kind(value) != route::Kind::special) { return false; }
    burst.end(slot, Fate::source_not_accepted);
    return true;
}
}  // namespace detail

inline void mtu_guard_to_cloud(Worker& worker, Burst& burst) noexcept {
    const TunnelInfo* tunnels = worker.snapshot->tunnels.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere) [[unlikely]] {
            detail::guard_hairpin(worker, burst, slot);
            return;
        }
        const TunnelInfo& tunnel = tunnels[index];
        guard_slot(burst, slot,
                   {tunnel.mtu, next_hop(worker.state, tunnel), (tunnel.flags & TunnelInfo::kIgnoreDf) != 0,
                    (tunnel.flags & TunnelInfo::kProtected) != 0 ? kSealedHeadroom : kHeadroom});
        if ((tunnel.flags & TunnelInfo::kClampMss) != 0) [[unlikely]] {
            // What comes back has to fit the link as well.
            detail::clamp_slot(burst, slot, std::min(tunnel.mtu, worker.snapshot->exits[burst.attachment[slot]].mtu));
        }
    });
    burst.sweep();
}

inline void mtu_guard_to_customer(Worker& worker, Burst& burst) noexcept {
    const Exit* exits = worker.snapshot->exits.data();
    const meter::SharedBucket* buckets = worker.state.circuit_buckets.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const Exit& exit = exits[burst.exit[slot]];
        rte_prefetch0(&buckets[exit.bucket]);
        const bool four = detail::is_ipv4(burst.l3[slot]);
        const bool near = four ? link_source::may_be(exit.near4, Ip4{burst.source4[slot]})
                               : link_source::may_be(exit.near4, exit.near6, burst.source6[slot]);
        if (near && detail::refuse_own_source(burst, slot, four)) [[unlikely]] { return; }
        guard_slot(burst, slot, {exit.mtu, next_hop(worker.state, exit, burst.exit[slot], !four), false});
        if (burst.clamp_mtu[slot] != 0) [[unlikely]] {
            detail::clamp_slot(burst, slot, std::min<unsigned>(burst.clamp_mtu[slot], exit.mtu));
        }
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
