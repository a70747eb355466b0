// The micro benchmarks, one function per subject; each prints its own lines.
#pragma once

namespace peerlane::perf {

void measure_routes();
void measure_vlans();
void measure_tunnels();
void measure_buckets();
void measure_crypto();

}  // namespace peerlane::perf
