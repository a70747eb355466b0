// What a device found out about a packet, and what it took from it (DPDK's mbuf flags).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// True if the device has verified the checksum of the IPv4 header behind Ethernet and tags. Where it saw a tunnel,
/// what it says may be about the header inside. Everything else it says, "bad" too, is for software to find out.
inline bool device_vouches(const rte_mbuf& mbuf) noexcept {
    constexpr std::uint64_t kVerdict = RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD;
    return (mbuf.ol_flags & kVerdict) == RTE_MBUF_F_RX_IP_CKSUM_GOOD && (mbuf.packet_type & RTE_PTYPE_TUNNEL_MASK) == 0;
}

/// Not all tags are in the frame: the outer one is in vlan_tci, if it is not lost_tags().
inline bool is_stripped(const rte_mbuf& mbuf) noexcept {
    return (mbuf.ol_flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)) != 0;
}
/// The device took off two tags, or the outer one as the outer of two. Nobody asked it, and drivers differ in what they
/// say of it.
inline bool lost_tags(const rte_mbuf& mbuf) noexcept {
    return (mbuf.ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED) != 0;
}

/// The outer tag back where it was. Which TPID it had no device says: it gets the one that is sent there.
/// False: there is no room for it, or it is lost.
[[gnu::noinline, gnu::cold]] inline bool put_back_tag(rte_mbuf& mbuf, const PortInfo& port) noexcept {
    constexpr unsigned kMacs = 12;
    constexpr std::uint16_t kTag = sizeof(ether::Tag);
    if (mbuf.data_len < sizeof(ether::Header) || lost_tags(mbuf)) { return false; }
    auto* frame = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(&mbuf, kTag));
    if (frame == nullptr) { return false; }
    mbuf.ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
    std::memmove(frame, frame + kTag, kMacs);
    const bool two =
        (ether::tpid_bit(reinterpret_cast<const Be16*>(frame + kMacs + kTag)->get()) & port.inner_tpids) != 0;
    reinterpret_cast<Be16*>(frame + kMacs)->set(two ? port.service_tpid : port.single_tpid);
    reinterpret_cast<Be16*>(frame + kMacs + 2)->set(mbuf.vlan_tci);
    return true;
}

/// A slot's frame as it came, for whoever is to read it from its start. False: there is no room for its tag.
inline bool make_whole(const Snapshot& snapshot, Burst& burst, std::uint32_t slot) noexcept {
    rte_mbuf& mbuf = *burst.mbuf[slot];
    if (!burst.strips || !is_stripped(mbuf)) { return true; }
    return put_back_tag(mbuf, snapshot.ports[burst.port]);
}

}  // namespace peerlane::dataplane
