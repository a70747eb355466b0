// The shared bucket: its two bounds under random schedules, and its books under real threads.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "lib/meter/shared_bucket.hpp"

namespace peerlane::meter {
namespace meter_shared_test {

constexpr std::uint64_t kSeed = 1'616;
__extension__ using Wide = __int128;
constexpr Wide kByte = 8'000'000'000;

struct Case {
    std::uint64_t rate;
    std::uint64_t burst;
    unsigned workers;
};
constexpr Case kCases[] = {{50'000'000, 125'000, 2},
                           {1'000'000'000, 2'500'000, 4},
                           {1'000'000'000, 64'000, 2},
                           {100'000'000'000, 25'000'000, 16},
                           {333'333'331, 70'000, 1}};

/// The largest excess over CIR·t of what passed in any interval so far, as a queue served at CIR would hold it.
class Excess {
  public:
    explicit Excess(std::uint64_t rate) : rate_(rate) {}
    void passed(Nanoseconds now, std::uint32_t cost) {
        queue_ = std::max<Wide>(0, queue_ - Wide{rate_} * Wide{now - at_}) + Wide{cost} * kByte;
        at_ = now;
        worst_ = std::max(worst_, queue_);
    }
    [[nodiscard]] Wide worst() const { return worst_; }

  private:
    std::uint64_t rate_;
    Nanoseconds at_ = 0;
    Wide queue_ = 0;
    Wide worst_ = 0;
};

struct Workers {
    explicit Workers(const Case& which)
        : q(quantum(Bytes{which.burst}, which.workers)),
          rate(shared_rate(BitsPerSecond{which.rate}, Bytes{which.burst}, which.workers)),
          credits(which.workers) {
        fill(shared, rate, 0);
    }
    bool take(std::size_t worker, Nanoseconds now, std::uint32_t cost) {
        return meter::take(shared, credits[worker], rate, now, cost);
    }
    Bytes q;
    SharedRate rate;
    SharedBucket shared;
    std::vector<Credit> credits;
};

Nanoseconds random_gap(std::mt19937_64& random, const Case& which) {
    const auto fill = which.burst * 8'000'000'000 / which.rate;
    const auto packet = 750 * 8'000'000'000 / which.rate;
    return random() % (which.burst / 50) == 0 ? random() % (2 * fill)
           : random() % 4 == 0                ? random() % (4 * packet + 2)
                                              : 0;
}

TEST(SharedBucket, CoversWhatItWouldPass) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    unsigned refused = 0;
    for (const auto& which : kCases) {
        Workers workers(which);
        Nanoseconds now = 0;
        unsigned passed = 0;
        for (int i = 0; i < 20'000; ++i) {
            if (i % 4 == 0) { now += random_gap(random, which); }  // above the rate
            const auto cost = static_cast<std::uint32_t>(64 + random() % 1'437);
            const auto worker = random() % which.workers;
            const auto before = workers.shared.bucket;
            const bool covers = meter::covers(workers.shared, workers.credits[worker], workers.rate, now, cost);
            EXPECT_EQ(workers.shared.bucket.level, before.level) << "it takes nothing";
            ASSERT_EQ(workers.take(worker, now, cost), covers) << i;
            passed += covers ? 1U : 0U;
        }
        EXPECT_GT(passed, 0U);
        refused += 20'000U - passed;
    }
    EXPECT_GT(refused, 1'000U);
}

TEST(SharedBucket, NeverPassesMoreThanStated) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    for (const auto& which : kCases) {
        Workers workers(which);
        Excess excess(which.rate);
        Nanoseconds now = 0;
        for (int i = 0; i < 300'000; ++i) {
            now += random_gap(random, which);
            const auto cost = static_cast<std::uint32_t>(64 + random() % 1'437);
            if (workers.take(random() % which.workers, now, cost)) { excess.passed(now, cost); }
        }
        const auto cbs = Wide{which.burst} * kByte;
        EXPECT_TRUE(excess.worst() <= cbs + Wide{which.workers} * Wide{raw(workers.q)} * kByte) << which.rate;
        EXPECT_TRUE(excess.worst() > cbs - 1'500 * kByte) << "the schedule never tried hard, " << which.rate;
    }
}

/// Whatever an exact bucket of CBS passes, the shared one passes too, on any worker, once it had time to fill.
TEST(SharedBucket, AConformingFlowLosesNothing) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed + 1);
    for (const auto& which : kCases) {
        Workers workers(which);
        const auto exact_rate = bucket_rate(BitsPerSecond{which.rate}, Bytes{which.burst});
        Nanoseconds now = 0;
        for (int round = 0; round < 20; ++round) {
            for (int i = 0; i < 3'000; ++i) {  // leaves credits as they come
                now += random_gap(random, which);
                workers.take(random() % which.workers, now, static_cast<std::uint32_t>(random() % 1'500));
            }
            now += workers.rate.parent.fill_ns;
            auto exact = full_bucket(exact_rate, now);
            unsigned refused = 0;
            for (int i = 0; i < 20'000; ++i) {
                now += random_gap(random, which);
                const auto cost = static_cast<std::uint32_t>(64 + random() % 1'437);
                if (!take(exact, exact_rate, now, cost)) {
                    ++refused;
                    continue;
                }
                ASSERT_TRUE(workers.take(random() % which.workers, now, cost)) << which.rate << " packet " << i;
            }
            if (which.burst < 1'000'000) { EXPECT_GT(refused, 0U) << "the flow was never at its limit"; }
        }
    }
}

TEST(SharedBucket, RefusesOnlyWhatParentAndOwnCreditCannotCover) {
    const auto rate = shared_rate(BitsPerSecond{8'000}, Bytes{1'000'000}, 2);
    ASSERT_GE(rate.hold, 1'000 * kUnitsPerByte);
    SharedBucket shared;
    shared.bucket = {.level = 500 * kUnitsPerByte, .at = 0};
    Credit credit{700 * kUnitsPerByte};
    EXPECT_FALSE(take(shared, credit, rate, 0, 1'201));
    EXPECT_EQ(shared.bucket.level, 500 * kUnitsPerByte);
    EXPECT_EQ(credit.units, 700 * kUnitsPerByte);
    EXPECT_TRUE(take(shared, credit, rate, 0, 1'200));
    EXPECT_EQ(shared.bucket.level + credit.units, 0U);
}

TEST(SharedBucket, WithoutQuantumIsExact) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed + 2);
    const Case which{50'000'000, 9'000, 4};
    Workers workers(which);
    ASSERT_EQ(raw(workers.q), 0U);
    const auto exact_rate = bucket_rate(BitsPerSecond{which.rate}, Bytes{which.burst});
    auto exact = full_bucket(exact_rate, 0);
    Nanoseconds now = 0;
    for (int i = 0; i < 200'000; ++i) {
        now += random_gap(random, which);
        const auto cost = static_cast<std::uint32_t>(random() % 1'500);
        const auto worker = random() % which.workers;
        const bool passes = take(exact, exact_rate, now, cost);
        ASSERT_EQ(workers.take(worker, now, cost), passes);
        if (passes && random() % 4 == 0) {
            give_back(exact, exact_rate, cost);
            give_back(workers.shared, workers.credits[worker], workers.rate, cost);
        }
        ASSERT_EQ(settled(workers.shared.bucket, workers.rate.parent, now).level, exact.level);
    }
}

TEST(SharedBucket, QuantumExceedsTheBurstByAnEighthAtMost) {
    for (const std::uint64_t burst : {1ULL, 9'000ULL, 64'000ULL, 2'500'000ULL, 250'000'000ULL, 2'300'000'000ULL}) {
        for (const unsigned workers : {0U, 1U, 2U, 16U, 128U}) {
            const auto q = raw(quantum(Bytes{burst}, workers));
            EXPECT_LE(q * workers, burst / 8);
            EXPECT_TRUE(q == 0 || (q >= kMinQuantum && q <= kMaxQuantum));
            EXPECT_NO_THROW(shared_rate(BitsPerSecond{kMaxRate}, Bytes{burst}, workers));
        }
    }
    EXPECT_GT(raw(quantum(Bytes{2'500'000}, 2)), 0U);
    EXPECT_EQ(raw(quantum(Bytes{9'000}, 2)), 0U);
}

TEST(SharedBucket, RetuneKeepsTheLevelAndShrinksCredits) {
    const auto wide = shared_rate(BitsPerSecond{8'000'000}, Bytes{1'000'000}, 2);
    const auto narrow = shared_rate(BitsPerSecond{8'000'000}, Bytes{3'000}, 2);
    ASSERT_GT(wide.hold, 0U);
    ASSERT_EQ(narrow.hold, 0U);
    SharedBucket shared;
    Credit credit;
    fill(shared, wide, 0);
    ASSERT_TRUE(take(shared, credit, wide, 0, 1'000));
    ASSERT_GT(credit.units, 0U);
    retune(shared, wide, narrow, 1'000);
    EXPECT_EQ(shared.bucket.level, narrow.parent.depth);
    EXPECT_FALSE(take(shared, credit, narrow, 1'000, 3'001));
    EXPECT_TRUE(take(shared, credit, narrow, 1'000, 3'000));
    EXPECT_EQ(credit.units, 0U);
    retune(shared, narrow, wide, 2'000);
    EXPECT_EQ(shared.bucket.level, kUnitsPerByte);
}

/// From empty and under overload the parent never overflows, so every unit that arrived was passed, is held by a worker
/// or is still there.
void threads_keep_the_books(Bytes q) {
    constexpr unsigned kWorkers = 4;
    constexpr int kPackets = 100'000;
    const auto rate = shared_rate(BitsPerSecond{10'000'000'000}, Bytes{4'000'000}, kWorkers, q);
    SharedBucket shared;
    std::atomic<Nanoseconds> clock = 0;
    std::vector<Credit> credits(kWorkers);
    std::vector<std::uint64_t> passed(kWorkers);
    std::vector<std::thread> threads;
    for (unsigned worker = 0; worker < kWorkers; ++worker) {
        threads.emplace_back([&, worker] {
            std::mt19937_64 random(kSeed + worker);
            Credit credit;
            std::uint64_t bytes = 0;
            for (int i = 0; i < kPackets; ++i) {
                const auto now = clock.fetch_add(100, std::memory_order_relaxed);
                const auto cost = static_cast<std::uint32_t>(64 + random() % 1'437);
                if (!take(shared, credit, rate, now, cost)) { continue; }
                if (i % 8 == 0) {
                    give_back(shared, credit, rate, cost);
                } else {
                    bytes += cost;
                }
            }
            credits[worker] = credit;
            passed[worker] = bytes;
        });
    }
    for (auto& thread : threads) { thread.join(); }

    const auto end = load(shared);
    Wide total = end.level;
    Wide bytes = 0;
    for (unsigned worker = 0; worker < kWorkers; ++worker) {
        EXPECT_LE(credits[worker].units, rate.hold);
        EXPECT_GT(passed[worker], 0U);
        total += Wide{passed[worker]} * kByte + Wide{credits[worker].units};
        bytes += passed[worker];
    }
    EXPECT_TRUE(total == Wide{10'000'000'000} * Wide{end.at}) << "units appeared or vanished";
    EXPECT_TRUE(bytes * kByte <= Wide{10'000'000'000} * Wide{clock.load()});
    EXPECT_TRUE(bytes * kByte * 10 > Wide{10'000'000'000} * Wide{clock.load()} * 9) << "and most of it was used";
}

TEST(SharedBucketThreads, KeepTheBooksWithAQuantum) {
    const auto q = quantum(Bytes{4'000'000}, 4);
    ASSERT_GT(raw(q), 0U);
    threads_keep_the_books(q);
}

TEST(SharedBucketThreads, KeepTheBooksWithoutAQuantum) {
    threads_keep_the_books(Bytes{0});
}

}  // namespace meter_shared_test
}  // namespace peerlane::meter
