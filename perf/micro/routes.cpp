#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lib/table/route_table.hpp"
#include "perf/micro/clock.hpp"
#include "perf/micro/micro.hpp"

namespace peerlane::perf {
namespace {

using namespace peerlane::table;

constexpr std::size_t kPackets = 16'384;
constexpr unsigned kBurst = 32;

Prefix4 random_prefix(std::mt19937_64& random, Prefix4) {
    return {{static_cast<std::uint32_t>(random())}, static_cast<std::uint8_t>(16 + random() % 9)};
}
Prefix6 random_prefix(std::mt19937_64& random, Prefix6) {
    return {{0x2001'0db8'0000'0000U | (random() & 0xffff'ffff), 0}, static_cast<std::uint8_t>(48 + random() % 17)};
}
std::uint32_t inside(std::mt19937_64& random, Prefix4 prefix) {
    return offset(first_address(prefix), static_cast<std::uint32_t>(random() % 256)).value;
}
Ip6 inside(std::mt19937_64& random, Prefix6 prefix) {
    return offset(first_address(prefix), random());
}

struct V4 {
    using Prefix = Prefix4;
    using Table = RouteTable4;
    using Key = std::uint32_t;
    static void run(const Kernels& kernels, const Lookup4& lookup) { kernels.lookup4(lookup); }
};
struct V6 {
    using Prefix = Prefix6;
    using Table = RouteTable6;
    using Key = Ip6;
    static void run(const Kernels& kernels, const Lookup6& lookup) { kernels.lookup6(lookup); }
};

/// VRFs in random order, at addresses of their routes. With `mixed` VRFs have 1 .. 2 × routes - 1 of them.
template <class Family>
void measure_vrfs(const char* family, std::size_t vrfs, std::size_t routes, bool mixed = false) {
    std::mt19937_64 random(7);
    std::vector<std::shared_ptr<const typename Family::Table>> tables;
    std::vector<std::vector<typename Family::Prefix>> prefixes(vrfs);
    std::size_t bytes = 0;
    for (auto& own : prefixes) {
        std::vector<Route<typename Family::Prefix>> list;
        const auto count = mixed ? 1 + random() % (2 * routes - 1) : routes;
        for (std::size_t i = 0; i < count; ++i) {
            own.push_back(random_prefix(random, typename Family::Prefix{}));
            list.push_back({own.back(), static_cast<std::uint32_t>(i + 1)});
        }
        tables.push_back(Family::Table::build(longest_prefix_ranges(std::span(list))));
        bytes += tables.back()->bytes();
    }
    std::vector<const typename Family::Table*> table(kPackets);
    std::vector<typename Family::Key> address(kPackets);
    std::vector<std::uint32_t> value(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
        const auto vrf = random() % vrfs;
        table[i] = tables[vrf].get();
        address[i] = inside(random, prefixes[vrf][random() % prefixes[vrf].size()]);
    }
    std::uint8_t slots[kBurst];
    for (unsigned i = 0; i < kBurst; ++i) { slots[i] = static_cast<std::uint8_t>(i); }
    for (const auto variant : {CpuVariant::portable, CpuVariant::avx2, CpuVariant::avx512}) {
        if (!supported(variant)) { continue; }
        const auto chosen = kernels(variant);
        const char* names[] = {"portable", "AVX2", "AVX-512"};
        const auto name = std::string(family) + " route, " + std::to_string(vrfs) + " VRFs x " +
                          std::to_string(routes) + (mixed ? " mixed (" : " (") + std::to_string(bytes >> 10U) +
                          " KiB), " + names[static_cast<unsigned>(variant)];
        measure(name.c_str(), kPackets, [&] {
            for (std::size_t i = 0; i < kPackets; i += kBurst) {
                Family::run(chosen, {&table[i], &address[i], &value[i], slots, kBurst});
            }
            keep(value[0]);
        });
    }
}

}  // namespace

void measure_routes() {
    for (const auto& [vrfs, routes] : {std::pair{1U, 10U}, {4'000U, 10U}, {100U, 4'000U}}) {
        measure_vrfs<V4>("IPv4", vrfs, routes);
    }
    measure_vrfs<V4>("IPv4", 1'000, 100, true);
    for (const auto& [vrfs, routes] : {std::pair{1U, 10U}, {4'000U, 10U}, {100U, 4'000U}}) {
        measure_vrfs<V6>("IPv6", vrfs, routes);
    }
    measure_vrfs<V6>("IPv6", 1'000, 100, true);
}

}  // namespace peerlane::perf
