#include "config/report.hpp"

#include <fmt/format.h>

#include <algorithm>
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

/// Hex as long as a key, which may have been written where something else belongs. The longest form of an IPv6
/// address has as many digits: it is none where an address is read, so that nothing is lost.
bool may_be_secret(std::string_view text) {
    constexpr std::ptrdiff_t kDigits = 32;
    constexpr std::string_view kHex = "0123456789abcdefABCDEF";
    if (std::ranges::count_if(text, [&](char c) { return kHex.contains(c); }) < kDigits) return false;
    return text.find_first_not_of("0123456789abcdefABCDEFxX: \t\r\n") == std::string_view::npos;
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

std::vector<Finding> Report::sorted() && {
    std::ranges::stable_sort(
        notes, {}, [](const Note& note) { return std::tuple(note.place.file, note.place.line, note.place.column); });
    std::vector<Finding> findings;
    findings.reserve(notes.size());
    for (Note& note : notes) findings.push_back(std::move(note.finding));
    return findings;
}

}  // namespace peerlane::config
