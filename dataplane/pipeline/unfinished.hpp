// What Linux leaves to a device, in frames that reach the edge before any device: checksums to be finished, and several
// packets in one frame (GSO, GRO). Only for bursts that may hold such (Burst::unfinished).
#pragma once

#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"
#include "lib/net/unfinished_checksum.hpp"

namespace peerlane::dataplane {

namespace detail {

/// Longer than `mtu` by its IP header, and of a protocol whose packets are merged. Where the frame was cut off for its
/// length, the header still says so.
inline bool is_super_frame(const std::uint8_t* l3, unsigned left, unsigned mtu) noexcept {
    constexpr std::uint8_t kSctp = 132;
    const auto merged = [](std::uint8_t protocol) {
        return protocol == ip::kTcp || protocol == ip::kUdp || protocol == kSctp || protocol == ip::kGre;
    };
    if (left < sizeof(Ipv4)) { return false; }
    if (l3[0] >> 4U == 4) {
        const auto& header = *reinterpret_cast<const Ipv4*>(l3);
        return header.total_length.get() > mtu && merged(header.protocol);
    }
    if (l3[0] >> 4U != 6 || left < sizeof(Ipv6)) { return false; }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    return sizeof(Ipv6) + header.payload_length.get() > mtu && merged(header.next_header);
}

/// Those that were dropped for their length get the reason that helps.
[[gnu::noinline, gnu::cold]] inline void name_super_frames(const Snapshot& snapshot, Burst& burst) noexcept {
    const unsigned mtu = snapshot.ports[burst.port].mtu;
    const bool core = burst.direction == Direction::to_customer;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        const Fate fate = burst.fate[slot];
        if (fate != Fate::oversize && fate != (core ? Fate::outer_truncated : Fate::truncated)) { continue; }
        const rte_mbuf& mbuf = *burst.mbuf[slot];
        const auto* l3 = core ? rte_pktmbuf_mtod(&mbuf, const std::uint8_t*) + sizeof(ether::Header) : burst.l3[slot];
        const auto* end = rte_pktmbuf_mtod(&mbuf, const std::uint8_t*) + mbuf.data_len;
        const auto left = l3 < end ? static_cast<unsigned>(end - l3) : 0U;
        if (is_super_frame(l3, left, mtu)) { burst.fate[slot] = Fate::super_frame; }
    }
}

[[gnu::noinline, gnu::cold]] inline void finish_checksums(Burst& burst) noexcept {
    for (std::uint32_t i = 0; i < burst.v4_count; ++i) {
        const auto slot = burst.v4[i];
        if (burst.fate[slot] != Fate::live) { continue; }
        finish_checksum(*reinterpret_cast<Ipv4*>(burst.l3[slot]), burst.length[slot]);
    }
    for (std::uint32_t i = 0; i < burst.v6_count; ++i) {
        const auto slot = burst.v6[i];
        if (burst.fate[slot] != Fate::live) { continue; }
        finish_checksum(*reinterpret_cast<Ipv6*>(burst.l3[slot]), burst.length[slot]);
    }
}

}  // namespace detail

/// After parse_outer(): what came by a core port.
inline void refuse_super_frames(Worker& worker, Burst& burst) noexcept {
    if (burst.unfinished) [[unlikely]] { detail::name_super_frames(*worker.snapshot, burst); }
}

/// After the customer's packet was parsed, either way.
inline void finish_unfinished(Worker& worker, Burst& burst) noexcept {
    if (!burst.unfinished) [[likely]] { return; }
    if (burst.direction == Direction::to_cloud) { detail::name_super_frames(*worker.snapshot, burst); }
    detail::finish_checksums(burst);
}

}  // namespace peerlane::dataplane
