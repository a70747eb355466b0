// The preflight's part about cores: that they are there, the workers' alone, and as fast as they can be.
#pragma once

#include <string>
#include <vector>

#include "config/model.hpp"
#include "dataplane/control/preflight.hpp"

namespace peerlane::dataplane {

/// Appends to `needs`; changes nothing. `allowed` and `root` as for preflight().
void look_at_cores(const config::Model& model, const std::vector<unsigned>& allowed, const std::string& root,
                   std::vector<Need>& needs);

}  // namespace peerlane::dataplane
