// Why the edge cannot start or go on, for a person: what, where, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace peerlane::dataplane {

/// Thrown on the control path only.
struct Failure : std::runtime_error {
    Failure(const std::string& where, const std::string& wrong, const std::string& help)
        : std::runtime_error(where + ": " + wrong + "\n    " + help), problem(where + ": " + wrong), remedy(help) {}

    std::string problem;  // where and what
    std::string remedy;
};

}  // namespace peerlane::dataplane
