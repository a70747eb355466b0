// Ethernet header and tags of one whole frame, for who handles frames one by one: local delivery, and what control
// sends.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/pipeline/burst.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// Octets of Ethernet header and tags of a frame; its EtherType is before that. 0: the frame is too short.
inline unsigned link_header_length(std::span<const std::uint8_t> frame) noexcept {
    unsigned at = sizeof(ether::Header);
    while (at <= frame.size() && ether::tpid_bit(reinterpret_cast<const Be16*>(frame.data() + at - 2)->get()) != 0) {
        at += sizeof(ether::Tag);
    }
    return at <= frame.size() ? at : 0;
}

/// The attachment that a frame on an access port belongs to, kNowhere for none.
inline std::uint32_t attachment_of(const Snapshot& snapshot, std::uint8_t port,
                                   std::span<const std::uint8_t> frame) noexcept {
    constexpr unsigned kTci = sizeof(ether::Header);
    const auto at = link_header_length(frame);
    const auto vid = [&](unsigned tag) {
        return reinterpret_cast<const Be16*>(frame.data() + kTci + tag * sizeof(ether::Tag))->get() & 0xfffU;
    };
    switch (at) {
        case kTci + sizeof(ether::Tag):
            return snapshot.ports[port].vlans.find(vid(0), 0);
        case kTci + 2 * sizeof(ether::Tag):
            return snapshot.ports[port].vlans.find(vid(0), vid(1));
        default:
            return kNowhere;
    }
}

/// The mark (PeeringInfo::mark) of the peering whose tags a frame has that leaves by `port`; 0: nobody's, or to the
/// core.
inline std::uint64_t owner_of_frame(const Snapshot& snapshot, std::uint8_t port,
                                    std::span<const std::uint8_t> frame) noexcept {
    if (!snapshot.ports[port].access) { return 0; }
    const auto attachment = attachment_of(snapshot, port, frame);
    return attachment == kNowhere ? 0 : snapshot.peerings[attachment / kLinks].mark;
}

}  // namespace peerlane::dataplane
