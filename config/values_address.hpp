// Scalars that are Ethernet or IP addresses or prefixes.
#pragma once

#include <string_view>

#include "config/values.hpp"

namespace peerlane::config {

/// For the field types from mac to subnet6.
Parsed parse_address(const Field& field, std::string_view text);

}  // namespace peerlane::config
