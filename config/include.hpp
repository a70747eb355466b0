// `include`: which files a path or pattern means.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace peerlane::config {

/// True if the text has *, ? or [.
bool is_pattern(const std::string& text);

/// The files that match, sorted by name; both are relative to `directory` unless absolute. A path that is no pattern is
/// returned as it is, there or not.
std::vector<std::filesystem::path> matching_files(const std::filesystem::path& directory, const std::string& pattern);

}  // namespace peerlane::config
