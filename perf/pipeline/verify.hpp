// That pipeline and floor do the same.
#pragma once

#include "perf/pipeline/bench.hpp"

namespace peerlane::perf {

/// Runs both sides over all images and compares frames, lengths, ports, counters, buckets and SAs. Throws
/// std::runtime_error with the first difference.
void verify(Product& product, Floor& floor, Buffers& buffers, Direction direction, const Images& images);

}  // namespace peerlane::perf
