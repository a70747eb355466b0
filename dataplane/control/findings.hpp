// What is wrong with a configuration, as text for a terminal.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/model.hpp"

namespace peerlane::dataplane {

/// "3 errors, 1 warning".
inline std::string total_text(std::size_t errors, std::size_t warnings) {
    const auto count = [](std::size_t n, std::string_view what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    };
    if (warnings == 0) { return count(errors, "error"); }
    return errors == 0 ? count(warnings, "warning") : count(errors, "error") + ", " + count(warnings, "warning");
}

/// "FILE:LINE:COLUMN: error: WHAT" and the remedy on a line of its own, for each finding; then how many there are.
inline std::string to_text(const std::vector<config::Finding>& findings) {
    std::string text;
    std::size_t errors = 0;
    for (const auto& finding : findings) {
        const bool error = finding.severity == config::Finding::Severity::error;
        text += fmt::format("{}: {}: {}\n", finding.where, error ? "error" : "warning", finding.what);
        if (!finding.remedy.empty()) { text += fmt::format("    {}\n", finding.remedy); }
        errors += error ? 1U : 0U;
    }
    if (!findings.empty()) { text += total_text(errors, findings.size() - errors) + '\n'; }
    return text;
}

}  // namespace peerlane::dataplane
