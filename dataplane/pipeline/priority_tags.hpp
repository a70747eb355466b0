// Tags with VID 0 (IEEE 802.1Q §9.6): they give a priority and name no VLAN.
#pragma once

#include <rte_mbuf.h>

namespace peerlane::dataplane {

/// Priority tags that a frame may have, wherever they are among its tags.
inline constexpr unsigned kMostPriorityTags = 2;

/// Takes the priority tags out of a frame in one segment, so that nobody after this meets one: those before, between
/// and after its first two VLAN tags, and one that the device left beside the frame. Returns how many; 0 also if there
/// are more than kMostPriorityTags, and then the frame is as it was. TPIDs are those of ether::is_tpid().
[[gnu::cold]] unsigned take_out_priority_tags(rte_mbuf& mbuf) noexcept;

}  // namespace peerlane::dataplane
