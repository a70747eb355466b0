// IPv6 extension headers (RFC 8200 §4) and the Authentication Header (RFC 4302), walked once for all who ask what is
// behind them.
#pragma once

#include <cstdint>

#include "lib/net/headers.hpp"

namespace peerlane {

namespace ip {
inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kAuthentication = 51;
inline constexpr std::uint8_t kDestinationOptions = 60;
}  // namespace ip

/// No more headers than these are walked; nobody sends as many.
inline constexpr unsigned kMostExtensionHeaders = 8;

/// True for what walk_extension_headers() walks.
constexpr bool is_extension_header(std::uint8_t protocol) noexcept {
    constexpr std::uint64_t kAll = std::uint64_t{1} << ip::kHopByHop | std::uint64_t{1} << ip::kRouting |
                                   std::uint64_t{1} << ip::kFragment6 | std::uint64_t{1} << ip::kAuthentication |
                                   std::uint64_t{1} << ip::kDestinationOptions;
    return protocol < 64 && (kAll >> protocol & 1U) != 0;
}

/// What is behind a chain of extension headers.
struct UpperLayer {
    std::uint8_t protocol = 0;   // of what is at `offset`
    unsigned offset = 0;         // bytes from the start of the chain
    bool cut = false;            // the chain runs past the packet: what the packet carries is not known
    bool endless = false;        // the chain runs past kMostExtensionHeaders: neither is it
    bool fragment = false;       // a piece of a packet; an atomic fragment (RFC 6946) is none
    bool later = false;          // a piece but the first: the walk ends behind its fragment header
    bool authenticated = false;  // behind an Authentication Header
    bool jumbo = false;          // a jumbo payload option (RFC 2675)
    /// Whom the packet is for has to discard it: an option that it does not know and must not skip (RFC 8200 §4.2), a
    /// routing header with segments left (§4.4), hop-by-hop options in another place than the first (§4.1), options
    /// that run past their header.
    bool refused = false;
    [[nodiscard]] bool known() const noexcept { return !cut && !endless; }
};

/// Walks the headers from `at`, of which the first is a `protocol`, within `length` bytes. `first`: `at` is directly
/// behind an IPv6 header. Reads nothing behind `length`.
UpperLayer walk_extension_headers(std::uint8_t protocol, const std::uint8_t* at, unsigned length,
                                  bool first = true) noexcept;

/// The same for a whole packet of `length` bytes from its IPv6 header on (at least 40); `offset` is from there.
UpperLayer upper_layer(const Ipv6& packet, unsigned length) noexcept;

/// True for a packet that says its length in a jumbo payload option: its payload length is 0 (RFC 2675 §3). `left`
/// bytes of the frame may be read from the IPv6 header on (at least 40).
bool is_jumbogram(const Ipv6& packet, unsigned left) noexcept;

}  // namespace peerlane
