// The addresses that the edge never forwards from or to, inside tunnels and outside. One table for the packet path and
// for the configuration.
//
// It holds what the IANA special-purpose registries (RFC 6890, RFC 8190) call not forwardable and what can be no host,
// and groups (RFC 5771, RFC 4291 §2.7). On purpose it leaves out:
//   - what the registries call forwardable: 10/8, 172.16/12, 192.168/16, 100.64/10, 198.18/15, 192.88.99/24,
//     192.31.196/24, 192.52.193/24, 192.175.48/24, fc00::/7, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 2002::/16,
//     5f00::/16;
//   - documentation: 192.0.2/24, 198.51.100/24, 203.0.113/24, 2001:db8::/32, 3fff::/20. Labs use them as public ones;
//   - blocks of protocol assignments: 192.0.0/24, 2001::/23, 100:0:0:1::/64. Some assignments in them are forwardable,
//     and there will be more;
//   - what is merely deprecated or unassigned: fec0::/10 (RFC 3879), ::/96 (RFC 4291 §2.5.5.1), the rest of ::/8.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "lib/base/address.hpp"

namespace peerlane {

struct NeverForwarded4 {
    Prefix4 prefix;
    std::string_view what;  // for messages: "loopback (RFC 1122)"
};
inline constexpr std::array<NeverForwarded4, 5> kNeverForwarded4{{
    {{{0x0000'0000}, 8}, "this network (RFC 791)"},
    {{{0x7f00'0000}, 8}, "loopback (RFC 1122)"},
    {{{0xa9fe'0000}, 16}, "link-local (RFC 3927)"},
    {{{0xe000'0000}, 4}, "multicast (RFC 5771)"},
    {{{0xf000'0000}, 4}, "reserved (RFC 1112)"},
}};

struct NeverForwarded6 {
    Prefix6 prefix;
    std::string_view what;
};
inline constexpr std::array<NeverForwarded6, 5> kNeverForwarded6{{
    {{{0, 0}, 128}, "the unspecified address (RFC 4291)"},
    {{{0, 1}, 128}, "the loopback address (RFC 4291)"},
    {{{0, 0xffff'0000'0000}, 96}, "IPv4-mapped (RFC 4291)"},
    {{{0xfe80'0000'0000'0000, 0}, 10}, "link-local (RFC 4291)"},
    {{{0xff00'0000'0000'0000, 0}, 8}, "multicast (RFC 4291)"},
}};

namespace detail {
/// True if the first `length` bits agree.
constexpr bool agree(Ip4 a, Ip4 b, unsigned length) noexcept {
    return length == 0 || (a.value ^ b.value) >> (32U - length) == 0;
}
constexpr bool agree(Ip6 a, Ip6 b, unsigned length) noexcept {
    if (length == 0) { return true; }
    if (length <= 64) { return (a.high ^ b.high) >> (64U - length) == 0; }
    return a.high == b.high && (a.low ^ b.low) >> (128U - length) == 0;
}
template <class Table, class Prefix>
constexpr auto holder(const Table& table, const Prefix& prefix) noexcept -> decltype(table.data()) {
    for (const auto& entry : table) {
        const bool holds =
            prefix.length >= entry.prefix.length && agree(entry.prefix.address, prefix.address, entry.prefix.length);
        if (holds) { return &entry; }
    }
    return nullptr;
}
}  // namespace detail

/// The entry that an address, or a whole prefix, is in; null if there is none.
constexpr const NeverForwarded4* never_forwarded(Prefix4 prefix) noexcept {
    return detail::holder(kNeverForwarded4, prefix);
}
constexpr const NeverForwarded6* never_forwarded(Prefix6 prefix) noexcept {
    return detail::holder(kNeverForwarded6, prefix);
}
constexpr const NeverForwarded4* never_forwarded(Ip4 address) noexcept {
    return never_forwarded(Prefix4{address, 32});
}
constexpr const NeverForwarded6* never_forwarded(Ip6 address) noexcept {
    return never_forwarded(Prefix6{address, 128});
}

/// A group, or everybody on the link (RFC 919).
constexpr bool is_multicast(Ip4 address) noexcept {
    return address.value >> 28U == 14 || address.value == 0xffff'ffffU;
}
constexpr bool is_multicast(Ip6 address) noexcept {
    return address.high >> 56U == 0xff;
}

/// Valid on one link only (RFC 3927; RFC 4291 §2.5.6): no router forwards it, but it may be for the router itself.
constexpr bool is_link_local(Ip4 address) noexcept {
    return address.value >> 16U == 0xa9fe;
}
constexpr bool is_link_local(Ip6 address) noexcept {
    return address.high >> 54U == 0x3fa;
}

/// By first byte of an IPv4 address: whether never_forwarded() has to be asked.
inline constexpr auto kLookCloser4 = [] {
    std::array<bool, 256> closer{};
    for (const auto& entry : kNeverForwarded4) {
        const unsigned first = entry.prefix.address.value >> 24U;
        const unsigned count = entry.prefix.length < 8 ? 1U << (8U - entry.prefix.length) : 1U;
        for (unsigned i = 0; i < count; ++i) { closer[first + i] = true; }
    }
    return closer;
}();

/// True for an IPv6 address of which never_forwarded() need not be asked; `high` is its first half.
constexpr bool is_plain_unicast(std::uint64_t high) noexcept {
    return (high >> 56U) - 1U < 0xfdU;
}

}  // namespace peerlane
