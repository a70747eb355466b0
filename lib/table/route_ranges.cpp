#include "lib/table/route_ranges.hpp"

#include <algorithm>
#include <tuple>

namespace peerlane::table {
namespace {

Ip4 next(Ip4 address) {
    return offset(address, 1);
}
Ip6 next(Ip6 address) {
    return offset(address, 1);
}

template <class Address, class Prefix>
std::vector<Range<Address>> ranges_of(std::span<const Route<Prefix>> routes) {
    struct Piece {
        Address first;
        Address last;
        std::uint8_t length;
        std::uint32_t value;
        std::size_t order;  // in which they were given
    };
    std::vector<Piece> pieces;
    pieces.reserve(routes.size());
    for (const auto& route : routes) {
        pieces.push_back(
            {first_address(route.prefix), last_address(route.prefix), route.prefix.length, route.value, pieces.size()});
    }
    // An enclosing prefix comes before those inside it.
    std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
        return std::tie(a.first, a.length, a.order) < std::tie(b.first, b.length, b.order);
    });

    std::vector<Range<Address>> ranges;
    ranges.reserve((2 * pieces.size()) + 1);
    append(ranges, Address{}, 0U);
    std::vector<const Piece*> open;  // the prefixes around the point reached, innermost last
    const auto close = [&] {
        const auto end = open.back()->last;
        open.pop_back();
        const auto after = next(end);
        if (after != Address{}) { append(ranges, after, open.empty() ? 0U : open.back()->value); }
    };
    for (const auto& piece : pieces) {
        while (!open.empty() && open.back()->last < piece.first) { close(); }
        open.push_back(&piece);
        append(ranges, piece.first, piece.value);
    }
    while (!open.empty()) { close(); }
    return ranges;
}

}  // namespace

std::vector<Range4> longest_prefix_ranges(std::span<const Route4> routes) {
    return ranges_of<Ip4>(routes);
}
std::vector<Range6> longest_prefix_ranges(std::span<const Route6> routes) {
    return ranges_of<Ip6>(routes);
}

}  // namespace peerlane::table
