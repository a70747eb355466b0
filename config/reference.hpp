// The reference page of the configuration.
#pragma once

#include <string>

namespace peerlane::config {

/// Markdown, one table per mapping: the same as docs/configuration.md.
std::string reference_markdown();

}  // namespace peerlane::config
