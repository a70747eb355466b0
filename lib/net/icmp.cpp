#include "lib/net/icmp.hpp"

#include <algorithm>

#include "lib/net/checksum.hpp"
#include "lib/net/extension_headers.hpp"
#include "lib/net/reply_options.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kEchoReply4 = 0;
constexpr std::uint8_t kEchoRequest4 = 8;
constexpr std::uint8_t kEchoRequest6 = 128;
constexpr std::uint8_t kEchoReply6 = 129;
constexpr std::uint8_t kFirstInformational6 = 128;
constexpr std::uint8_t kAuthentication = 51;
constexpr unsigned kMostAuthentications = 4;
constexpr std::uint8_t kInternetControl = 0xc0;  // CS6: RFC 1812 §4.3.2.5

struct TypeCode {
    std::uint8_t type, code;
};
constexpr TypeCode type4(IcmpError why) noexcept {
    switch (why) {
        case IcmpError::no_route:
            return {3, 0};
        case IcmpError::host_unreachable:
            return {3, 1};
        case IcmpError::protocol_unreachable:
            return {3, 2};
        case IcmpError::port_unreachable:
            return {3, 3};
        case IcmpError::time_exceeded:
            return {11, 0};
        case IcmpError::too_big:
            return {3, 4};  // RFC 1191 §4
    }
    return {3, 0};
}
constexpr TypeCode type6(IcmpError why) noexcept {
    switch (why) {
        case IcmpError::no_route:
            return {1, 0};
        case IcmpError::host_unreachable:
            return {1, 3};
        case IcmpError::port_unreachable:
            return {1, 4};
        case IcmpError::protocol_unreachable:
            return {4, 1};
        case IcmpError::time_exceeded:
            return {3, 0};
        case IcmpError::too_big:
            return {2, 0};
    }
    return {1, 0};
}

constexpr bool is_error4(std::uint8_t type) noexcept {
    constexpr std::uint8_t kConversionFailed = 31, kPhoturis = 40;  // RFC 1475, RFC 2521
    return type == 3 || type == 4 || type == 5 || type == 11 || type == 12 || type == kConversionFailed ||
           type == kPhoturis;
}
/// Redirects are no errors, but are never answered with one (RFC 4443 §2.4 (e.2)).
constexpr bool is_informational6(std::uint8_t type) noexcept {
    constexpr std::uint8_t kRedirect = 137;
    return type >= kFirstInformational6 && type != kRedirect;
}
/// The lowest 64 bits of a unicast address are 0 only in the anycast address of a subnet's routers (RFC 4291 §2.6.1),
/// but for addresses that begin with 000, which need no interface identifier of that length (§2.5.1).
constexpr bool is_subnet_router_anycast(std::uint64_t high, std::uint64_t low) noexcept {
    return low == 0 && high >> 61U != 0;
}

void write_ipv4(Ipv4& header, std::uint8_t tos, unsigned length, std::uint32_t source, std::uint32_t destination) {
    header.version_ihl = 0x45;
    header.tos = tos;
    header.total_length.set(static_cast<std::uint16_t>(length));
    header.id.set(0);  // atomic: RFC 6864 §4.1
    header.fragment.set(Ipv4::kDontFragment);
    header.ttl = ip::kHopLimit;
    header.protocol = ip::kIcmp;
    header.source.set(source);
    header.destination.set(destination);
    ipv4_set_checksum(header);
}

void write_ipv6(Ipv6& header, std::uint8_t traffic_class, unsigned payload) {
    header.version_class_flow.set(6U << 28U | std::uint32_t{traffic_class} << 20U);
    header.payload_length.set(static_cast<std::uint16_t>(payload));
    header.next_header = ip::kIcmp6;
    header.hop_limit = ip::kHopLimit;
}

// `extra` is the pseudo-header's sum for ICMPv6, 0 for ICMP.
void set_icmp_checksum(Icmp& icmp, unsigned length, std::uint64_t extra) {
    icmp.checksum.set(0);
    const auto sum =
        static_cast<std::uint16_t>(~fold(extra + sum_words(reinterpret_cast<const std::uint8_t*>(&icmp), length)));
    std::memcpy(icmp.checksum.octets, &sum, 2);
}

}  // namespace

bool icmp_may_answer(const Ipv4& packet, unsigned length) noexcept {
    const auto source = packet.source.get();
    const auto first = source >> 24U;
    if (first == 0 || first == 127 || first >= 224 || packet.destination.get() >> 28U >= 14) { return false; }
    if ((packet.fragment.get() & Ipv4::kOffsetMask) != 0) { return false; }
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet);
    unsigned at = packet.header_length();
    auto protocol = packet.protocol;
    for (unsigned headers = 0; protocol == kAuthentication; ++headers) {  // an error may be behind it (RFC 4302 §2)
        if (headers == kMostAuthentications || at + 2 > length) { return false; }
        protocol = octets[at];
        at += (octets[at + 1] + 2U) * 4U;
    }
    return protocol != ip::kIcmp || (at < length && !is_error4(octets[at]));
}

bool icmp_may_answer(const Ipv6& packet, unsigned length) noexcept {
    const auto high = packet.source_high.get();
    const auto low = packet.source_low.get();
    const bool no_unicast =
        packet.source_high.octets[0] == 0xff || (high == 0 && low <= 1) || is_subnet_router_anycast(high, low);
    if (no_unicast || packet.destination_high.octets[0] == 0xff) { return false; }
    const auto upper = upper_layer(packet, length);
    if (!upper.known()) { return false; }
    // RFC 4443 §2.4 (e) has no exception for fragments; what a later one is a piece of, it does not say.
    if (upper.later || upper.protocol != ip::kIcmp6) { return true; }
    return upper.offset < length && is_informational6(reinterpret_cast<const std::uint8_t*>(&packet)[upper.offset]);
}

unsigned icmp_error(std::uint8_t* out, IcmpError why, std::uint32_t source, std::uint32_t word, const Ipv4& packet,
                    unsigned length) noexcept {
    constexpr unsigned kHeaders = sizeof(Ipv4) + sizeof(Icmp);
    const unsigned quoted = std::min(length, kIcmp4ErrorMax - kHeaders);
    auto& icmp = *reinterpret_cast<Icmp*>(out + sizeof(Ipv4));
    const auto [type, code] = type4(why);
    icmp.type = type;
    icmp.code = code;
    icmp.rest.set(word);
    std::memcpy(out + kHeaders, &packet, quoted);
    set_icmp_checksum(icmp, sizeof(Icmp) + quoted, 0);
    write_ipv4(*reinterpret_cast<Ipv4*>(out), kInternetControl, kHeaders + quoted, source, packet.source.get());
    return kHeaders + quoted;
}

unsigned icmp_error(std::uint8_t* out, IcmpError why, std::uint64_t source_high, std::uint64_t source_low,
                    std::uint32_t word, const Ipv6& packet, unsigned length) noexcept {
    constexpr unsigned kHeaders = sizeof(Ipv6) + sizeof(Icmp);
    const unsigned quoted = std::min(length, kIcmp6ErrorMax - kHeaders);
    auto& header = *reinterpret_cast<Ipv6*>(out);
    auto& icmp = *reinterpret_cast<Icmp*>(out + sizeof(Ipv6));
    write_ipv6(header, kInternetControl, sizeof(Icmp) + quoted);
    header.source_high.set(source_high);
    header.source_low.set(source_low);
    header.destination_high = packet.source_high;
    header.destination_low = packet.source_low;
    const auto [type, code] = type6(why);
    icmp.type = type;
    icmp.code = code;
    icmp.rest.set(word);
    std::memcpy(out + kHeaders, &packet, quoted);
    set_icmp_checksum(icmp, sizeof(Icmp) + quoted, pseudo_header_sum(header, ip::kIcmp6, sizeof(Icmp) + quoted));
    return kHeaders + quoted;
}

bool is_echo_request(const Ipv4& packet, unsigned length) noexcept {
    const unsigned header = packet.header_length();
    if (packet.protocol != ip::kIcmp || packet.is_fragment() || length < header + sizeof(Icmp)) { return false; }
    const auto* icmp = reinterpret_cast<const std::uint8_t*>(&packet) + header;
    return icmp[0] == kEchoRequest4 && icmp[1] == 0;
}

bool is_echo_request(const Ipv6& packet, unsigned length) noexcept {
    const auto upper = upper_layer(packet, length);
    const bool plain = upper.known() && !upper.refused && !upper.fragment && !upper.authenticated;
    if (!plain || upper.protocol != ip::kIcmp6 || length < upper.offset + sizeof(Icmp)) { return false; }
    const auto* icmp = reinterpret_cast<const std::uint8_t*>(&packet) + upper.offset;
    return icmp[0] == kEchoRequest6 && icmp[1] == 0;
}

bool echo_checksum_ok(const Ipv4& packet, unsigned length) noexcept {
    const unsigned header = packet.header_length();
    return fold(sum_words(reinterpret_cast<const std::uint8_t*>(&packet) + header, length - header)) == 0xffff;
}

bool echo_checksum_ok(const Ipv6& packet, unsigned length) noexcept {
    const unsigned offset = upper_layer(packet, length).offset;
    const unsigned payload = length - offset;
    const auto* icmp = reinterpret_cast<const std::uint8_t*>(&packet) + offset;
    return fold(pseudo_header_sum(packet, ip::kIcmp6, payload) + sum_words(icmp, payload)) == 0xffff;
}

unsigned echo_reply(std::uint8_t* out, const Ipv4& packet, unsigned length, std::uint32_t time) noexcept {
    const unsigned asked = packet.header_length();
    const unsigned payload = length - asked;
    const bool plain = asked == sizeof(Ipv4);
    const auto options = plain ? 0 : reply_options(packet, packet.destination.get(), time, out + sizeof(Ipv4));
    const auto header = static_cast<unsigned>(sizeof(Ipv4)) + options;
    auto& icmp = *reinterpret_cast<Icmp*>(out + header);
    std::memcpy(&icmp, reinterpret_cast<const std::uint8_t*>(&packet) + asked, payload);
    icmp.type = kEchoReply4;
    set_icmp_checksum(icmp, payload, 0);
    auto& ip = *reinterpret_cast<Ipv4*>(out);
    write_ipv4(ip, packet.tos, header + payload, packet.destination.get(), packet.source.get());
    ip.version_ihl = static_cast<std::uint8_t>(0x40U | header / 4U);
    if (options != 0) { ipv4_set_checksum(ip); }
    return header + payload;
}

unsigned echo_reply(std::uint8_t* out, const Ipv6& packet, unsigned length) noexcept {
    const unsigned offset = upper_layer(packet, length).offset;
    const unsigned payload = length - offset;
    auto& header = *reinterpret_cast<Ipv6*>(out);
    auto& icmp = *reinterpret_cast<Icmp*>(out + sizeof(Ipv6));
    std::memcpy(&icmp, reinterpret_cast<const std::uint8_t*>(&packet) + offset, payload);
    write_ipv6(header, packet.traffic_class(), payload);
    header.source_high = packet.destination_high;
    header.source_low = packet.destination_low;
    header.destination_high = packet.source_high;
    header.destination_low = packet.source_low;
    icmp.type = kEchoReply6;
    set_icmp_checksum(icmp, payload, pseudo_header_sum(header, ip::kIcmp6, payload));
    return static_cast<unsigned>(sizeof(Ipv6)) + payload;
}

}  // namespace peerlane
