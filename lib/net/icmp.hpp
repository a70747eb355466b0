// ICMP and ICMPv6 packets the edge makes: errors and echo replies. Whole IP packets, written into a buffer the caller
// owns.
#pragma once

#include <cstdint>

#include "lib/net/headers.hpp"

namespace peerlane {

/// Why an error is sent.
enum class IcmpError : std::uint8_t {
    no_route,
    host_unreachable,  // the next hop does not answer (RFC 1812 §5.2.7.1; RFC 4443 §3.1: address unreachable)
    port_unreachable,
    protocol_unreachable,  // ICMPv6: parameter problem, unrecognized next header (RFC 4443 §3.4)
    time_exceeded,
    too_big
};

/// Longest error: 576 octets of IPv4 (RFC 1812 §4.3.2.3), 1280 of IPv6 (RFC 4443 §2.4 (c)).
inline constexpr unsigned kIcmp4ErrorMax = 576;
inline constexpr unsigned kIcmp6ErrorMax = 1280;

/// True if RFC 1812 §4.3.2.7 / RFC 4443 §2.4 (e) allow an error in answer to this packet: no ICMP error, no IPv4
/// fragment but the first, no multicast, broadcast or unspecified source or destination. `packet` is `length` octets
/// from a verified IP header on.
bool icmp_may_answer(const Ipv4& packet, unsigned length) noexcept;
bool icmp_may_answer(const Ipv6& packet, unsigned length) noexcept;

/// Writes the whole error packet to `out` and returns its length. `source` is the edge's address, host byte order;
/// `word` is the next hop's MTU (too_big), or where the next header field is (protocol_unreachable of ICMPv6), else 0;
/// `packet` the offending packet as it came. `out` has room for kIcmp4ErrorMax / kIcmp6ErrorMax octets.
unsigned icmp_error(std::uint8_t* out, IcmpError why, std::uint32_t source, std::uint32_t word, const Ipv4& packet,
                    unsigned length) noexcept;
unsigned icmp_error(std::uint8_t* out, IcmpError why, std::uint64_t source_high, std::uint64_t source_low,
                    std::uint32_t word, const Ipv6& packet, unsigned length) noexcept;

/// True for an unfragmented echo request (RFC 792, RFC 4443 §4.1). Reads the headers only.
bool is_echo_request(const Ipv4& packet, unsigned length) noexcept;
bool is_echo_request(const Ipv6& packet, unsigned length) noexcept;
/// True if the checksum of such a request is right. Reads the whole packet.
bool echo_checksum_ok(const Ipv4& packet, unsigned length) noexcept;
bool echo_checksum_ok(const Ipv6& packet, unsigned length) noexcept;

/// Writes the reply to a request with a right checksum and returns its length: addresses swapped, the request's TOS,
/// hop limit 64, of options what reply_options() says, with its `time` (RFC 1122 §3.2.2.6), no extension headers. `out`
/// has room for `length` octets.
unsigned echo_reply(std::uint8_t* out, const Ipv4& packet, unsigned length, std::uint32_t time = 0) noexcept;
unsigned echo_reply(std::uint8_t* out, const Ipv6& packet, unsigned length) noexcept;

}  // namespace peerlane
