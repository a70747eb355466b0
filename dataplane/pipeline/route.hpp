// The VRF: look-up, source guard, route.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/pair.hpp"
#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// Fills route: what the VRF says of each destination.
inline void look_up_destinations(Worker& worker, Burst& burst) noexcept {
    worker.kernels.lookup4({burst.routes4, burst.destination4, burst.route, burst.v4, burst.v4_count});
    if (burst.v6_count != 0) {
        worker.kernels.lookup6({burst.routes6, burst.destination6, burst.route, burst.v6, burst.v6_count});
    }
}

/// to_cloud: fills source_route too. One table holds both answers, so both look-ups share its cache lines.
inline void look_up(Worker& worker, Burst& burst) noexcept {
    worker.kernels.lookup4({burst.routes4, burst.source4, burst.source_route, burst.v4, burst.v4_count});
    if (burst.v6_count != 0) {
        worker.kernels.lookup6({burst.routes6, burst.source6, burst.source_route, burst.v6, burst.v6_count});
    }
    look_up_destinations(worker, burst);
}

/// A source outside the prefixes accepted on this link is dropped; the edge's own address is never accepted.
inline void guard(Worker& worker, Burst& burst) noexcept {
    const Attachment* attachments = worker.snapshot->attachments.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        if ((burst.source_route[slot] & attachments[burst.attachment[slot]].accept) == 0) [[unlikely]] {
            burst.end(slot, Fate::source_not_accepted);
        }
    });
    burst.sweep();
}

namespace detail {
/// What is not simply forwarded: for the edge itself, to a subnet's broadcast address, or to nowhere.
[[gnu::noinline, gnu::cold]] inline void route_elsewhere(Burst& burst, std::uint32_t slot,
                                                         std::uint32_t value) noexcept {
    if (route::kind(value) != route::Kind::special) {
        burst.end(slot, Fate::no_route);
        burst.answers = true;
    } else if (route::index(value) == static_cast<std::uint32_t>(route::Special::broadcast)) {
        burst.end(slot, Fate::multicast);
    } else {
        burst.end(slot, judge_delivery(burst, slot));
        burst.answers = true;
    }
}

/// to_cloud: back to a link of the same peering.
[[gnu::always_inline]] inline void route_back(Burst& burst, std::uint32_t slot, std::uint32_t exit) noexcept {
    burst.exit[slot] = exit;
    burst.tally[slot] = tally::attachment(exit, Direction::to_customer);
    burst.hairpins = true;
}

/// to_customer: out by `exit`, the attachment that its flow takes.
[[gnu::always_inline]] inline void route_out(Burst& burst, std::uint32_t slot, std::uint32_t exit, const Exit* exits,
                                             const Tally* tallies) noexcept {
    burst.exit[slot] = exit;
    // The link of an attachment is its index's low bit.
    burst.tally[slot] = tally::tunnel(burst.tunnel[slot], static_cast<Link>(exit & 1U), Direction::to_customer);
    rte_prefetch0(&exits[exit]);
    rte_prefetch0(&tallies[burst.tally[slot]]);
}

/// The same by one of two links. By itself, so that circuits with one link do without it.
[[gnu::noinline]] inline void route_to_pair(Worker& worker, Burst& burst, std::uint32_t slot,
                                            std::uint32_t home) noexcept {
    const std::uint32_t exit = pair_link(worker.state, home, burst.l3[slot], burst.length[slot]);
    if (burst.direction == Direction::to_cloud) {
        route_back(burst, slot, exit);
    } else {
        route_out(burst, slot, exit, worker.snapshot->exits.data(), worker.counters.tallies.data());
    }
}
}  // namespace detail

/// to_cloud: the destination's tunnel, or the link of the same peering that it lies behind.
inline void route_to_cloud(Worker& worker, Burst& burst) noexcept {
    const TunnelInfo* tunnels = worker.snapshot->tunnels.data();
    const TunnelHeader* headers = worker.snapshot->tunnel_headers.data();
    const Tally* tallies = worker.counters.tallies.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t value = burst.route[slot];
        const std::uint32_t index = route::index(value);
        if (route::kind(value) == route::Kind::tunnel) [[likely]] {
            burst.tunnel[slot] = index;
            // The link of an attachment is its index's low bit.
            burst.tally[slot] =
                tally::tunnel(index, static_cast<Link>(burst.attachment[slot] & 1U), Direction::to_cloud);
            rte_prefetch0(&tunnels[index]);
            rte_prefetch0(&headers[index]);
            rte_prefetch0(&tallies[burst.tally[slot]]);
            rte_prefetch0(burst.l3[slot] - sizeof(TunnelHeader));
        } else if (route::kind(value) == route::Kind::customer) {
            detail::route_back(burst, slot, index);
        } else if (route::kind(value) == route::Kind::pair) {
            detail::route_to_pair(worker, burst, slot, index);
        } else {
            detail::route_elsewhere(burst, slot, value);
        }
    });
    burst.sweep();
}

/// to_customer: the link the destination lies behind. What came from the cloud never goes back into a tunnel.
inline void route_to_customer(Worker& worker, Burst& burst) noexcept {
    const Exit* exits = worker.snapshot->exits.data();
    const Tally* tallies = worker.counters.tallies.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t value = burst.route[slot];
        const std::uint32_t index = route::index(value);
        if (route::kind(value) == route::Kind::customer) [[likely]] {
            detail::route_out(burst, slot, index, exits, tallies);
        } else if (route::kind(value) == route::Kind::pair) {
            detail::route_to_pair(worker, burst, slot, index);
        } else if (route::kind(value) == route::Kind::tunnel) {
            burst.end(slot, Fate::from_cloud_to_cloud);
        } else {
            detail::route_elsewhere(burst, slot, value);
        }
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
