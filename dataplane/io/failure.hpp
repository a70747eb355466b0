// Why the edge cannot start or go on, for a person: what, where, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace peerlane::dataplane {

/// Thrown on the control path only.
struct Failure : std::runtime_error {
    Failure(const std::string& where, const std::string& what, const std::string& remedy)
        : std::runtime_error(where + ": " + what + "\n    " + remedy) {}
};

}  // namespace peerlane::dataplane
