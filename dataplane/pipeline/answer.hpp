// What the edge says itself: ICMP errors (RFC 792, RFC 1812 §4.3, RFC 4443 §2.4) and echo replies. Off the fast way,
// once per burst.
#pragma once

#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Answers what ended in no_route, ttl_expired, too_big or at the edge's own address, in slot order. The answers go the
/// opposite direction, from `route` on in the same VRF, into worker.replies; they are charged to the circuit
/// that they leave by, and are not answered themselves. Each draws on the budget of its link or core port; an echo
/// request beyond that ends as reply_limited.
void answer(Worker& worker, Burst& burst) noexcept;

/// Cuts the live slots that have a cut_mtu: the first piece stays in its slot, piece k goes to the same slot of
/// worker.pieces[k - 1].
void fragment(Worker& worker, Burst& burst) noexcept;

/// gre_encap of the pieces, and esp_seal of them and of the burst in the order in which they leave, so that sequence
/// numbers are in that order.
void encap_pieces(Worker& worker, Burst& burst) noexcept;

}  // namespace peerlane::dataplane
