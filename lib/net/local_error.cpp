#include "lib/net/local_error.hpp"

#include "lib/net/checksum.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kNoNextHeader = 59;

/// Headers of IPv6 that are no protocol of their own (RFC 7045 §4); what ESP hides is not known.
constexpr bool is_extension(std::uint8_t header) noexcept {
    switch (header) {
        case 0:
        case 43:
        case 44:
        case 51:
        case 60:
        case 135:
        case 139:
        case 140:
            return true;
        default:
            return false;
    }
}

template <class Header>
bool is_whole_udp(const Header& packet, const std::uint8_t* at, unsigned length, bool must_be_summed) noexcept {
    if (length < sizeof(Udp)) { return false; }
    const auto& udp = *reinterpret_cast<const Udp*>(at);
    const unsigned octets = udp.length.get();
    if (octets < sizeof(Udp) || octets > length) { return false; }
    if (udp.checksum.get() == 0) { return !must_be_summed; }
    return fold(pseudo_header_sum(packet, ip::kUdp, octets) + sum_words(at, octets)) == 0xffff;
}

}  // namespace

std::optional<IcmpError> local_error(const Ipv4& packet, unsigned length) noexcept {
    if (packet.protocol == ip::kIcmp || packet.is_fragment() || !icmp_may_answer(packet, length)) { return {}; }
    if (packet.protocol != ip::kUdp) { return IcmpError::protocol_unreachable; }
    const unsigned header = packet.header_length();
    const auto* udp = reinterpret_cast<const std::uint8_t*>(&packet) + header;
    if (!is_whole_udp(packet, udp, length - header, false)) { return {}; }
    return IcmpError::port_unreachable;
}

std::optional<IcmpError> local_error(const Ipv6& packet, unsigned length) noexcept {
    const auto next = packet.next_header;
    if (next == ip::kIcmp6 || next == kNoNextHeader || is_extension(next) || !icmp_may_answer(packet, length)) {
        return {};
    }
    if (next != ip::kUdp) { return IcmpError::protocol_unreachable; }
    const auto* udp = reinterpret_cast<const std::uint8_t*>(&packet) + sizeof(Ipv6);
    // RFC 8200 §8.1: over IPv6 there is no leaving the checksum out.
    if (!is_whole_udp(packet, udp, length - static_cast<unsigned>(sizeof(Ipv6)), true)) { return {}; }
    return IcmpError::port_unreachable;
}

}  // namespace peerlane
