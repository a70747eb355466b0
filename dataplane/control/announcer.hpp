// Tells the neighbours which Ethernet address the edge's own addresses have, unasked: gratuitous ARP (RFC 5227 §2.3)
// and unsolicited neighbour advertisements (RFC 4861 §7.2.6). Frames out, a clock as an input; knows no device.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

inline constexpr Nanoseconds kAnnouncementInterval = 2'000'000'000;  // between them
inline constexpr unsigned kAnnouncementsAtOnce = 64;                 // frames of one tick

/// Control thread. At the start, when a port's link comes up, and when a reload adds addresses, they are announced: on
/// access ports the edge's addresses of each peering, on core ports the port's and the tunnels' local ones. A few at a
/// time: thousands of circuits do not fill the ring to the worker at once.
class Announcer {
  public:
    using Send = std::function<void(std::uint8_t port, std::span<const std::uint8_t> frame)>;
    Announcer(const State& state, Send send) : state_(state), send_(std::move(send)) {}

    /// `snapshot` has been published: what was not in the one before is to be announced.
    void adopt(const Snapshot& snapshot, Nanoseconds now);
    /// Sends what is due. `up` by port.
    void tick(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now);

    /// Addresses that are still to be announced.
    [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

  private:
    /// An address of the edge where it is reached: port, attachment (kNowhere: the core side), PeeringInfo::mark,
    /// address (IPv4 mapped).
    using Place = std::tuple<std::uint8_t, std::uint32_t, std::uint64_t, Ip6>;
    struct Due {
        Place place;
        Nanoseconds at = 0;
        unsigned left = 0;
    };

    static std::set<Place> places_of(const Snapshot& snapshot);
    void announce(const Snapshot& snapshot, const Place& place);

    const State& state_;
    Send send_;
    std::set<Place> places_;
    std::vector<bool> up_;   // ports, at the last tick
    std::deque<Due> queue_;  // those that are new in front, then in the order of the times
};

}  // namespace peerlane::dataplane
