// The edge that is measured: N customers with the same addresses, each a QinQ circuit, a VRF of ten routes and a
// tunnel; and the packets they send. Said once here, as configuration text for the product and as plain data for the
// floor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/types.hpp"
#include "perf/pipeline/floor_tables.hpp"

namespace peerlane::perf {

/// The same edge for both sides. With a suite every tunnel is sealed, a pair of SAs each.
FloorSpec make_spec(unsigned circuits, std::optional<EspSuite> suite = {});
std::string configuration_text(const FloorSpec& spec);

/// A frame's first 64 octets, all its headers among them; what follows is never looked at.
struct alignas(64) Image {
    std::uint8_t octets[64];
};

/// 64, 576 and 1420 octets at 7:4:1, as a size.
inline constexpr unsigned kImix = 0;

/// Frames of one direction, shuffled over circuits, routes, TOS, TTL and ports; one in 64 from the cloud was marked by
/// the network. All are to be forwarded. The same seed gives the same frames. Where the tunnels are sealed, what comes
/// from the cloud is still to be (far_end.hpp), and the mark is for the ESP packet. `size`: inner IP length, octets.
struct Images {
    std::vector<Image> image;
    // By image.
    std::vector<std::uint16_t> frame_octets;
    std::vector<std::uint16_t> circuit;  // place in FloorSpec::circuits
    std::vector<std::uint8_t> tos;       // of the ESP packet
};
Images make_images(const FloorSpec& spec, Direction direction, unsigned size, unsigned count);

}  // namespace peerlane::perf
