// Frames of ARP and neighbour discovery as the edge sends them: with the peering's tags to a customer, bare to the
// core.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/pipeline/frame_tags.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "lib/net/arp.hpp"
#include "lib/net/ndisc.hpp"

namespace peerlane::dataplane {

struct Frame {
    std::array<std::uint8_t, 128> octets{};
    unsigned length = 0;
    [[nodiscard]] std::span<const std::uint8_t> span() const noexcept { return {octets.data(), length}; }
};

/// Where a message goes: by which port, in which peering (kNowhere: the core), to which MAC. `answers`: the frame whose
/// priorities it copies, or nothing.
struct Towards {
    std::uint8_t port = 0;
    std::uint32_t attachment = 0;
    Mac mac;
    std::span<const std::uint8_t> answers{};
    std::uint16_t tpid = 0;  // of the outer or only tag; 0: what the port sends
};

Frame arp_frame(const Snapshot& snapshot, const Towards& where, const ArpMessage& message);
Frame nd_frame(const Snapshot& snapshot, const Towards& where, const NdMessage& message);

}  // namespace peerlane::dataplane
