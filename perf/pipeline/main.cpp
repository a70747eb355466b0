// peerlane-perf: what a packet costs, beside the least it can cost. docs/performance.md says how to read it.
#include <fmt/format.h>
#include <pthread.h>
#include <rte_cycles.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "perf/pipeline/measure.hpp"
#include "perf/pipeline/ring_worker.hpp"

namespace peerlane::perf {
namespace {

struct Options {
    std::string direction = "both";
    std::vector<unsigned> sizes{64, 512, 1420};
    std::vector<unsigned> circuits{1, 100, 1000, 4000};
    std::vector<unsigned> buffers{256, 8192};
    unsigned windows = 0;
    int core = -1;
    bool huge = false;
    bool verify_only = false;
    std::string json;
};

constexpr unsigned kImages = 16384;

/// As many windows as make a million packets a side.
unsigned windows_for(const Options& options, unsigned buffers) {
    if (options.windows != 0) { return options.windows; }
    return std::clamp(1'000'000U / buffers, 101U, 2001U);
}

void pin(int core) {
    if (core < 0) { return; }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(core), &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0) {
        throw std::runtime_error(fmt::format("cannot run on core {}", core));
    }
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) { return line.substr(line.find(':') + 2); }
    }
    return "unknown";
}

nlohmann::ordered_json machine() {
    return {{"cpu", cpu_model()}, {"tsc_hz", rte_get_tsc_hz()}, {"compiler", __VERSION__}, {"march", PEERLANE_MARCH}};
}

nlohmann::ordered_json as_json(const Row& row) {
    nlohmann::ordered_json stages;
    nlohmann::ordered_json stages_min;
    for (const auto& stage : row.stages) {
        stages[stage.name] = stage.median;
        stages_min[stage.name] = stage.minimum;
    }
    return {{"direction", row.direction},
            {"suite", "none"},
            {"size", row.size},
            {"circuits", row.circuits},
            {"buffers", row.buffers},
            {"cycles_median", row.cycles_median},
            {"cycles_min", row.cycles_min},
            {"floor_median", row.floor_median},
            {"floor_min", row.floor_min},
            {"ratio", row.ratio},
            {"yardstick_median", row.yardstick},
            {"stages", stages},
            {"stages_min", stages_min}};
}

void print(const Row& row) {
    fmt::print("{:<12} {:>5} {:>8} {:>7} {:>8.1f} {:>8.1f} {:>8.1f} {:>6.2f} {:>9.1f} ", row.direction, row.size,
               row.circuits, row.buffers, row.cycles_median, row.cycles_min, row.floor_median, row.ratio,
               row.yardstick);
    for (const auto& stage : row.stages) { fmt::print(" {} {:.1f}/{:.1f}", stage.name, stage.median, stage.minimum); }
    fmt::print("\n");
    std::fflush(stdout);
}

int run(const Options& options) {
    start_memory(options.huge);
    pin(options.core);
    std::map<unsigned, std::vector<rte_mbuf*>> mbufs;
    const auto most = *std::max_element(options.buffers.begin(), options.buffers.end());
    const auto pool = make_buffers(most, options.huge);
    Yardstick yardstick;
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    if (!options.verify_only) {
        fmt::print("{:<12} {:>5} {:>8} {:>7} {:>8} {:>8} {:>8} {:>6} {:>9}  {}\n", "direction", "size", "circuits",
                   "buffers", "median", "minimum", "floor", "ratio", "yardstick", "stages (median/minimum)");
    }
    for (const auto direction : {Direction::to_cloud, Direction::to_customer}) {
        const std::string name = direction == Direction::to_cloud ? "to_cloud" : "to_customer";
        if (options.direction != "both" && options.direction != name) { continue; }
        for (const auto circuits : options.circuits) {
            const auto spec = make_spec(circuits);
            for (const auto size : options.sizes) {
                const auto images = make_images(spec, direction, size, kImages);
                for (const auto count : options.buffers) {
                    Product product(spec);
                    Floor floor(spec);
                    Buffers buffers({pool.begin(), pool.begin() + count}, images);
                    verify(product, floor, buffers, direction, images);
                    if (options.verify_only) {
                        fmt::print("{} {} octets, {} circuits, {} buffers: pipeline and floor agree\n", name, size,
                                   circuits, count);
                        continue;
                    }
                    Row row;
                    row.direction = name;
                    row.size = size;
                    row.circuits = circuits;
                    row.buffers = count;
                    measure(product, floor, buffers, direction, yardstick, windows_for(options, count), row);
                    print(row);
                    rows.push_back(as_json(row));
                }
            }
        }
    }
    if (!options.json.empty()) {
        nlohmann::ordered_json all{{"machine", machine()}, {"rows", rows}};
        std::ofstream file(options.json);
        file << all.dump(2) << '\n';
        if (!file) { throw std::runtime_error("cannot write " + options.json); }
    }
    return 0;
}

/// A whole worker over rings beside the pipeline alone, one pair of figures a point.
int run_worker(const Options& options) {
    start_memory(options.huge);
    pin(options.core);
    const auto most = *std::max_element(options.buffers.begin(), options.buffers.end());
    const auto pool = make_buffers(most, options.huge);
    Yardstick yardstick;
    fmt::print("{:<12} {:>5} {:>8} {:>7} {:>8} {:>8}\n", "direction", "size", "circuits", "buffers", "worker",
               "pipeline");
    for (const auto circuits : options.circuits) {
        const auto spec = make_spec(circuits);
        for (const auto direction : {Direction::to_cloud, Direction::to_customer}) {
            for (const auto size : options.sizes) {
                const auto images = make_images(spec, direction, size, kImages);
                for (const auto count : options.buffers) {
                    Product product(spec);
                    Floor floor(spec);
                    Buffers buffers({pool.begin(), pool.begin() + count}, images);
                    verify(product, floor, buffers, direction, images);
                    RingWorker worker(product, buffers.mbufs());
                    const auto windows = windows_for(options, count);
                    const auto whole = worker.measure(buffers, direction, windows);
                    Row row;
                    Product alone(spec);
                    measure(alone, floor, buffers, direction, yardstick, windows, row);
                    fmt::print("{:<12} {:>5} {:>8} {:>7} {:>8.1f} {:>8.1f}\n",
                               direction == Direction::to_cloud ? "to_cloud" : "to_customer", size, circuits, count,
                               whole, row.cycles_median);
                }
            }
        }
    }
    return 0;
}

}  // namespace
}  // namespace peerlane::perf

int main(int argc, char** argv) {
    CLI::App app{"TSC cycles per packet of the pipelines, beside a hand-written floor"};
    app.require_subcommand(1);
    peerlane::perf::Options options;
    auto* pipeline = app.add_subcommand("pipeline", "both pipelines over bursts in memory");
    auto* worker = app.add_subcommand("worker", "a worker's whole loop over rings, beside the pipeline alone");
    pipeline->add_option("--direction", options.direction)
        ->check(CLI::IsMember({"to_cloud", "to_customer", "both"}))
        ->capture_default_str();
    for (auto* command : {pipeline, worker}) {
        command->add_option("--sizes", options.sizes, "inner IP lengths, octets")
            ->delimiter(',')
            ->capture_default_str();
        command->add_option("--circuits", options.circuits)->delimiter(',')->capture_default_str();
        command->add_option("--buffers", options.buffers, "live buffers, multiples of 32")
            ->delimiter(',')
            ->check(CLI::Bound(32U, 65536U))
            ->capture_default_str();
        command->add_option("--windows", options.windows, "measuring windows; 0: as many as make a million packets");
        command->add_option("--core", options.core, "core to run on; -1: where it may");
        command->add_flag("--huge", options.huge, "buffers in hugetlb pages");
    }
    pipeline->add_option("--json", options.json, "also write the figures to this file");
    pipeline->add_flag("--verify-only", options.verify_only, "only compare pipeline and floor");
    CLI11_PARSE(app, argc, argv);
    try {
        return worker->parsed() ? peerlane::perf::run_worker(options) : peerlane::perf::run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "peerlane-perf: {}\n", error.what());
        return 1;
    }
}
