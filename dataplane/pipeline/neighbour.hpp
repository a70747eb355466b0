// Next hops whose MAC is learnt: whether a packet may go to them, may wait for them, and how the MAC gets into its
// frame. Those whose MAC is configured have it in their templates and do not come here.
#pragma once

#include <rte_mbuf.h>

#include <atomic>
#include <cstring>

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// What is known of a next hop (namespace neighbour). Any worker.
inline std::uint64_t neighbour_word(const State& state, std::uint32_t index) noexcept {
    return std::atomic_ref<std::uint64_t>(state.neighbours[index]).load(std::memory_order_relaxed);
}

/// The same for a way out that may not need to ask.
inline std::uint64_t next_hop(const State& state, const TunnelInfo& tunnel) noexcept {
    const bool learns = (tunnel.flags & TunnelInfo::kLearns) != 0;
    return learns ? neighbour_word(state, tunnel.neighbour) : neighbour::kKnown;
}
inline std::uint64_t next_hop(const State& state, const Exit& exit, std::uint32_t index, bool six) noexcept {
    return exit.has_mac ? neighbour::kKnown : neighbour_word(state, neighbour::customer(index, six));
}

/// Writes the MAC of `word` as the destination of the finished frame. If it has become unknown since the packet was let
/// through, the MAC is still that which it had.
inline void put_destination(const rte_mbuf* mbuf, std::uint64_t word) noexcept {
    auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
    const auto low = static_cast<std::uint32_t>(word);
    const auto high = static_cast<std::uint16_t>(word >> 32U);
    std::memcpy(frame, &low, sizeof(low));
    std::memcpy(frame + sizeof(low), &high, sizeof(high));
}
/// `ip_version`: of the packet that the frame carries.
inline void put_customer(const State& state, const rte_mbuf* mbuf, const Exit& exit, std::uint32_t index,
                         unsigned ip_version) noexcept {
    if (!exit.has_mac) { put_destination(mbuf, neighbour_word(state, neighbour::customer(index, ip_version == 6))); }
}
inline void put_next_hop(const State& state, const rte_mbuf* mbuf, const TunnelInfo& tunnel) noexcept {
    if ((tunnel.flags & TunnelInfo::kLearns) != 0) { put_destination(mbuf, neighbour_word(state, tunnel.neighbour)); }
}

}  // namespace peerlane::dataplane
