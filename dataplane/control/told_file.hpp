// A command that was told a configuration file is for the edge that runs with that file, and for no other.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace peerlane::dataplane {

/// What goes into a request: the file's path and identity. Throws Failure where it cannot be looked at.
nlohmann::ordered_json told_file(const std::filesystem::path& file);

/// Whether `told` (null: no file was told) is another file than `own`: a sentence that says so, and what to do.
std::optional<std::string> another_file(const nlohmann::ordered_json& told, const std::filesystem::path& own);

}  // namespace peerlane::dataplane
