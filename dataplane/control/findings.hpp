// What is wrong with a configuration, as text for a terminal.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "config/model.hpp"

namespace peerlane::dataplane {

/// "FILE:LINE:COLUMN: error: WHAT" and the remedy on a line of its own, for each finding.
inline std::string to_text(const std::vector<config::Finding>& findings) {
    std::string text;
    for (const auto& finding : findings) {
        const bool error = finding.severity == config::Finding::Severity::error;
        text += fmt::format("{}: {}: {}\n", finding.where, error ? "error" : "warning", finding.what);
        if (!finding.remedy.empty()) { text += fmt::format("    {}\n", finding.remedy); }
    }
    return text;
}

}  // namespace peerlane::dataplane
