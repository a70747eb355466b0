// The edge that is measured: N customers with the same addresses, each a QinQ circuit, a VRF of ten routes and a
// tunnel; and the packets they send. Said once here, as configuration text for the product and as plain data for the
// floor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/types.hpp"
#include "perf/pipeline/floor_tables.hpp"

namespace peerlane::perf {

/// The same edge for both sides.
FloorSpec make_spec(unsigned circuits);
std::string configuration_text(const FloorSpec& spec);

/// A frame's first 64 octets, all its headers among them; what follows is never looked at.
struct alignas(64) Image {
    std::uint8_t octets[64];
};

/// Frames of one direction, shuffled over circuits, routes, TOS, TTL and ports; one in 64 from the cloud was marked by
/// the network. All are to be forwarded. The same seed gives the same frames.
struct Images {
    std::vector<Image> image;
    unsigned frame_octets = 0;  // of every frame
    unsigned inner_octets = 0;
};
Images make_images(const FloorSpec& spec, Direction direction, unsigned inner_octets, unsigned count);

}  // namespace peerlane::perf
