// Reading frames without a header of the product; and the marks that say which packet a payload was.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "tests/pipeline/packet.hpp"

namespace peerlane::fuzz {

/// Big-endian numbers at a place; 0 behind the end.
inline unsigned at16(std::span<const std::uint8_t> octets, std::size_t at) {
    return at + 1 < octets.size() ? static_cast<unsigned>(octets[at] << 8U | octets[at + 1]) : 0U;
}
inline std::uint32_t at32(std::span<const std::uint8_t> octets, std::size_t at) {
    return static_cast<std::uint32_t>(at16(octets, at)) << 16U | at16(octets, at + 2);
}

inline constexpr std::uint8_t kMagic[] = {0xd1, 0x57, 0x1a, 0xc7, 0x1e, 0x5e, 0xed, 0x99};

inline std::vector<std::uint32_t> marks_in(std::span<const std::uint8_t> octets) {
    std::vector<std::uint32_t> marks;
    for (auto at = octets.begin();;) {
        at = std::search(at, octets.end(), std::begin(kMagic), std::end(kMagic));
        if (octets.end() - at < static_cast<std::ptrdiff_t>(sizeof kMagic + 4)) { return marks; }
        marks.push_back(at32(octets, static_cast<std::size_t>(at - octets.begin()) + sizeof kMagic));
        at += sizeof kMagic;
    }
}
/// The first of them.
inline std::optional<std::uint32_t> mark_in(std::span<const std::uint8_t> octets) {
    const auto marks = marks_in(octets);
    return marks.empty() ? std::nullopt : std::optional(marks.front());
}

/// A payload of at least 12 bytes that says which packet it is.
inline test::Octets marked_payload(std::uint32_t mark, unsigned size) {
    test::Octets payload(std::begin(kMagic), std::end(kMagic));
    for (unsigned shift = 32; shift != 0; shift -= 8) {
        payload.push_back(static_cast<std::uint8_t>(mark >> (shift - 8)));
    }
    payload.resize(std::max<std::size_t>(payload.size(), size), 0x33);
    return payload;
}

}  // namespace peerlane::fuzz
