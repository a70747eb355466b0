#include "dataplane/control/neighbour_frames.hpp"

#include <algorithm>
#include <cstring>

#include "dataplane/pipeline/burst.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

static_assert(22 + kNdMaxLength <= sizeof(Frame::octets) && 22 + kArpLength <= sizeof(Frame::octets));

/// The link header of `where`, its EtherType `type`; returns where the message begins.
std::uint8_t* begin(Frame& frame, const Snapshot& snapshot, const Towards& where, std::uint16_t type) {
    std::uint8_t* at = frame.octets.data();
    if (where.attachment == kNowhere) {
        const auto& own = snapshot.ports[where.port].mac_address;
        std::copy(own.octets.begin(), own.octets.end(), at + 6);
        frame.length = sizeof(ether::Header);
    } else {
        const Exit& exit = snapshot.exits[where.attachment];
        frame.length = exit.header_length;
        std::memcpy(at, exit.header.data() + exit.header.size() - exit.header_length, exit.header_length);
        if (where.tpid != 0) { reinterpret_cast<ether::Header*>(at)->type.set(where.tpid); }
        const auto tags = link_header_length(where.answers);
        // The top three bits of each tag (IEEE 802.1Q §6.9.4).
        for (unsigned tag = sizeof(ether::Header); tag < frame.length && tag < tags; tag += sizeof(ether::Tag)) {
            at[tag] = static_cast<std::uint8_t>((at[tag] & 0x1fU) | (where.answers[tag] & 0xe0U));
        }
    }
    std::copy(where.mac.octets.begin(), where.mac.octets.end(), at);
    reinterpret_cast<Be16*>(at + frame.length - 2)->set(type);
    return at + frame.length;
}

}  // namespace

Frame arp_frame(const Snapshot& snapshot, const Towards& where, const ArpMessage& message) {
    Frame frame;
    auto* at = begin(frame, snapshot, where, ether::kArp);
    frame.length += write_arp(at, message);
    return frame;
}

Frame nd_frame(const Snapshot& snapshot, const Towards& where, const NdMessage& message) {
    Frame frame;
    auto* at = begin(frame, snapshot, where, ether::kIpv6);
    frame.length += write_nd(at, message);
    return frame;
}

}  // namespace peerlane::dataplane
