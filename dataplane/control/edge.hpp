// The edge's life: start, forward, reload, end.
#pragma once

#include <filesystem>

namespace peerlane::dataplane {

/// Runs the edge until SIGTERM or SIGINT; SIGHUP reloads. Logs to standard error, prints a last summary. Returns the
/// exit status: 0, or 1 after saying what is wrong and what to do.
int run_edge(const std::filesystem::path& config);

}  // namespace peerlane::dataplane
