// The commands of a running edge: run, show, reload.
#pragma once

#include <CLI/CLI.hpp>

namespace peerlane::dataplane {

/// Adds them; `status` becomes the exit status of the one that was called.
void add_live_commands(CLI::App& app, int& status);

}  // namespace peerlane::dataplane
