// The look-up kernels: one descent, compiled for each CPU variant with that variant's way to compare a node's keys.
#include <immintrin.h>

#include <bit>
#include <cstring>
#include <limits>

#include "lib/table/route_table.hpp"

namespace peerlane::table {
namespace {

using Node4 = RouteNode<Shape4>;
using Node6 = RouteNode<Shape6>;

// Where a null table leads: a root whose one child is a leaf that says 0.
template <class Shape>
struct Nothing {
    RouteNode<Shape> root;
    RouteNode<Shape> leaf;
};

template <class Shape>
constexpr Nothing<Shape> nothing() {
    Nothing<Shape> made{.root = {.inner = {}}, .leaf = {.leaf = {}}};
    made.root.inner.children = sizeof(made.root) + 1;
    for (auto& last : made.root.inner.last) { last = std::numeric_limits<typename Shape::Key>::max(); }
    for (auto& last : made.leaf.leaf.last) { last = std::numeric_limits<typename Shape::Key>::max(); }
    return made;
}
constexpr Nothing<Shape4> kNothing4 = nothing<Shape4>();
constexpr Nothing<Shape6> kNothing6 = nothing<Shape6>();

const char* block(const RouteTable4* table) {
    return reinterpret_cast<const char*>(table != nullptr ? table->nodes() : &kNothing4.root);
}
const char* block(const RouteTable6* table) {
    return reinterpret_cast<const char*>(table != nullptr ? table->nodes() : &kNothing6.root);
}
std::int32_t biased(std::uint32_t number) {
    return static_cast<std::int32_t>(number ^ 0x8000'0000U);
}
std::int64_t biased(std::uint64_t number) {
    return static_cast<std::int64_t>(number ^ 0x8000'0000'0000'0000U);
}

// How many of a node's keys are below the address, which is the place of the child or range that holds it.
namespace portable {
#define PEERLANE_TARGET
template <class Key>
using Vector __attribute__((vector_size(16))) = Key;

/// Compares `vectors` × 16 bytes from the line's beginning, all but the keys before number `first` and from `end` on.
template <class Key, unsigned first, unsigned end>
inline unsigned below_of(const void* line, Key key) {
    constexpr unsigned kLanes = 16 / sizeof(Key);
    Vector<Key> sum = {};
    for (unsigned at = 0; at < end; at += kLanes) {
        Vector<Key> keys;
        std::memcpy(&keys, static_cast<const Key*>(line) + at, sizeof(keys));
        Vector<Key> counted = {};
        for (unsigned lane = 0; lane < kLanes; ++lane) {
            counted[lane] = at + lane >= first && at + lane < end ? 1 : 0;
        }
        sum += (key > keys) & counted;
    }
    Key total = 0;
    for (unsigned lane = 0; lane < kLanes; ++lane) { total += sum[lane]; }
    return static_cast<unsigned>(total);
}
inline unsigned below(const Node4::Inner& node, std::int32_t key) {
    return below_of<std::int32_t, 1, 16>(&node, key);
}
inline unsigned below(const Node4::Leaf& node, std::int32_t key) {
    return below_of<std::int32_t, 0, 8>(&node, key);
}
inline unsigned below(const Node6::Inner& node, std::int64_t key) {
    return below_of<std::int64_t, 1, 8>(&node, key);
}
inline unsigned below(const Node6::Leaf& node, std::int64_t key) {
    return below_of<std::int64_t, 0, 5>(&node, key);
}
#include "lib/table/route_descent.inc"
#undef PEERLANE_TARGET
}  // namespace portable

namespace avx2 {
#define PEERLANE_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
PEERLANE_TARGET inline unsigned mask4(const void* eight, __m256i key) {
    const auto keys = _mm256_load_si256(static_cast<const __m256i*>(eight));
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(key, keys))));
}
PEERLANE_TARGET inline unsigned mask6(const void* four, __m256i key) {
    const auto keys = _mm256_load_si256(static_cast<const __m256i*>(four));
    return static_cast<unsigned>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(key, keys))));
}
PEERLANE_TARGET inline unsigned below(const Node4::Inner& node, std::int32_t number) {
    const auto key = _mm256_set1_epi32(number);
    const auto mask = (mask4(&node, key) & 0xfeU) | mask4(&node.last[7], key) << 8U;
    return static_cast<unsigned>(std::popcount(mask));
}
PEERLANE_TARGET inline unsigned below(const Node4::Leaf& node, std::int32_t number) {
    return static_cast<unsigned>(std::popcount(mask4(&node, _mm256_set1_epi32(number))));
}
PEERLANE_TARGET inline unsigned below(const Node6::Inner& node, std::int64_t number) {
    const auto key = _mm256_set1_epi64x(number);
    return static_cast<unsigned>(std::popcount((mask6(&node, key) & 0xeU) | mask6(&node.last[3], key) << 4U));
}
PEERLANE_TARGET inline unsigned below(const Node6::Leaf& node, std::int64_t number) {
    const auto key = _mm256_set1_epi64x(number);
    return static_cast<unsigned>(std::popcount(mask6(&node, key))) + (number > node.last[4] ? 1U : 0U);
}
#include "lib/table/route_descent.inc"
#undef PEERLANE_TARGET
}  // namespace avx2

namespace avx512 {
#define PEERLANE_TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,bmi,bmi2,popcnt")))
PEERLANE_TARGET inline unsigned below(const Node4::Inner& node, std::int32_t number) {
    return static_cast<unsigned>(std::popcount(
        unsigned{_mm512_mask_cmpgt_epi32_mask(0xfffe, _mm512_set1_epi32(number), _mm512_load_si512(&node))}));
}
PEERLANE_TARGET inline unsigned below(const Node4::Leaf& node, std::int32_t number) {
    const auto keys = _mm256_load_si256(reinterpret_cast<const __m256i*>(&node));
    return static_cast<unsigned>(std::popcount(unsigned{_mm256_cmpgt_epi32_mask(_mm256_set1_epi32(number), keys)}));
}
PEERLANE_TARGET inline unsigned below(const Node6::Inner& node, std::int64_t number) {
    return static_cast<unsigned>(std::popcount(
        unsigned{_mm512_mask_cmpgt_epi64_mask(0xfe, _mm512_set1_epi64(number), _mm512_load_si512(&node))}));
}
PEERLANE_TARGET inline unsigned below(const Node6::Leaf& node, std::int64_t number) {
    return static_cast<unsigned>(std::popcount(
        unsigned{_mm512_mask_cmpgt_epi64_mask(0x1f, _mm512_set1_epi64(number), _mm512_load_si512(&node))}));
}
#include "lib/table/route_descent.inc"
#undef PEERLANE_TARGET
}  // namespace avx512

}  // namespace

std::uint32_t find(const RouteTable4* table, Ip4 address) noexcept {
    return portable::descend<Node4>(block(table), 0, biased(address.value));
}

std::uint32_t find(const RouteTable6* table, const Ip6& address) noexcept {
    const auto value = portable::descend<Node6>(block(table), 0, biased(address.high));
    return portable::resolve(table, value, address.low);
}

bool supported(CpuVariant variant) noexcept {
    switch (variant) {
        case CpuVariant::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   supported(CpuVariant::avx2);
        case CpuVariant::avx2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                   __builtin_cpu_supports("popcnt");
        case CpuVariant::portable:
            break;
    }
    return true;
}

Kernels kernels(CpuVariant variant) noexcept {
    switch (variant) {
        case CpuVariant::avx512:
            return {avx512::lookup4, avx512::lookup6, variant};
        case CpuVariant::avx2:
            return {avx2::lookup4, avx2::lookup6, variant};
        case CpuVariant::portable:
            break;
    }
    return {portable::lookup4, portable::lookup6, CpuVariant::portable};
}

Kernels best_kernels() noexcept {
    for (const auto variant : {CpuVariant::avx512, CpuVariant::avx2}) {
        if (supported(variant)) { return kernels(variant); }
    }
    return kernels(CpuVariant::portable);
}

}  // namespace peerlane::table
