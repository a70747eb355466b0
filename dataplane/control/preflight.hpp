// What this machine lacks for a configuration to run, before anything is started.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/model.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// One need: what it is, how it stands, and the remedy where it is not met.
struct Need {
    enum class State : std::uint8_t { met, degraded, missing };  // degraded: it runs, but slower or less
    State state;
    std::string what;
    std::string remedy;
};

/// Looks at hugepages, devices, capabilities, cores and directories; changes nothing. `allowed` as from
/// allowed_cores(). `root` stands before /proc, /sys and /dev (tests).
std::vector<Need> preflight(const config::Model& model, const std::vector<unsigned>& allowed,
                            const std::string& root = {});

/// What is wrong with where the state directory lies, as far as that can be told of any user's process: for `check`
/// alone.
std::optional<Failure> state_dir_fault(const config::Model& model);

/// A line for each need and its remedy.
std::string to_text(const std::vector<Need>& needs);

}  // namespace peerlane::dataplane
