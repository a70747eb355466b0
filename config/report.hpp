// Findings as they are collected, with the place they are sorted by.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/model.hpp"

namespace peerlane::config {

struct Report {
    const std::vector<std::string>& files;
    struct Note {
        Place place;
        Finding finding;
    };
    std::vector<Note> notes{};

    void error(Place place, std::string what, std::string remedy);
    void warning(Place place, std::string what, std::string remedy);
    /// "FILE:LINE:COLUMN"
    [[nodiscard]] std::string where(Place place) const;
    /// All findings in the order of files, lines and columns. Warnings that say the same of more than three
    /// places become one, which counts them and names the first ones.
    [[nodiscard]] std::vector<Finding> sorted() &&;
};

/// Text from a file for a message: in backquotes, control characters replaced, cut if long, not shown if it looks like
/// a key.
std::string in_quotes(std::string_view text);

}  // namespace peerlane::config
