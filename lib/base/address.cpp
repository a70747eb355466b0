#include "lib/base/address.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>
#include <cstring>

namespace peerlane {
namespace {

constexpr std::uint32_t mask4(unsigned length) noexcept {
    return length == 0 ? 0U : ~0U << (32U - length);
}

constexpr std::uint64_t mask64(unsigned length) noexcept {
    return length == 0 ? 0U : length >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64U - length);
}

constexpr Ip6 mask6(unsigned length) noexcept {
    return {mask64(length), length <= 64 ? 0 : mask64(length - 64)};
}

std::uint64_t load_be64(const std::uint8_t* octets) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) { value = value << 8U | octets[i]; }
    return value;
}

template <class Address>
struct Split {
    Address address;
    std::uint8_t length;
};

template <class Address, class Parse>
std::optional<Split<Address>> split_prefix(std::string_view text, Parse parse, unsigned max_length) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) { return std::nullopt; }
    const auto address = parse(text.substr(0, slash));
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size() && digits.size() <= 3;
    if (!address || !whole || length > max_length) { return std::nullopt; }
    return Split<Address>{*address, static_cast<std::uint8_t>(length)};
}

}  // namespace

Ip4 first_address(Prefix4 prefix) noexcept {
    return {prefix.address.value & mask4(prefix.length)};
}
Ip4 last_address(Prefix4 prefix) noexcept {
    return {prefix.address.value | ~mask4(prefix.length)};
}
Ip6 first_address(Prefix6 prefix) noexcept {
    const auto mask = mask6(prefix.length);
    return {prefix.address.high & mask.high, prefix.address.low & mask.low};
}
Ip6 last_address(Prefix6 prefix) noexcept {
    const auto mask = mask6(prefix.length);
    return {prefix.address.high | ~mask.high, prefix.address.low | ~mask.low};
}
bool contains(Prefix4 prefix, Ip4 address) noexcept {
    return first_address(prefix) == first_address(Prefix4{address, prefix.length});
}
bool contains(Prefix6 prefix, Ip6 address) noexcept {
    return first_address(prefix) == first_address(Prefix6{address, prefix.length});
}
Ip4 offset(Ip4 address, std::uint32_t n) noexcept {
    return {address.value + n};
}
Ip6 offset(Ip6 address, std::uint64_t n) noexcept {
    const auto low = address.low + n;
    return {address.high + (low < n ? 1U : 0U), low};
}

std::optional<Mac> parse_mac(std::string_view text) {
    if (text.size() != 17) { return std::nullopt; }
    Mac mac;
    for (std::size_t i = 0; i < 6; ++i) {
        const auto* at = text.data() + (i * 3);
        const auto [end, error] = std::from_chars(at, at + 2, mac.octets[i], 16);
        if (error != std::errc{} || end != at + 2 || (i < 5 && at[2] != ':')) { return std::nullopt; }
    }
    return mac;
}

std::optional<Ip4> parse_ip4(std::string_view text) {
    in_addr address{};
    if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) { return std::nullopt; }
    return Ip4{ntohl(address.s_addr)};
}

std::optional<Ip6> parse_ip6(std::string_view text) {
    in6_addr address{};
    if (inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) { return std::nullopt; }
    return Ip6{load_be64(address.s6_addr), load_be64(address.s6_addr + 8)};
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    if (auto four = parse_ip4(text)) { return *four; }
    if (auto six = parse_ip6(text)) { return *six; }
    return std::nullopt;
}

std::optional<Prefix4> parse_prefix4(std::string_view text) {
    const auto parts = split_prefix<Ip4>(text, parse_ip4, 32);
    if (!parts) { return std::nullopt; }
    return Prefix4{parts->address, parts->length};
}

std::optional<Prefix6> parse_prefix6(std::string_view text) {
    const auto parts = split_prefix<Ip6>(text, parse_ip6, 128);
    if (!parts) { return std::nullopt; }
    return Prefix6{parts->address, parts->length};
}

std::optional<Prefix> parse_prefix(std::string_view text) {
    if (auto four = parse_prefix4(text)) { return *four; }
    if (auto six = parse_prefix6(text)) { return *six; }
    return std::nullopt;
}

std::string to_string(Mac mac) {
    std::array<char, 18> text{};
    const auto& o = mac.octets;
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3], o[4], o[5]);
    return text.data();
}

std::string to_string(Ip4 address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    const in_addr raw{htonl(address.value)};
    return inet_ntop(AF_INET, &raw, text.data(), text.size());
}

std::string to_string(Ip6 address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    in6_addr raw{};
    for (unsigned i = 0; i < 8; ++i) {
        raw.s6_addr[i] = static_cast<std::uint8_t>(address.high >> (56 - 8 * i));
        raw.s6_addr[8 + i] = static_cast<std::uint8_t>(address.low >> (56 - 8 * i));
    }
    return inet_ntop(AF_INET6, &raw, text.data(), text.size());
}

std::string to_string(Prefix4 prefix) {
    return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}
std::string to_string(Prefix6 prefix) {
    return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

namespace {
template <class Variant>
std::string visit_string(const Variant& value) {
    return std::visit([](const auto& one) { return to_string(one); }, value);
}
}  // namespace

std::string to_string(const IpAddress& address) {
    return visit_string(address);
}
std::string to_string(const Prefix& prefix) {
    return visit_string(prefix);
}

}  // namespace peerlane
