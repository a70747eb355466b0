// The token bucket of one writer, packet by packet against two exact models.
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
#include <vector>

#include "lib/meter/bucket.hpp"

namespace peerlane::meter {
namespace meter_test {

constexpr std::uint64_t kSeed = 2'697;
__extension__ using Wide = __int128;
constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kHour = 3'600 * kSecond;
constexpr Nanoseconds kYear = 365 * 24 * kHour;

struct Service {
    std::uint64_t rate;   // bit/s
    std::uint64_t burst;  // bytes
};
constexpr Service kServices[] = {{1'000, 9'000},
                                 {64'000, 1},
                                 {50'000'000, 125'000},
                                 {333'333'333, 64'000},
                                 {1'000'000'000, 2'500'000},
                                 {9'999'999'967, 1'500},
                                 {100'000'000'000, 250'000'000},
                                 {400'000'000'000, 1'000'000'000},
                                 {400'000'000'000, kMaxBurst},
                                 {1'000, kMaxBurst}};

/// Time, in ns, in which the service carries `bytes`.
std::uint64_t time_of(const Service& service, std::uint64_t bytes) {
    return static_cast<std::uint64_t>(Wide{static_cast<long long>(bytes)} * 8'000'000'000 / service.rate);
}

/// Arrivals around the rate: bursts at one time, gaps up to a fill, and now and then an idle year.
Nanoseconds random_gap(std::mt19937_64& random, const Service& service) {
    switch (random() % 64) {
        case 0:
            return random() % (2 * time_of(service, service.burst) + 2);
        case 1:
            return random() % 4 == 0 ? random() % (3 * kYear) : 1;
        default:
            return random() % 3 == 0 ? 0 : random() % (2 * time_of(service, 1'000) + 2);
    }
}

/// The definition itself: passes if CBS + CIR·(t - s) covers what has passed since s and the packet, for every earlier
/// instant s at which a packet passed, and the beginning.
class Definition {
  public:
    explicit Definition(const Service& service) : service_(service) {}
    bool take(Nanoseconds now, std::uint32_t cost) {
        Wide passed = cost;
        for (auto i = past_.size(); i-- > 0;) {
            passed += past_[i].cost;
            const Wide allowed = Wide{service_.burst} * 8'000'000'000 + Wide{service_.rate} * Wide{now - past_[i].time};
            if (passed * 8'000'000'000 > allowed) { return false; }
        }
        if (cost > service_.burst) { return false; }
        past_.push_back({now, cost});
        return true;
    }
    void give_back() { past_.pop_back(); }

  private:
    struct Passed {
        Nanoseconds time;
        std::uint32_t cost;
    };
    Service service_;
    std::vector<Passed> past_;
};

TEST(Bucket, IsTheDefinition) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    for (const auto& service : kServices) {
        const auto rate = bucket_rate(BitsPerSecond{service.rate}, Bytes{service.burst});
        auto bucket = full_bucket(rate, 0);
        Definition definition(service);
        Nanoseconds now = random() % kYear;
        unsigned passed = 0;
        for (int i = 0; i < 2'000; ++i) {
            now += random_gap(random, service);
            const auto cost = static_cast<std::uint32_t>(
                random() % 8 == 0 ? random() % std::min<std::uint64_t>(service.burst + 10, 0xffff'ffff)
                                  : random() % 1'500);
            const bool passes = take(bucket, rate, now, cost);
            ASSERT_EQ(passes, definition.take(now, cost)) << service.rate << " bit/s, packet " << i;
            passed += passes ? 1 : 0;
            if (passes && random() % 5 == 0) {  // refused by the next bucket, say
                give_back(bucket, rate, cost);
                definition.give_back();
            }
        }
        EXPECT_GT(passed, 0U);
        EXPECT_LT(passed, 2'000U);
    }
}

/// The recurrence in wide integers without any bound on elapsed time.
TEST(Bucket, AgreesWithWideIntegers) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed + 1);
    for (const auto& service : kServices) {
        const auto rate = bucket_rate(BitsPerSecond{service.rate}, Bytes{service.burst});
        auto bucket = full_bucket(rate, 5);
        const Wide depth = Wide{service.burst} * 8'000'000'000;
        Wide level = depth;
        Nanoseconds at = 5;
        Nanoseconds now = 5;
        for (int i = 0; i < 200'000; ++i) {
            now += random_gap(random, service);
            const bool backwards = random() % 50 == 0;
            const auto seen = backwards ? now - std::min<Nanoseconds>(now, random() % kSecond) : now;
            const auto cost = static_cast<std::uint32_t>(random() % 1'600);
            if (seen > at) {
                level = std::min(depth, level + Wide{service.rate} * Wide{seen - at});
                at = seen;
            }
            const Wide units = Wide{cost} * 8'000'000'000;
            const bool passes = units <= level;
            level -= passes ? units : 0;
            ASSERT_EQ(take(bucket, rate, seen, cost), passes) << service.rate << " bit/s, packet " << i;
            if (random() % 20 == 0) {  // any refund, late ones too
                const auto refund = static_cast<std::uint32_t>(random() % 3'000);
                give_back(bucket, rate, refund);
                level = std::min(depth, level + Wide{refund} * 8'000'000'000);
            }
            ASSERT_TRUE(level == Wide{bucket.level} && at == bucket.at) << service.rate << " bit/s, packet " << i;
        }
    }
}

/// After an hour of silence exactly the burst passes at once, and then a packet to the nanosecond when it is covered.
TEST(Bucket, IsExactAfterAnHourIdle) {
    for (const auto& service : {Service{50'000'000, 125'000}, Service{100'000'000'000, 250'000'000}}) {
        const auto rate = bucket_rate(BitsPerSecond{service.rate}, Bytes{service.burst});
        auto bucket = full_bucket(rate, 0);
        while (take(bucket, rate, 1, 1'500)) {}
        const auto now = 1 + kHour;
        std::uint64_t passed = 0;
        while (take(bucket, rate, now, 1'500)) { passed += 1'500; }
        EXPECT_EQ(passed, service.burst / 1'500 * 1'500);
        const auto missing = 1'500 - (service.burst - passed);
        const auto wait = time_of(service, missing) + (missing * 8'000'000'000 % service.rate == 0 ? 0 : 1);
        EXPECT_FALSE(take(bucket, rate, now + wait - 1, 1'500));
        EXPECT_TRUE(take(bucket, rate, now + wait, 1'500));
    }
}

/// Under constant overload, asked at odd times, the bytes of a second are those of the rate, less than a packet short.
TEST(Bucket, LosesNoRemainder) {
    for (const auto& service : {Service{50'000'000, 1'500}, Service{100'000'000'000, 64'000}}) {
        const auto rate = bucket_rate(BitsPerSecond{service.rate}, Bytes{service.burst});
        Bucket bucket;
        std::uint64_t passed = 0;
        for (Nanoseconds now = 0; now <= kSecond; now += 7) {
            while (take(bucket, rate, now, 87)) { passed += 87; }
        }
        EXPECT_LE(passed, service.rate / 8);
        EXPECT_GT(passed + 87 + service.rate * 7 / 8'000'000'000, service.rate / 8);
    }
}

TEST(Bucket, ExtremesNeitherOverflowNorPass) {
    const auto rate = bucket_rate(BitsPerSecond{kMaxRate}, Bytes{kMaxBurst});
    auto bucket = full_bucket(rate, 0);
    EXPECT_FALSE(take(bucket, rate, 0, 0xffff'ffff));
    EXPECT_TRUE(take(bucket, rate, 0, static_cast<std::uint32_t>(kMaxBurst)));
    EXPECT_FALSE(take(bucket, rate, 0, 1));
    EXPECT_TRUE(take(bucket, rate, ~Nanoseconds{0}, static_cast<std::uint32_t>(kMaxBurst)));
    give_back(bucket, rate, 0xffff'ffff);
    EXPECT_EQ(bucket.level, rate.depth);
    EXPECT_THROW(bucket_rate(BitsPerSecond{0}, Bytes{1}), std::invalid_argument);
    EXPECT_THROW(bucket_rate(BitsPerSecond{kMaxRate + 1}, Bytes{1}), std::invalid_argument);
    EXPECT_THROW(bucket_rate(BitsPerSecond{1'000}, Bytes{kMaxBurst + 1}), std::invalid_argument);
}

TEST(Bucket, RetuneSettlesAtTheOldRateAndKeepsTheLevel) {
    const auto slow = bucket_rate(BitsPerSecond{8'000'000}, Bytes{100'000});   // 1 byte per µs
    const auto fast = bucket_rate(BitsPerSecond{80'000'000}, Bytes{500'000});  // 10 bytes per µs
    auto bucket = full_bucket(slow, 0);
    ASSERT_TRUE(take(bucket, slow, 0, 100'000));
    retune(bucket, slow, fast, 3'000'000);
    EXPECT_EQ(bucket.level, 3'000 * kUnitsPerByte) << "not refilled, and 3 ms at the old rate";
    EXPECT_FALSE(take(bucket, fast, 3'999'999, 13'000));
    EXPECT_TRUE(take(bucket, fast, 4'000'000, 13'000));
    retune(bucket, fast, slow, 4'000'000 + kSecond);
    EXPECT_EQ(bucket.level, slow.depth) << "no more than the new depth";
    const auto before = bucket;
    retune(bucket, slow, slow, 0);
    EXPECT_EQ(bucket.level, before.level);
    EXPECT_EQ(bucket.at, before.at);
}

}  // namespace meter_test
}  // namespace peerlane::meter
