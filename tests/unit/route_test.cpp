// Route tables: every CPU variant against a longest-prefix match that only masks and compares.
#include "lib/table/route_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

namespace peerlane::table {
namespace {

constexpr std::uint64_t kSeed = 20'240'611;
using Random = std::mt19937_64;

template <class Family>
struct Columns {
    const typename Family::Table* const* table;
    std::span<const typename Family::Address> address;
    std::uint32_t* value;
    std::span<const std::uint8_t> slots;
};

struct V4 {
    using Address = Ip4;
    using Prefix = Prefix4;
    using Table = RouteTable4;
    static constexpr unsigned kBits = 32;
    static Address random(Random& random) { return {static_cast<std::uint32_t>(random())}; }
    static Address clustered(Random& random) {
        return {0x0a00'0000U | static_cast<std::uint32_t>(random() & 0xf'ffff)};
    }
    static Address before(Address address) { return {address.value - 1}; }
    static Address between(Address first, Address last, Random& random) {
        return {first.value | (static_cast<std::uint32_t>(random()) & (first.value ^ last.value))};
    }
    static void run(const Kernels& kernels, const Columns<V4>& columns) {
        std::vector<std::uint32_t> numbers;
        for (const auto address : columns.address) { numbers.push_back(address.value); }
        kernels.lookup4({columns.table, numbers.data(), columns.value, columns.slots.data(),
                         static_cast<unsigned>(columns.slots.size())});
    }
};

struct V6 {
    using Address = Ip6;
    using Prefix = Prefix6;
    using Table = RouteTable6;
    static constexpr unsigned kBits = 128;
    static Address random(Random& random) { return {random(), random()}; }
    static Address clustered(Random& random) {
        const bool one = random() % 2 == 0;  // many in one /64, or in few neighbouring ones
        return {0x2001'0db8'0000'0000U | (one ? 5 : random() & 0xff), random() & (random() % 2 == 0 ? 0xffffU : ~0ULL)};
    }
    static Address before(Address address) { return {address.high - (address.low == 0 ? 1 : 0), address.low - 1}; }
    static Address between(Address first, Address last, Random& random) {
        return {first.high | (random() & (first.high ^ last.high)), first.low | (random() & (first.low ^ last.low))};
    }
    static void run(const Kernels& kernels, const Columns<V6>& columns) {
        kernels.lookup6({columns.table, columns.address.data(), columns.value, columns.slots.data(),
                         static_cast<unsigned>(columns.slots.size())});
    }
};

/// Longest-prefix match by trying every length, longest first; shares nothing with the table but first_address().
template <class Family>
class Naive {
  public:
    using Address = typename Family::Address;
    using Prefix = typename Family::Prefix;

    explicit Naive(const std::vector<Route<Prefix>>& routes) {
        for (const auto& route : routes) { by_length_[route.prefix.length][first_address(route.prefix)] = route.value; }
    }
    [[nodiscard]] std::uint32_t find(Address address) const {
        for (const auto& [length, routes] : by_length_) {
            const auto found = routes.find(first_address(Prefix{address, length}));
            if (found != routes.end()) { return found->second; }
        }
        return 0;
    }

  private:
    std::map<std::uint8_t, std::map<Address, std::uint32_t>, std::greater<>> by_length_;
};

enum class Style { any, clustered, nested, adjacent, hosts, high };

template <class Family>
std::vector<Route<typename Family::Prefix>> random_routes(Random& random, Style style, std::size_t count) {
    std::vector<Route<typename Family::Prefix>> routes;
    const auto base = Family::random(random);
    for (std::size_t i = 0; i < count; ++i) {
        auto address = Family::random(random);
        unsigned length = static_cast<unsigned>(random() % (Family::kBits + 1));
        switch (style) {
            case Style::any:
                break;
            case Style::clustered:
                address = Family::clustered(random);
                length = static_cast<unsigned>(random() % 4 == 0 ? Family::kBits / 2 + random() % 9 : length);
                break;
            case Style::nested:
                address = base;
                break;
            case Style::adjacent:
                address = offset(base, static_cast<std::uint32_t>(i) << 4U);
                length = Family::kBits - 4;
                break;
            case Style::hosts:
                address = Family::clustered(random);
                length = Family::kBits;
                break;
            case Style::high:  // at the upper end of the addresses, the last one included
                address = Family::before({});
                for (auto steps = random() % 4; steps > 0; --steps) { address = Family::before(address); }
                length = Family::kBits - static_cast<unsigned>(random() % (random() % 2 == 0 ? 4 : Family::kBits));
                break;
        }
        routes.push_back(
            {{address, static_cast<std::uint8_t>(length)}, static_cast<std::uint32_t>(1 + random() % 500)});
    }
    if (count > 0 && random() % 3 == 0) { routes.back().prefix.length = 0; }
    return routes;
}

/// Most of them in or at most one step beside the bounds of a route.
template <class Family>
typename Family::Address random_address(Random& random, const std::vector<Route<typename Family::Prefix>>& routes) {
    const auto pick = random() % 8;
    if (pick == 0 || routes.empty()) { return Family::random(random); }
    if (pick == 1) { return Family::clustered(random); }
    const auto& prefix = routes[random() % routes.size()].prefix;
    const auto first = first_address(prefix);
    const auto last = last_address(prefix);
    switch (pick) {
        case 2:
            return first;
        case 3:
            return Family::before(first);
        case 4:
            return last;
        case 5:
            return offset(last, 1);
        default:
            return Family::between(first, last, random);
    }
}

template <class Family>
std::shared_ptr<const typename Family::Table> table_of(const std::vector<Route<typename Family::Prefix>>& routes) {
    const auto ranges = longest_prefix_ranges(std::span(routes));
    return Family::Table::build(ranges);
}

std::vector<Kernels> all_kernels() {
    std::vector<Kernels> all;
    for (const auto variant : {CpuVariant::portable, CpuVariant::avx2, CpuVariant::avx512}) {
        if (supported(variant)) { all.push_back(kernels(variant)); }
    }
    testing::Test::RecordProperty("variants", static_cast<int>(all.size()));
    if (all.size() < 3) { std::cout << "this CPU runs " << all.size() << " of the 3 variants\n"; }
    return all;
}

/// Looks up bursts of up to 64 in random slots of 256, in several tables and none at once.
template <class Family>
class Bursts {
  public:
    using Routes = std::vector<Route<typename Family::Prefix>>;

    explicit Bursts(std::vector<Routes> sets) : sets_(std::move(sets)) {
        for (const auto& routes : sets_) {
            naive_.emplace_back(routes);
            tables_.push_back(table_of<Family>(routes));
        }
    }

    void check(Random& random, std::size_t bursts) {
        for (std::size_t burst = 0; burst < bursts; ++burst) {
            std::vector<std::uint8_t> slots(256);
            std::iota(slots.begin(), slots.end(), std::uint8_t{0});
            std::shuffle(slots.begin(), slots.end(), random);
            slots.resize(random() % 65);
            std::vector<const typename Family::Table*> table(256, nullptr);
            std::vector<typename Family::Address> address(256);
            std::vector<std::uint32_t> expected(256, kUntouched);
            for (const auto slot : slots) {
                const auto set = random() % (sets_.size() + (random() % 8 == 0 ? 1 : 0));
                const bool none = set == sets_.size();
                address[slot] = random_address<Family>(random, none ? sets_[0] : sets_[set]);
                table[slot] = none ? nullptr : tables_[set].get();
                expected[slot] = none ? 0 : naive_[set].find(address[slot]);
                ASSERT_EQ(find(table[slot], address[slot]), expected[slot]) << to_string(address[slot]);
            }
            for (const auto& variant : all_kernels()) {
                std::vector<std::uint32_t> value(256, kUntouched);
                Family::run(variant, {table.data(), address, value.data(), slots});
                ASSERT_EQ(value, expected) << "variant " << static_cast<int>(variant.variant);
            }
        }
    }

  private:
    static constexpr std::uint32_t kUntouched = 0xdead'beef;
    std::vector<Routes> sets_;
    std::vector<Naive<Family>> naive_;
    std::vector<std::shared_ptr<const typename Family::Table>> tables_;
};

template <class Family>
class Routes : public testing::Test {};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(Routes, Families);

constexpr auto kStyles = {Style::any, Style::clustered, Style::nested, Style::adjacent, Style::hosts, Style::high};

// A million look-ups in all: 15 counts × 6 styles × 400 bursts × 32 on average, for each variant.
TYPED_TEST(Routes, AgreesWithNaiveLongestPrefixMatch) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    Random random(kSeed);
    for (const std::size_t count : {0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 100, 289, 4'000, 20'000}) {
        for (const auto style : kStyles) {
            SCOPED_TRACE(std::to_string(count) + " routes, style " + std::to_string(static_cast<int>(style)));
            Bursts<TypeParam> bursts({random_routes<TypeParam>(random, style, count)});
            bursts.check(random, 400);
            if (this->HasFatalFailure()) { return; }
        }
    }
}

TYPED_TEST(Routes, TablesOfAllShapesInOneBurst) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    Random random(kSeed + 1);
    std::vector<std::vector<Route<typename TypeParam::Prefix>>> sets;
    for (const std::size_t count : {0, 1, 5, 20, 64, 300, 3'000}) {
        for (const auto style : kStyles) { sets.push_back(random_routes<TypeParam>(random, style, count)); }
    }
    Bursts<TypeParam>(std::move(sets)).check(random, 2'000);
}

TYPED_TEST(Routes, OverlayCombinesBothListsEverywhere) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    Random random(kSeed + 2);
    const auto combine = [](std::uint32_t a, std::uint32_t b) { return a * 1'000 + b; };
    for (const auto style : kStyles) {
        const auto a = random_routes<TypeParam>(random, style, 200);
        const auto b = random_routes<TypeParam>(random, style, 50);
        const auto both = overlay(longest_prefix_ranges(std::span(a)), longest_prefix_ranges(std::span(b)), combine);
        for (std::size_t i = 1; i < both.size(); ++i) {
            ASSERT_LT(both[i - 1].first, both[i].first);
            ASSERT_NE(both[i - 1].value, both[i].value);
        }
        const auto table = TypeParam::Table::build(both);
        const Naive<TypeParam> naive_a(a);
        const Naive<TypeParam> naive_b(b);
        for (int i = 0; i < 5'000; ++i) {
            const auto address = random_address<TypeParam>(random, i % 2 == 0 ? a : b);
            ASSERT_EQ(find(table.get(), address), combine(naive_a.find(address), naive_b.find(address)));
        }
    }
}

TEST(RouteRanges, AreTheRoutesWrittenOut) {
    const std::vector<Route4> routes = {{*parse_prefix4("10.0.0.0/8"), 1},  {*parse_prefix4("10.1.0.0/16"), 2},
                                        {*parse_prefix4("10.1.0.0/24"), 3}, {*parse_prefix4("255.255.255.255/32"), 4},
                                        {*parse_prefix4("11.0.0.0/8"), 5},  {*parse_prefix4("11.0.0.7/8"), 1}};
    const std::vector<Range4> expected = {{{0}, 0},           {{0x0a00'0000}, 1}, {{0x0a01'0000}, 3},
                                          {{0x0a01'0100}, 2}, {{0x0a02'0000}, 1}, {{0x0c00'0000}, 0},
                                          {{0xffff'ffff}, 4}};
    EXPECT_EQ(longest_prefix_ranges(routes), expected);
    EXPECT_EQ(longest_prefix_ranges(std::span<const Route4>{}), (std::vector<Range4>{{{0}, 0}}));
    EXPECT_EQ(overlay(std::vector<Range4>{}, std::vector<Range4>{}, [](auto, auto) { return 9; }),
              (std::vector<Range4>{{{0}, 9}}));
}

TEST(RouteRanges, BuildRefusesWhatIsNoRangeList) {
    for (const auto& bad : {std::vector<Range4>{{{1}, 0}}, std::vector<Range4>{{{0}, 0}, {{5}, 1}, {{5}, 2}},
                            std::vector<Range4>{{{0}, kMaxRouteValue + 1}}}) {
        EXPECT_THROW(RouteTable4::build(bad), std::invalid_argument);
    }
}

/// A private peering's VRF: some prefixes of the customer, some of the cloud, no two alike.
template <class Family>
std::size_t memory(std::size_t vrfs, std::size_t routes) {
    Random random(kSeed + 3);
    std::vector<std::shared_ptr<const typename Family::Table>> tables;
    std::size_t bytes = 0;
    for (std::size_t vrf = 0; vrf < vrfs; ++vrf) {
        std::vector<Route<typename Family::Prefix>> list;
        for (std::size_t i = 0; i < routes; ++i) {
            const auto length = static_cast<std::uint8_t>(Family::kBits == 32 ? 24 : 64);
            list.push_back({{Family::random(random), length}, static_cast<std::uint32_t>(i + 1)});
        }
        tables.push_back(table_of<Family>(list));
        bytes += tables.back()->bytes();
    }
    return bytes;
}

TEST(RouteTableMemory, FourThousandVrfsOfTenAndHundredOfFourThousandFitIn16MiB) {
    constexpr std::size_t kLimit = 16U << 20U;
    EXPECT_LE(memory<V4>(4'000, 10), kLimit);
    EXPECT_LE(memory<V4>(100, 4'000), kLimit);
    EXPECT_LE(memory<V6>(4'000, 10), kLimit);
    EXPECT_LE(memory<V6>(100, 4'000), kLimit);
    std::printf("IPv4: %zu, %zu; IPv6: %zu, %zu bytes\n", memory<V4>(4'000, 10), memory<V4>(100, 4'000),
                memory<V6>(4'000, 10), memory<V6>(100, 4'000));
}

}  // namespace
}  // namespace peerlane::table
