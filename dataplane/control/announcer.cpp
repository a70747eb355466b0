#include "dataplane/control/announcer.hpp"

#include <utility>

#include "dataplane/control/neighbour_frames.hpp"
#include "dataplane/pipeline/tpids.hpp"
#include "lib/table/tunnel_table.hpp"

namespace peerlane::dataplane {
namespace {

constexpr Mac kAllStations{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr Ip6 kEveryNode{0xff02'0000'0000'0000, 1};

}  // namespace

std::set<Announcer::Place> Announcer::places_of(const Snapshot& snapshot) {
    std::set<Place> places;
    for (const auto& peering : snapshot.names.peerings) {
        const PeeringInfo& info = snapshot.peerings[peering.slot];
        for (const auto link : peering.links) {
            const auto attachment = peering.slot * kLinks + raw(link);
            const auto port = snapshot.attachments[attachment].port;
            const auto& end = info.ends[raw(link)];
            if (end.has4) { places.emplace(port, attachment, info.mark, Ip6{0, table::mapped(end.edge4)}); }
            if (end.has6) { places.emplace(port, attachment, info.mark, end.edge6); }
        }
    }
    for (std::size_t port = 0; port < snapshot.ports.size(); ++port) {
        for (const auto& own : snapshot.ports[port].own) {
            places.emplace(static_cast<std::uint8_t>(port), kNowhere, 0, own);
        }
    }
    return places;
}

void Announcer::adopt(const Snapshot& snapshot, Nanoseconds now) {
    auto places = places_of(snapshot);
    std::erase_if(queue_, [&](const Due& due) { return !places.contains(due.place); });
    std::vector<Due> fresh;
    for (const auto& place : places) {
        // Those of a port that is down wait until it comes up.
        const auto port = std::get<0>(place);
        const bool up = port < up_.size() && up_[port];
        if (up && !places_.contains(place)) { fresh.push_back({place, now, snapshot.announcements}); }
    }
    if (snapshot.announcements != 0) { queue_.insert(queue_.begin(), fresh.begin(), fresh.end()); }
    places_ = std::move(places);
}

void Announcer::tick(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now) {
    std::vector<bool> came_up(up.size());
    bool some = false;
    for (std::size_t port = 0; port < up.size(); ++port) {
        came_up[port] = up[port] && (port >= up_.size() || !up_[port]);
        some |= came_up[port];
    }
    up_ = up;
    if (some) {
        std::erase_if(queue_, [&](const Due& due) { return came_up[std::get<0>(due.place)]; });
        std::vector<Due> fresh;
        for (const auto& place : places_) {
            if (came_up[std::get<0>(place)]) { fresh.push_back({place, now, snapshot.announcements}); }
        }
        if (snapshot.announcements != 0) { queue_.insert(queue_.begin(), fresh.begin(), fresh.end()); }
    }
    for (unsigned sent = 0; sent < kAnnouncementsAtOnce && !queue_.empty() && queue_.front().at <= now;) {
        Due due = queue_.front();
        queue_.pop_front();
        if (!up[std::get<0>(due.place)]) { continue; }
        announce(snapshot, due.place);
        ++sent;
        due.at = now + kAnnouncementInterval;
        if (--due.left != 0) { queue_.push_back(due); }
    }
}

void Announcer::announce(const Snapshot& snapshot, const Place& place) {
    const auto& [port, attachment, mark, address] = place;
    const Mac& own = snapshot.ports[port].mac_address;
    const bool four = address.high == 0 && address.low >> 32U == 0xffff;
    Towards where{port, attachment, four ? kAllStations : multicast_mac(kEveryNode)};
    if (attachment != kNowhere && snapshot.exits[attachment].hears_tpid) {
        where.tpid = heard::outer(heard::load(state_, attachment));
    }
    if (four) {
        const Ip4 it{static_cast<std::uint32_t>(address.low)};
        send_(port, arp_frame(snapshot, where, {true, own, it, Mac{}, it}).span());
        return;
    }
    NdMessage message;
    message.kind = NdMessage::Kind::advertisement;
    message.source = message.target = address;
    message.destination = kEveryNode;
    message.link_address = own;
    message.router = true;
    message.override_entry = true;
    send_(port, nd_frame(snapshot, where, message).span());
}

}  // namespace peerlane::dataplane
