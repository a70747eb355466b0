// peerlane-perf: what a packet costs, beside the least it can cost. docs/performance.md says how to read it.
#include <fmt/format.h>
#include <pthread.h>
#include <rte_cycles.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "perf/pipeline/measure.hpp"
#include "perf/pipeline/ring_worker.hpp"
#include "perf/pipeline/verify.hpp"

namespace peerlane::perf {
namespace {

struct Options {
    std::string direction = "both";
    std::vector<std::string> suites{"none"};
    std::vector<std::string> sizes{"64", "512", "1420"};
    std::vector<unsigned> circuits{1, 100, 1000, 4000};
    std::vector<unsigned> buffers{256, 8192};
    unsigned windows = 0;
    int core = -1;
    bool huge = false;
    bool verify_only = false;
    std::string json;
};

constexpr unsigned kImages = 16384;

unsigned octets(const std::string& size) {
    if (size == "imix") { return kImix; }
    unsigned value = 0;
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), value);
    if (error != std::errc{} || *end != 0 || value == kImix) { throw std::invalid_argument("no such size: " + size); }
    return value;
}

/// The suites asked for, none of them for the tunnels in clear.
std::vector<std::optional<EspSuite>> suites(const Options& options) {
    std::vector<std::optional<EspSuite>> chosen;
    for (const auto& name : options.suites) {
        const auto before = chosen.size();
        if (name == "none") { chosen.emplace_back(); }
        for (std::size_t i = 0; i < kEspSuites.size(); ++i) {
            if (name == "all" || name == kEspSuites[i].name) { chosen.emplace_back(static_cast<EspSuite>(i)); }
        }
        if (chosen.size() == before) { throw std::invalid_argument("no such suite: " + name); }
    }
    return chosen;
}

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
    const auto size = row.size == "imix" ? nlohmann::ordered_json(row.size) : nlohmann::ordered_json(octets(row.size));
    return {{"direction", row.direction},
            {"suite", row.suite},
            {"size", size},
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
    fmt::print("{:<12} {:<28} {:>5} {:>8} {:>7} {:>8.1f} {:>8.1f} {:>8.1f} {:>6.2f} {:>9.1f} ", row.direction,
               row.suite, row.size, row.circuits, row.buffers, row.cycles_median, row.cycles_min, row.floor_median,
               row.ratio, row.yardstick);
    for (const auto& stage : row.stages) { fmt::print(" {} {:.1f}/{:.1f}", stage.name, stage.median, stage.minimum); }
    fmt::print("\n");
    std::fflush(stdout);
}

/// A point of the grid.
struct Point {
    Direction direction;
    std::optional<EspSuite> suite;
    unsigned circuits;
    std::string size;
    unsigned buffers;
};

std::vector<Point> points(const Options& options) {
    std::vector<Point> all;
    for (const auto direction : {Direction::to_cloud, Direction::to_customer}) {
        const std::string name = direction == Direction::to_cloud ? "to_cloud" : "to_customer";
        if (options.direction != "both" && options.direction != name) { continue; }
        for (const auto suite : suites(options)) {
            for (const auto circuits : options.circuits) {
                for (const auto& size : options.sizes) {
                    for (const auto buffers : options.buffers) {
                        all.push_back({direction, suite, circuits, size, buffers});
                    }
                }
            }
        }
    }
    return all;
}

int run(const Options& options) {
    const auto grid = points(options);
    start_memory(options.huge);
    pin(options.core);
    const auto most = *std::max_element(options.buffers.begin(), options.buffers.end());
    const auto pool = make_buffers(most, options.huge);
    Yardstick yardstick;
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    if (!options.verify_only) {
        fmt::print("{:<12} {:<28} {:>5} {:>8} {:>7} {:>8} {:>8} {:>8} {:>6} {:>9}  {}\n", "direction", "suite", "size",
                   "circuits", "buffers", "median", "minimum", "floor", "ratio", "yardstick",
                   "stages (median/minimum)");
    }
    for (const auto& point : grid) {
        const auto spec = make_spec(point.circuits, point.suite);
        const auto images = make_images(spec, point.direction, octets(point.size), kImages);
        Product product(spec);
        Floor floor(spec);
        Buffers buffers({pool.begin(), pool.begin() + point.buffers}, images, spec, point.direction);
        Row row;
        row.direction = point.direction == Direction::to_cloud ? "to_cloud" : "to_customer";
        row.suite = point.suite ? peerlane::row(*point.suite).name : "none";
        row.size = point.size;
        row.circuits = point.circuits;
        row.buffers = point.buffers;
        verify(product, floor, buffers, point.direction, images);
        if (options.verify_only) {
            fmt::print("{} {} {} octets, {} circuits, {} buffers: pipeline and floor agree\n", row.direction, row.suite,
                       row.size, row.circuits, row.buffers);
            continue;
        }
        measure(product, floor, buffers, point.direction, yardstick, windows_for(options, point.buffers), row);
        print(row);
        rows.push_back(as_json(row));
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
            for (const auto& size : options.sizes) {
                const auto images = make_images(spec, direction, octets(size), kImages);
                for (const auto count : options.buffers) {
                    Product product(spec);
                    Floor floor(spec);
                    Buffers buffers({pool.begin(), pool.begin() + count}, images, spec, direction);
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
    pipeline->add_option("--suite", options.suites, "all, none, or names: sealed and opened under these")
        ->delimiter(',')
        ->capture_default_str();
    for (auto* command : {pipeline, worker}) {
        command->add_option("--sizes", options.sizes, "inner IP lengths, octets; imix: 64, 576 and 1420 at 7:4:1")
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
