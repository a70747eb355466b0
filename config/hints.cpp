#include "config/hints.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace peerlane::config {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    constexpr std::size_t kLongest = 64;
    if (a.size() > kLongest || b.size() > kLongest) return std::numeric_limits<std::size_t>::max();
    using Row = std::array<std::size_t, kLongest + 1>;
    Row before{};
    Row above{};
    Row row{};
    std::iota(above.begin(), above.end(), 0U);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
    }
    return above[b.size()];
}

std::string suggest(std::string_view word, const std::vector<std::string_view>& known) {
    if (known.empty()) return "nothing is known here";
    const auto distance = [&](std::string_view candidate) { return edit_distance(word, candidate); };
    const std::string_view nearest = std::ranges::min(known, {}, distance);
    // A third of the letters wrong is a slip; more is another word.
    if (distance(nearest) <= std::max<std::size_t>(1, (word.size() + 2) / 3))
        return fmt::format("did you mean `{}`?", nearest);
    return fmt::format("known here: {}", fmt::join(known, ", "));
}

}  // namespace peerlane::config
