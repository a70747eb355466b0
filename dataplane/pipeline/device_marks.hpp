// What a device found out about a packet, and what it took from it (DPDK's mbuf flags).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// True if the device has verified the checksum of the IPv4 header behind Ethernet and tags. Where it saw a tunnel,
/// what it says may be about the header inside. Everything else it says, "bad" too, is for software to find out.
inline bool device_vouches(const rte_mbuf& mbuf) noexcept {
    constexpr std::uint64_t kVerdict = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD;
    return (mbuf.ol_flags & kVerdict) == RTE_MBUF_F_RX_IP_CKSUM_GOOD && (mbuf.packet_type & RTE_PTYPE_TUNNEL_MASK) == 0;
}

namespace detail {
/// Its TPID is lost: devices take off 0x8100, or do not say. A frame without room for its tag is emptied, so that it
/// does not pass as untagged.
[[gnu::noinline, gnu::cold]] inline void put_back_tag(rte_mbuf& mbuf) noexcept {
    constexpr unsigned kMacs = 12;
    constexpr std::uint16_t kTag = sizeof(ether::Tag);
    const bool room = mbuf.data_len >= kMacs;
    auto* frame = room ? reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(&mbuf, kTag)) : nullptr;
    mbuf.ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
    if (frame == nullptr) {
        mbuf.pkt_len -= mbuf.data_len;
        mbuf.data_len = 0;
        return;
    }
    std::memmove(frame, frame + kTag, kMacs);
    reinterpret_cast<Be16*>(frame + kMacs)->set(ether::kVlan);
    reinterpret_cast<Be16*>(frame + kMacs + 2)->set(mbuf.vlan_tci);
}
}  // namespace detail

/// The outer tag back where it was, for those of `mbufs[0 .. count)` that a device took it from.
inline void put_back_tags(rte_mbuf* const* mbufs, std::uint32_t count) noexcept {
    std::uint64_t flags = 0;
    for (std::uint32_t i = 0; i < count; ++i) { flags |= mbufs[i]->ol_flags; }
    if ((flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0) [[likely]] { return; }
    for (std::uint32_t i = 0; i < count; ++i) {
        if ((mbufs[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) { detail::put_back_tag(*mbufs[i]); }
    }
}

}  // namespace peerlane::dataplane
