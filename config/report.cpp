#include "config/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace peerlane::config {

void Report::error(Place place, std::string what, std::string remedy) {
    notes.push_back({place, {Finding::Severity::error, where(place), std::move(what), std::move(remedy)}});
}

void Report::warning(Place place, std::string what, std::string remedy) {
    notes.push_back({place, {Finding::Severity::warning, where(place), std::move(what), std::move(remedy)}});
}

std::string Report::where(Place place) const {
    return fmt::format("{}:{}:{}", files.at(place.file), place.line, place.column);
}

namespace {

/// Holds hex as long as a key, which may have been written where something else belongs: as a path, as an SPI.
bool may_be_secret(std::string_view text) {
    constexpr unsigned kDigits = 32;
    unsigned digits = 0;
    for (const char c : text) {
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            ++digits;
        else if (c != ' ' && c != ':' && c != '\t' && c != '\r' && c != '\n')
            digits = 0;
        if (digits == kDigits) return true;
    }
    return false;
}

}  // namespace

std::string in_quotes(std::string_view text) {
    if (may_be_secret(text)) return "`…` (not shown: it may be a key)";
    constexpr std::size_t kLongest = 80;
    std::string_view start = text.substr(0, kLongest);
    if (start.size() < text.size())  // not through the middle of a character
        while (!start.empty() && (static_cast<unsigned char>(text[start.size()]) & 0xc0U) == 0x80)
            start.remove_suffix(1);
    std::string result = fmt::format("`{}{}`", start, start.size() < text.size() ? "…" : "");
    std::ranges::replace_if(result, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return result;
}

namespace {

constexpr std::size_t kSaidOneByOne = 3;  // warnings of one text

std::string_view places(std::size_t count) {
    return count == 1 ? "place" : "places";
}

}  // namespace

std::vector<Finding> Report::sorted() && {
    std::ranges::stable_sort(
        notes, {}, [](const Note& note) { return std::tuple(note.place.file, note.place.line, note.place.column); });
    std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> warnings;  // indices into notes
    for (std::size_t i = 0; i < notes.size(); ++i)
        if (const Finding& one = notes[i].finding; one.severity == Finding::Severity::warning)
            warnings[{one.what, one.remedy}].push_back(i);
    std::vector<bool> folded(notes.size());
    for (const auto& [said, at] : warnings) {
        if (at.size() <= kSaidOneByOne) continue;
        const std::size_t more = at.size() - kSaidOneByOne;
        notes[at[0]].finding.what +=
            fmt::format(" ({} times: also at {}, {} and {} more {})", at.size(), notes[at[1]].finding.where,
                        notes[at[2]].finding.where, more, places(more));
        for (std::size_t i = 1; i < at.size(); ++i) folded[at[i]] = true;
    }
    std::vector<Finding> findings;
    findings.reserve(notes.size());
    for (std::size_t i = 0; i < notes.size(); ++i)
        if (!folded[i]) findings.push_back(std::move(notes[i].finding));
    return findings;
}

}  // namespace peerlane::config
