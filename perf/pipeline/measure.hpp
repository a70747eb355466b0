// Cycles per packet at one point of the grid.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "perf/ipsec_mb.hpp"
#include "perf/pipeline/bench.hpp"

namespace peerlane::perf {

struct Row {
    std::string direction, suite, size;
    unsigned circuits = 0, buffers = 0;
    double cycles_median = 0, cycles_min = 0;
    double floor_median = 0, floor_min = 0;
    double ratio = 0;      // of the medians
    double yardstick = 0;  // median cycles per seal
    struct Stage {
        std::string name;
        double median, minimum;
    };
    std::vector<Stage> stages;  // in order
};

/// The median of what `samples` holds, which is put out of order.
double median(std::vector<double>& samples);

/// `windows` windows of pipeline, floor, stage by stage and yardstick, in turn, each over all buffers, which are
/// restored before.
void measure(Product& product, Floor& floor, Buffers& buffers, Direction direction, Yardstick& yardstick,
             unsigned windows, Row& row);

}  // namespace peerlane::perf
