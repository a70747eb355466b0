#include <random>
#include <string>
#include <vector>

#include "lib/meter/bucket.hpp"
#include "lib/meter/shared_bucket.hpp"
#include "perf/micro/clock.hpp"
#include "perf/micro/micro.hpp"

namespace peerlane::perf {
namespace {

using namespace peerlane::meter;

constexpr std::size_t kPackets = 16'384;
constexpr std::size_t kBurst = 32;
constexpr Nanoseconds kBurstTime = 1'000;

/// Packets of random size on random circuits, a burst every microsecond.
template <class Take>
void measure_circuits(const char* kind, std::size_t circuits, Take take_one) {
    std::mt19937_64 random(7);
    std::vector<std::uint32_t> circuit(kPackets);
    std::vector<std::uint32_t> cost(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) {
        circuit[i] = static_cast<std::uint32_t>(random() % circuits);
        cost[i] = static_cast<std::uint32_t>(64 + random() % 1'400);
    }
    Nanoseconds now = 1;
    const auto name = std::string(kind) + ", " + std::to_string(circuits) + " circuits";
    measure(name.c_str(), kPackets, [&] {
        unsigned passed = 0;
        for (std::size_t i = 0; i < kPackets; i += kBurst) {
            now += kBurstTime;
            for (std::size_t k = i; k < i + kBurst; ++k) { passed += take_one(circuit[k], now, cost[k]) ? 1U : 0U; }
        }
        keep(passed);
    });
}

}  // namespace

void measure_buckets() {
    constexpr BitsPerSecond kRate{1'000'000'000};
    constexpr Bytes kBurstSize{2'500'000};
    for (const std::size_t circuits : {16, 4'000}) {
        const std::vector<BucketRate> rates(circuits, bucket_rate(kRate, kBurstSize));
        std::vector<Bucket> buckets(circuits, full_bucket(rates[0], 0));
        measure_circuits("bucket", circuits, [&](std::uint32_t i, Nanoseconds now, std::uint32_t cost) {
            return take(buckets[i], rates[i], now, cost);
        });
        for (const Bytes q : {quantum(kBurstSize, 2), Bytes{0}}) {
            const std::vector<SharedRate> shared_rates(circuits, shared_rate(kRate, kBurstSize, 2, q));
            std::vector<SharedBucket> parents(circuits);
            std::vector<Credit> credits(circuits);
            for (auto& parent : parents) { fill(parent, shared_rates[0], 0); }
            measure_circuits(raw(q) == 0 ? "shared bucket, q = 0" : "shared bucket", circuits,
                             [&](std::uint32_t i, Nanoseconds now, std::uint32_t cost) {
                                 return take(parents[i], credits[i], shared_rates[i], now, cost);
                             });
        }
    }
}

}  // namespace peerlane::perf
