// Routes as ranges of addresses: the form in which route sets are combined before a RouteTable is built from them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/address.hpp"

namespace peerlane::table {

/// One route; host bits of the prefix are ignored. `value` is the caller's (0 .. kMaxRouteValue); 0 says "nothing
/// there", so a route with value 0 is a hole in a shorter prefix.
template <class Prefix>
struct Route {
    Prefix prefix;
    std::uint32_t value = 0;
    bool operator==(const Route&) const = default;
};
using Route4 = Route<Prefix4>;
using Route6 = Route<Prefix6>;

/// From `first` up to the address before the next range's first, or to the last address there is. A list of ranges is
/// sorted, begins at address 0 and so covers everything.
template <class Address>
struct Range {
    Address first;
    std::uint32_t value = 0;
    bool operator==(const Range&) const = default;
};
using Range4 = Range<Ip4>;
using Range6 = Range<Ip6>;

/// Largest value a route or range may have.
inline constexpr std::uint32_t kMaxRouteValue = 0x7fff'ffff;

/// The longest-prefix match of `routes` (any order) written out as ranges: value 0 where no route covers the address,
/// neighbours of equal value merged. Of two routes with the same prefix the later one counts.
std::vector<Range4> longest_prefix_ranges(std::span<const Route4> routes);
std::vector<Range6> longest_prefix_ranges(std::span<const Route6> routes);

/// Adds a range that begins after the last one of `ranges`, or changes the last one's value if it begins there too;
/// merges it with its neighbour if the values are equal.
template <class Address>
void append(std::vector<Range<Address>>& ranges, Address first, std::uint32_t value) {
    if (!ranges.empty() && ranges.back().first == first) { ranges.pop_back(); }
    if (ranges.empty() || ranges.back().value != value) { ranges.push_back({first, value}); }
}

/// Both lists at once: every address gets combine(value in a, value in b). An empty list is value 0 everywhere.
template <class Address, class Combine>
std::vector<Range<Address>> overlay(std::span<const Range<Address>> a, std::span<const Range<Address>> b,
                                    Combine combine) {
    std::vector<Range<Address>> both;
    both.reserve(a.size() + b.size() + 1);
    std::size_t i = 0;
    std::size_t j = 0;
    std::uint32_t value_a = 0;
    std::uint32_t value_b = 0;
    if (a.empty() && b.empty()) { append(both, Address{}, combine(0U, 0U)); }
    while (i < a.size() || j < b.size()) {
        const auto first = j == b.size() || (i < a.size() && a[i].first <= b[j].first) ? a[i].first : b[j].first;
        if (i < a.size() && a[i].first == first) { value_a = a[i++].value; }
        if (j < b.size() && b[j].first == first) { value_b = b[j++].value; }
        append(both, first, static_cast<std::uint32_t>(combine(value_a, value_b)));
    }
    return both;
}

/// The same for lists held in vectors.
template <class Address, class Combine>
std::vector<Range<Address>> overlay(const std::vector<Range<Address>>& a, const std::vector<Range<Address>>& b,
                                    Combine combine) {
    return overlay(std::span(a), std::span(b), combine);
}

}  // namespace peerlane::table
