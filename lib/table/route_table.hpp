// One VRF's routes as a static search tree in one block of memory, and the kernels that look up a burst in it.
//
// A node is one cache line. An inner node holds where its children begin and the last address of all its children but
// the last; a leaf holds the last address of each of its ranges but the last, and their values. So a table of up to
// 128 (IPv4) or 48 (IPv6) ranges answers out of two lines. Keys are biased to make signed comparison, the only kind
// SSE and AVX2 have, order them like addresses; "greater than the last address before" instead of "not less than the
// first" leaves the highest key free to fill unused places.
//
// IPv6: the tree is over the high half of the address. A /64 that is divided further has a value with the top bit set,
// which points to a tree of the same kind over the low half.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "lib/base/address.hpp"
#include "lib/table/route_ranges.hpp"

namespace peerlane::table {

struct Shape4 {
    using Address = Ip4;
    using Key = std::int32_t;
    static constexpr unsigned kFanout = 16;
    static constexpr unsigned kLeafRanges = 8;
    static constexpr unsigned kLeafKeys = 8;  // the eighth only fills
};

struct Shape6 {
    using Address = Ip6;
    using Key = std::int64_t;
    static constexpr unsigned kFanout = 8;
    static constexpr unsigned kLeafRanges = 6;
    static constexpr unsigned kLeafKeys = 5;
};

/// A node's name is its offset in the block, plus one if it is a leaf.
template <class Shape>
union alignas(64) RouteNode {
    using Key = typename Shape::Key;
    struct Inner {
        Key children;  // name of the first child; the others follow it
        Key last[Shape::kFanout - 1];
    } inner;
    struct Leaf {
        Key last[Shape::kLeafKeys];
        std::uint32_t value[Shape::kLeafRanges];
    } leaf;
};
static_assert(sizeof(RouteNode<Shape4>) == 64 && sizeof(RouteNode<Shape6>) == 64);

/// Immutable once built; read by any thread. The root is the first line of the block, an inner node always.
template <class Shape>
class RouteTable {
  public:
    using Address = typename Shape::Address;

    /// `ranges` as from longest_prefix_ranges() or overlay(); empty means value 0 everywhere. Throws
    /// std::invalid_argument if they do not begin at 0, are not ascending or have a value above kMaxRouteValue.
    static std::shared_ptr<const RouteTable> build(std::span<const Range<Address>> ranges);

    /// Heap taken by this table, with the allocator's rounding and bookkeeping.
    [[nodiscard]] std::size_t bytes() const noexcept;

    [[nodiscard]] const RouteNode<Shape>* nodes() const noexcept {
        return reinterpret_cast<const RouteNode<Shape>*>(this);
    }

  private:
    RouteNode<Shape> root_;  // the other nodes follow in the same block
};
using RouteTable4 = RouteTable<Shape4>;
using RouteTable6 = RouteTable<Shape6>;
extern template class RouteTable<Shape4>;
extern template class RouteTable<Shape6>;

/// The value at one address; 0 if there is no table. For control-path users; bursts go through Kernels.
std::uint32_t find(const RouteTable4* table, Ip4 address) noexcept;
std::uint32_t find(const RouteTable6* table, const Ip6& address) noexcept;

/// A burst's look-ups: for each k < count, with s = slots[k]: value[s] = table[s] at address[s]; a null table gives 0.
/// Entries of other slots are neither read nor written. At most 256 slots.
struct Lookup4 {
    const RouteTable4* const* table;
    const std::uint32_t* address;  ///< host byte order
    std::uint32_t* value;
    const std::uint8_t* slots;
    unsigned count;
};
struct Lookup6 {
    const RouteTable6* const* table;
    const Ip6* address;
    std::uint32_t* value;
    const std::uint8_t* slots;
    unsigned count;
};

enum class CpuVariant : std::uint8_t { portable, avx2, avx512 };

struct Kernels {
    void (*lookup4)(const Lookup4&);
    void (*lookup6)(const Lookup6&);
    CpuVariant variant;
};

/// Whether this CPU can run the variant.
bool supported(CpuVariant variant) noexcept;
/// The variant's kernels; calling them where it is not supported() ends in an illegal instruction.
Kernels kernels(CpuVariant variant) noexcept;
/// The fastest kernels this CPU supports; chosen once at start-up.
Kernels best_kernels() noexcept;

}  // namespace peerlane::table
