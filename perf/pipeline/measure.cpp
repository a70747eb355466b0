#include "perf/pipeline/measure.hpp"

#include <algorithm>
#include <cstring>

#include "perf/micro/clock.hpp"
#include "perf/pipeline/floor_esp.hpp"

namespace peerlane::perf {
namespace {

/// Reads the clock between stages: an observer of the pipeline.
struct StageClock {
    struct Stage {
        const char* name;
        std::uint64_t cycles;
    };
    std::vector<Stage> stages;
    std::size_t next = 0;
    std::uint64_t last = 0;

    void start() noexcept {
        next = 0;
        last = cycles();
    }
    void operator()(const char* name, const dataplane::Burst& /*burst*/) {
        const auto time = cycles();
        if (next == stages.size()) { stages.push_back({name, 0}); }
        stages[next++].cycles += time - last;
        last = cycles();
    }
};

void stage_pass(Product& product, const Buffers& buffers, Direction direction, Nanoseconds& now, StageClock& clock) {
    auto& worker = *product.worker;
    const auto* mbufs = buffers.mbufs().data();
    const std::uint8_t port = direction == Direction::to_cloud ? 0 : 1;
    for (std::size_t n = 0; n < buffers.bursts(); ++n) {
        std::memcpy(worker.burst.mbuf, mbufs + n * dataplane::kBurst, sizeof(worker.burst.mbuf));
        clock.start();
        dataplane::run(worker, port, now, dataplane::kBurst, clock);
        dataplane::finish_all(worker);
        clock("finish", worker.burst);
        now += kBurstTime;
    }
}

/// What two readings of the clock in a row differ by.
double clock_cost() {
    std::vector<double> samples;
    for (int i = 0; i < 1001; ++i) {
        const auto time = cycles();
        samples.push_back(static_cast<double>(cycles() - time));
    }
    return median(samples);
}

}  // namespace

double median(std::vector<double>& samples) {
    const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
    std::nth_element(samples.begin(), middle, samples.end());
    return *middle;
}

void measure(Product& product, Floor& floor, Buffers& buffers, Direction direction, Yardstick& yardstick,
             unsigned windows, Row& row) {
    constexpr unsigned kSeals = 64;
    constexpr std::size_t kElsewhere = 8192;
    const auto packets = static_cast<double>(buffers.mbufs().size());
    const double clock_reading = clock_cost();
    std::vector<double> ours, least, seals;
    std::vector<std::vector<double>> by_stage;
    std::vector<const char*> names;
    Nanoseconds product_now = 1'000'000'000;
    Nanoseconds floor_now = product_now;
    std::size_t first = 0;
    const auto timed = [&](std::size_t images, Side side, auto&& pass) {
        buffers.restore(images, side);
        const auto start = cycles();
        pass();
        return static_cast<double>(cycles() - start - static_cast<std::uint64_t>(clock_reading)) / packets;
    };
    if (floor.way == FloorWay::cbc) {
        // Which instructions hash and encrypt fastest depends on sizes: the floor takes what it does best with.
        constexpr unsigned kTries = 21;
        auto& bare = direction == Direction::to_cloud ? floor.esp->out : floor.esp->in;
        double cost[2];
        for (const bool wide : {false, true}) {
            bare.use(wide);
            std::vector<double> tries;
            for (unsigned i = 0; i < kTries; ++i) {
                tries.push_back(timed(first, Side::floor, [&] { floor_pass(floor, buffers, direction, floor_now); }));
            }
            cost[wide ? 1 : 0] = median(tries);
        }
        bare.use(cost[1] < cost[0]);
    }
    for (unsigned window = 0; window < windows; ++window) {
        least.push_back(timed(first, Side::floor, [&] { floor_pass(floor, buffers, direction, floor_now); }));
        ours.push_back(timed(first, Side::pipeline, [&] { product_pass(product, buffers, direction, product_now); }));
        StageClock clock;
        clock.stages.reserve(32);
        // Other packets than the pass before has just brought the tables of.
        timed(first + kElsewhere, Side::pipeline, [&] { stage_pass(product, buffers, direction, product_now, clock); });
        by_stage.resize(clock.stages.size());
        names.clear();
        for (std::size_t i = 0; i < clock.stages.size(); ++i) {
            const auto reading = clock_reading * static_cast<double>(buffers.bursts());
            by_stage[i].push_back((static_cast<double>(clock.stages[i].cycles) - reading) / packets);
            names.push_back(clock.stages[i].name);
        }
        yardstick.seal(8);  // what the passes left in the caches is not its matter
        const auto start = cycles();
        yardstick.seal(kSeals);
        seals.push_back(static_cast<double>(cycles() - start) / kSeals);
        first += buffers.mbufs().size();
    }
    row.cycles_median = median(ours);
    row.cycles_min = *std::min_element(ours.begin(), ours.end());
    row.floor_median = median(least);
    row.floor_min = *std::min_element(least.begin(), least.end());
    row.ratio = row.cycles_median / row.floor_median;
    row.yardstick = median(seals);
    for (std::size_t i = 0; i < names.size(); ++i) {
        row.stages.push_back(
            {names[i], median(by_stage[i]), *std::min_element(by_stage[i].begin(), by_stage[i].end())});
    }
}

}  // namespace peerlane::perf
