#include "lib/table/route_table.hpp"

#include <malloc.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

namespace peerlane::table {
namespace {

constexpr std::uint32_t kSubtree = kMaxRouteValue + 1;

/// What one tree holds: the whole address for IPv4, one half of it for IPv6.
template <class Shape>
struct Piece {
    std::make_unsigned_t<typename Shape::Key> first;
    std::uint32_t value;
};

template <class Shape>
typename Shape::Key biased(std::make_unsigned_t<typename Shape::Key> number) {
    using Key = typename Shape::Key;
    return static_cast<Key>(number ^ static_cast<decltype(number)>(std::numeric_limits<Key>::min()));
}

template <class Shape>
class Builder {
  public:
    using Key = typename Shape::Key;
    using Node = RouteNode<Shape>;
    using Pieces = std::span<const Piece<Shape>>;

    /// Number of nodes per level, root first; the root is an inner node.
    static std::vector<std::size_t> levels(std::size_t pieces) {
        std::vector<std::size_t> counts{groups(pieces, Shape::kLeafRanges)};
        do { counts.insert(counts.begin(), groups(counts.front(), Shape::kFanout)); } while (counts.front() > 1);
        return counts;
    }

    static std::size_t nodes(std::size_t pieces) {
        std::size_t sum = 0;
        for (const auto count : levels(pieces)) { sum += count; }
        return sum;
    }

    /// Writes the tree over `pieces` into the nodes from `root` on.
    void write(std::size_t root, Pieces pieces) {
        const auto counts = levels(pieces.size());
        auto line = root;
        auto span = std::size_t{Shape::kLeafRanges};  // pieces below one child of a node of this level
        for (std::size_t level = 2; level < counts.size(); ++level) { span *= Shape::kFanout; }
        for (std::size_t level = 0; level + 1 < counts.size(); ++level) {
            const auto below = line + counts[level];
            const bool leaves = level + 2 == counts.size();
            for (std::size_t i = 0; i < counts[level]; ++i) {
                const auto child = below + (i * Shape::kFanout);
                inner(out[line + i].inner, pieces, i * Shape::kFanout * span, span,
                      (child * sizeof(Node)) + (leaves ? 1 : 0));
            }
            line = below;
            span /= Shape::kFanout;
        }
        for (std::size_t i = 0; i < counts.back(); ++i) { leaf(out[line + i].leaf, pieces, i * Shape::kLeafRanges); }
    }

    std::vector<Node> out;

  private:
    static std::size_t groups(std::size_t n, std::size_t size) {
        return std::max<std::size_t>(1, (n + size - 1) / size);
    }

    static Key last_before(Pieces pieces, std::size_t at) {
        return at < pieces.size() ? biased<Shape>(pieces[at].first - 1) : std::numeric_limits<Key>::max();
    }

    static void inner(typename Node::Inner& node, Pieces pieces, std::size_t at, std::size_t span,
                      std::size_t children) {
        node.children = static_cast<Key>(children);
        for (auto& last : node.last) { last = last_before(pieces, at += span); }
    }

    static void leaf(typename Node::Leaf& node, Pieces pieces, std::size_t at) {
        for (unsigned i = 0; i < Shape::kLeafKeys; ++i) {
            node.last[i] =
                i + 1 < Shape::kLeafRanges ? last_before(pieces, at + i + 1) : std::numeric_limits<Key>::max();
        }
        for (unsigned i = 0; i < Shape::kLeafRanges; ++i) {
            node.value[i] = at + i < pieces.size() ? pieces[at + i].value : 0;
        }
    }
};

std::vector<RouteNode<Shape4>> nodes_of(std::span<const Range4> ranges) {
    std::vector<Piece<Shape4>> pieces;
    pieces.reserve(ranges.size());
    for (const auto& range : ranges) { pieces.push_back({range.first.value, range.value}); }
    Builder<Shape4> builder;
    builder.out.resize(Builder<Shape4>::nodes(pieces.size()));
    builder.write(0, pieces);
    return std::move(builder.out);
}

/// The ranges inside one /64 and the piece of the upper tree that stands for it.
struct Divided {
    std::vector<Piece<Shape6>> low;
    std::size_t piece;
};

std::vector<RouteNode<Shape6>> nodes_of(std::span<const Range6> ranges) {
    std::vector<Piece<Shape6>> high;
    std::vector<Divided> divided;
    for (std::size_t i = 0; i < ranges.size();) {
        const auto half = ranges[i].first.high;
        auto end = i;
        while (end < ranges.size() && ranges[end].first.high == half) { ++end; }
        const auto after = ranges[end - 1].value;
        if (end - i == 1 && ranges[i].first.low == 0) {
            high.push_back({half, after});
        } else {
            Divided part{{}, high.size()};
            if (ranges[i].first.low != 0) { part.low.push_back({0, ranges[i - 1].value}); }
            for (; i < end; ++i) { part.low.push_back({ranges[i].first.low, ranges[i].value}); }
            divided.push_back(std::move(part));
            high.push_back({half, 0});
            const bool next_follows = end < ranges.size() && ranges[end].first.high == half + 1;
            if (half != std::numeric_limits<std::uint64_t>::max() && !next_follows) {
                high.push_back({half + 1, after});
            }
        }
        i = end;
    }

    Builder<Shape6> builder;
    builder.out.resize(Builder<Shape6>::nodes(high.size()));
    for (const auto& part : divided) {
        const auto root = builder.out.size();
        high[part.piece].value = kSubtree | static_cast<std::uint32_t>(root * sizeof(RouteNode<Shape6>));
        builder.out.resize(root + Builder<Shape6>::nodes(part.low.size()));
        builder.write(root, part.low);
    }
    builder.write(0, high);
    return std::move(builder.out);
}

template <class Address>
void validate(std::span<const Range<Address>> ranges) {
    bool good = ranges.empty() || ranges[0].first == Address{};
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        good = good && ranges[i].value <= kMaxRouteValue && (i == 0 || ranges[i - 1].first < ranges[i].first);
    }
    if (!good) { throw std::invalid_argument("a route table's ranges begin at 0, ascend and have values below 2^31"); }
}

constexpr std::align_val_t kLine{64};

}  // namespace

template <class Shape>
std::shared_ptr<const RouteTable<Shape>> RouteTable<Shape>::build(std::span<const Range<Address>> ranges) {
    validate(ranges);
    const auto nodes = nodes_of(ranges);
    auto* block = static_cast<RouteNode<Shape>*>(::operator new(nodes.size() * sizeof(RouteNode<Shape>), kLine));
    std::uninitialized_copy(nodes.begin(), nodes.end(), block);
    return {reinterpret_cast<const RouteTable*>(block),
            [](const RouteTable* table) { ::operator delete(const_cast<RouteTable*>(table), kLine); }};
}

template <class Shape>
std::size_t RouteTable<Shape>::bytes() const noexcept {
    // The allocator's word before the block, and the shared_ptr's counts in a block of their own.
    constexpr std::size_t kBookkeeping = sizeof(std::size_t) + 48;
    return malloc_usable_size(const_cast<RouteTable*>(this)) + kBookkeeping;
}

template class RouteTable<Shape4>;
template class RouteTable<Shape6>;

}  // namespace peerlane::table
