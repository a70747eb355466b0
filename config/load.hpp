// From a file to a model that has passed every rule, or to all that is wrong with it.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "config/model.hpp"

namespace peerlane::config {

struct LoadOptions {
    bool live = false;  // ports will be opened: each needs a device
};

struct Loaded {
    Model model;                    // not to be used unless ok()
    std::vector<Finding> findings;  // in the order of files and lines
    /// No errors; there may be warnings.
    [[nodiscard]] bool ok() const;
};

/// Reads, includes and validates. Whatever is wrong, unreadable files included, is a finding; nothing is thrown.
Loaded load(const std::filesystem::path& file, const LoadOptions& options = {});

/// The same from text; `name` stands for the file in findings, and includes are relative to its directory.
Loaded load_text(std::string_view text, const std::filesystem::path& name, const LoadOptions& options = {});

}  // namespace peerlane::config
