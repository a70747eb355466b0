// Cycles per look-up of the tables and per packet of the buckets, alone: what a change of theirs costs or gains.
#include <cstdio>

#include "perf/micro/micro.hpp"

int main() {
    std::printf("%-52s %8s %8s\n", "TSC cycles", "median", "minimum");
    peerlane::perf::measure_routes();
    peerlane::perf::measure_vlans();
    peerlane::perf::measure_tunnels();
    peerlane::perf::measure_buckets();
}
