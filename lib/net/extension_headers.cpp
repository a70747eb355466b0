#include "lib/net/extension_headers.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kPad1 = 0;
constexpr std::uint8_t kRouterAlert = 5;  // RFC 2711
constexpr std::uint8_t kJumbo = 0xc2;
constexpr std::uint8_t kAction = 0xc0;  // of an option that is not known; 0: skip it

/// Looks through the options of one header, `length` bytes with the two before them.
void read_options(UpperLayer& found, const std::uint8_t* header, unsigned length) noexcept {
    for (unsigned at = 2; at < length;) {
        const std::uint8_t type = header[at];
        if (type == kPad1) {
            ++at;
            continue;
        }
        if (at + 2 > length || at + 2U + header[at + 1] > length) {
            found.refused = true;
            return;
        }
        found.jumbo |= type == kJumbo;
        found.refused |= (type & kAction) != 0 && type != kRouterAlert;
        at += 2U + header[at + 1];
    }
}

}  // namespace

UpperLayer walk_extension_headers(std::uint8_t protocol, const std::uint8_t* at, unsigned length, bool first) noexcept {
    UpperLayer found{.protocol = protocol};
    for (unsigned headers = 0; is_extension_header(found.protocol); ++headers) {
        const auto* header = at + found.offset;
        const unsigned left = length - found.offset;
        const bool authentication = found.protocol == ip::kAuthentication;
        found.endless = headers == kMostExtensionHeaders;
        found.cut = left < 8;
        if (!found.known()) { return found; }
        const unsigned size = found.protocol == ip::kFragment6 ? 8U
                              : authentication                 ? (header[1] + 2U) * 4U
                                                               : (header[1] + 1U) * 8U;
        found.cut = size > left;
        if (found.cut) { return found; }
        switch (found.protocol) {
            case ip::kHopByHop:
                found.refused |= headers != 0 || !first;
                [[fallthrough]];
            case ip::kDestinationOptions:
                read_options(found, header, size);
                break;
            case ip::kRouting:
                found.refused |= header[3] != 0;
                break;
            case ip::kFragment6: {
                constexpr unsigned kMore = 1;
                const auto& piece = *reinterpret_cast<const Fragment6*>(header);
                found.later |= piece.offset() != 0;
                found.fragment |= found.later || (piece.fragment.get() & kMore) != 0;
                break;
            }
            default:
                found.authenticated = true;
                break;
        }
        found.protocol = header[0];
        found.offset += size;
        if (found.later) { return found; }
    }
    return found;
}

UpperLayer upper_layer(const Ipv6& packet, unsigned length) noexcept {
    constexpr unsigned kHeader = sizeof(Ipv6);
    auto found = walk_extension_headers(packet.next_header, reinterpret_cast<const std::uint8_t*>(&packet) + kHeader,
                                        length - kHeader);
    found.offset += kHeader;
    return found;
}

bool is_jumbogram(const Ipv6& packet, unsigned left) noexcept {
    if (packet.payload_length.get() != 0 || packet.next_header != ip::kHopByHop) { return false; }
    constexpr unsigned kHeader = sizeof(Ipv6);
    const auto* options = reinterpret_cast<const std::uint8_t*>(&packet) + kHeader;
    const unsigned room = left - kHeader;
    if (room < 8) { return false; }
    UpperLayer found;
    const unsigned length = (options[1] + 1U) * 8U;
    read_options(found, options, length < room ? length : room);
    return found.jumbo;
}

}  // namespace peerlane
