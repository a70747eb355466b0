// Ethernet and IP addresses and prefixes as values, in host byte order, and their text forms.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace peerlane {

/// A 48-bit Ethernet address, octets in transmission order.
struct Mac {
    std::array<std::uint8_t, 6> octets{};
    auto operator<=>(const Mac&) const = default;
    [[nodiscard]] constexpr bool is_group() const noexcept { return (octets[0] & 1U) != 0; }
};

/// An IPv4 address, host byte order.
struct Ip4 {
    std::uint32_t value = 0;
    auto operator<=>(const Ip4&) const = default;
};

/// An IPv6 address as two 64-bit halves, each in host byte order; ordered as a 128-bit number.
struct Ip6 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Ip6&) const = default;
};

/// An IPv4 prefix; `length` 0 .. 32. Host bits are kept as given (an interface address is a Prefix4 too); see
/// network().
struct Prefix4 {
    Ip4 address;
    std::uint8_t length = 0;
    auto operator<=>(const Prefix4&) const = default;
};

/// An IPv6 prefix; `length` 0 .. 128. Host bits are kept as given.
struct Prefix6 {
    Ip6 address;
    std::uint8_t length = 0;
    auto operator<=>(const Prefix6&) const = default;
};

using IpAddress = std::variant<Ip4, Ip6>;
using Prefix = std::variant<Prefix4, Prefix6>;

/// First address of the prefix (host bits cleared).
Ip4 first_address(Prefix4 prefix) noexcept;
Ip6 first_address(Prefix6 prefix) noexcept;
/// Last address of the prefix (host bits set).
Ip4 last_address(Prefix4 prefix) noexcept;
Ip6 last_address(Prefix6 prefix) noexcept;
bool contains(Prefix4 prefix, Ip4 address) noexcept;
bool contains(Prefix6 prefix, Ip6 address) noexcept;
/// address + n; wraps like the unsigned number it is.
Ip4 offset(Ip4 address, std::uint32_t n) noexcept;
Ip6 offset(Ip6 address, std::uint64_t n) noexcept;

/// Text to value; nullopt for anything that is not exactly one well-formed value. Accepted: aa:bb:cc:dd:ee:ff; RFC 4632
/// dotted quads; RFC 4291 §2.2 text; ADDRESS/LENGTH.
std::optional<Mac> parse_mac(std::string_view text);
std::optional<Ip4> parse_ip4(std::string_view text);
std::optional<Ip6> parse_ip6(std::string_view text);
std::optional<IpAddress> parse_ip(std::string_view text);
std::optional<Prefix4> parse_prefix4(std::string_view text);
std::optional<Prefix6> parse_prefix6(std::string_view text);
std::optional<Prefix> parse_prefix(std::string_view text);

/// Canonical text (RFC 5952 for IPv6).
std::string to_string(Mac mac);
std::string to_string(Ip4 address);
std::string to_string(Ip6 address);
std::string to_string(const IpAddress& address);
std::string to_string(Prefix4 prefix);
std::string to_string(Prefix6 prefix);
std::string to_string(const Prefix& prefix);

}  // namespace peerlane
