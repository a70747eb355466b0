// A peering with both links here: which of the two a packet to the customer takes.
#pragma once

#include <atomic>

#include "dataplane/pipeline/worker.hpp"
#include "lib/net/flow_hash.hpp"

namespace peerlane::dataplane {

/// Whether `family` (alive::kV4 or kV6) reaches its next hop by this attachment, as far as control knows. Any thread.
inline bool is_alive(const State& state, std::uint32_t attachment, std::uint8_t family) noexcept {
    const std::atomic_ref<std::uint8_t> cell(state.links_alive[attachment]);
    return (cell.load(std::memory_order_relaxed) & family) != 0;
}

/// The attachment by which the packet goes whose route is Kind::pair with the home link's attachment `home`: the link
/// that the lowest bit of its flow's hash prefers, 0 being the home link; the other one if only that is alive. A flow
/// stays on its link as long as that is alive, whatever becomes of the other.
inline std::uint32_t pair_link(const State& state, std::uint32_t home, const std::uint8_t* l3,
                               unsigned length) noexcept {
    const bool four = l3[0] >> 4U == 4;
    const std::uint32_t hash = four ? flow_hash(*reinterpret_cast<const Ipv4*>(l3), length)
                                    : flow_hash(*reinterpret_cast<const Ipv6*>(l3), length);
    const std::uint32_t preferred = home ^ (hash & 1U);
    const std::uint32_t other = preferred ^ 1U;
    const std::uint8_t family = four ? alive::kV4 : alive::kV6;
    if (is_alive(state, preferred, family) || !is_alive(state, other, family)) [[likely]] { return preferred; }
    return other;
}

}  // namespace peerlane::dataplane
