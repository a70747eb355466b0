// Ethernet and 802.1Q tags of frames from customers (IEEE 802.1Q §9.6; RFC 5517 style QinQ): where the IP header is and
// which VLANs it wears.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/priority_tags.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

inline constexpr unsigned kPrefetchAhead = 8;

/// Brings the packet eight slots on, and what describes the one eight further.
[[gnu::always_inline]] inline void prefetch_ahead(const Burst& burst, std::uint32_t slot) noexcept {
    if (slot + 2 * kPrefetchAhead < burst.count) { rte_prefetch0(burst.mbuf[slot + 2 * kPrefetchAhead]); }
    if (slot + kPrefetchAhead < burst.count) {
        rte_prefetch0(rte_pktmbuf_mtod(burst.mbuf[slot + kPrefetchAhead], void*));
    }
}

/// The first six octets at `frame` as a little-endian number; reads eight.
inline std::uint64_t load_mac(const std::uint8_t* frame) noexcept {
    std::uint64_t value;
    std::memcpy(&value, frame, 8);
    return value & 0xffff'ffff'ffffU;
}

/// A chain becomes one segment, or the slot is dropped. True if it may go on.
[[gnu::noinline, gnu::cold]] inline bool linearise(Burst& burst, std::uint32_t slot) noexcept {
    if (rte_pktmbuf_linearize(burst.mbuf[slot]) == 0) { return true; }
    burst.end(slot, Fate::chained);
    return false;
}

constexpr bool bad_vid(unsigned tci) noexcept {
    return (tci & 0xfffU) - 1U >= 4094U;
}  // 0 names no VLAN, 4095 is reserved

/// What stands behind the outer tag is not the inner TPID that is sent there, but a TPID: Fate::live if it is accepted
/// and its tag is right. Then `type` is what follows, and `vid` its VID.
[[gnu::noinline, gnu::cold]] inline Fate other_inner_tag(const PortInfo& port, const std::uint8_t* at, unsigned left,
                                                         unsigned& type, unsigned& vid) noexcept {
    if ((ether::tpid_bit(static_cast<std::uint16_t>(type)) & port.inner_tpids) == 0) { return Fate::bad_tag; }
    if (left < sizeof(ether::Tag)) { return Fate::runt; }
    const auto& tag = *reinterpret_cast<const ether::Tag*>(at);
    vid = tag.tci.get() & 0xfffU;
    type = tag.type.get();
    return bad_vid(vid) || ether::is_tpid(static_cast<std::uint16_t>(type)) ? Fate::bad_tag : Fate::live;
}

/// `kStrips`: the outer tag may be beside the frame.
template <bool kStrips>
[[gnu::always_inline]] inline void parse_link_as(Worker& worker, Burst& burst) noexcept {
    const PortInfo& port = worker.snapshot->ports[burst.port];
    const std::uint64_t mac = port.mac;
    const std::uint64_t mac_mask = port.mac_mask;
    const std::uint32_t count = burst.count;
    const unsigned inner_tpid = port.inner_tpid, service_tpid = port.service_tpid, single_tpid = port.single_tpid;
    burst.tpids = port.hears_tpids;
    const auto accepts = [&](unsigned type) {
        return (ether::tpid_bit(static_cast<std::uint16_t>(type)) & port.outer_tpids) != 0;
    };
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        rte_mbuf* mbuf = burst.mbuf[slot];
        prefetch_ahead(burst, slot);
        if (mbuf->nb_segs != 1) [[unlikely]] {
            if (!linearise(burst, slot)) { continue; }
        }
        auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
        const unsigned length = mbuf->data_len;
        constexpr unsigned kTag = sizeof(ether::Tag);
        const bool stripped = kStrips && is_stripped(*mbuf);
        unsigned header = sizeof(ether::Header) + (stripped ? 0 : kTag);
        if (length < header) [[unlikely]] {
            const bool runt =
                length < sizeof(ether::Header) || accepts(reinterpret_cast<const ether::Header*>(frame)->type.get());
            burst.end(slot, runt ? Fate::runt : Fate::unknown_vlan);
            continue;
        }
        const std::uint64_t destination = load_mac(frame);
        const bool group = (destination & 1U) != 0;
        if (!group && ((destination ^ mac) & mac_mask) != 0) [[unlikely]] {
            burst.end(slot, Fate::not_for_us);
            continue;
        }
        unsigned type = reinterpret_cast<const ether::Header*>(frame)->type.get();
        std::uint16_t tci = mbuf->vlan_tci;
        if (!stripped) {
            const auto& outer = *reinterpret_cast<const ether::Tag*>(frame + sizeof(ether::Header));
            const unsigned next = outer.type.get();
            if (type != (next == inner_tpid ? service_tpid : single_tpid)) [[unlikely]] {
                if (!accepts(type)) {
                    burst.end(slot, Fate::unknown_vlan);
                    continue;
                }
                burst.tpids = true;
            }
            tci = outer.tci.get();
            type = next;
        }
        unsigned inner_vid = 0;
        bool bad = bad_vid(tci) || (kStrips && lost_tags(*mbuf));
        if (type == inner_tpid) {
            if (length < header + kTag) [[unlikely]] {
                burst.end(slot, Fate::runt);
                continue;
            }
            const auto& inner = *reinterpret_cast<const ether::Tag*>(frame + header);
            inner_vid = inner.tci.get() & 0xfffU;
            type = inner.type.get();
            header += kTag;
            bad |= bad_vid(inner_vid);
        }
        const bool is_ip = type == ether::kIpv4 || type == ether::kIpv6;
        if (bad || (!is_ip && ether::is_tpid(static_cast<std::uint16_t>(type)))) [[unlikely]] {
            // Priority tags are no VLANs; without them it begins again.
            if (take_out_priority_tags(*mbuf) != 0) {
                --slot;
                continue;
            }
            const Fate fate = bad || inner_vid != 0
                                  ? Fate::bad_tag
                                  : other_inner_tag(port, frame + header, length - header, type, inner_vid);
            if (fate != Fate::live) {
                burst.end(slot, fate);
                continue;
            }
            header += kTag;
            burst.tpids = true;
        }
        burst.l3[slot] = frame + header;
        burst.left[slot] = static_cast<std::uint16_t>(length - header);
        burst.type[slot] = group ? kGroupMac : static_cast<std::uint16_t>(type);
        burst.tci[slot] = tci;
        burst.inner_vid[slot] = static_cast<std::uint16_t>(inner_vid);
    }
    burst.sweep();
}

/// Fills l3, left, type, tci and inner_vid (0 without an inner tag).
inline void parse_link(Worker& worker, Burst& burst) noexcept {
    if (burst.strips) {
        parse_link_as<true>(worker, burst);
    } else {
        parse_link_as<false>(worker, burst);
    }
}

}  // namespace peerlane::dataplane
