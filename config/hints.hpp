// "Did you mean …?"
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace peerlane::config {

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other (the optimal string
/// alignment distance). Words longer than 64 octets count as infinitely far.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// "did you mean `X`?" when a known word is near, else "known here: A, B, C".
std::string suggest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace peerlane::config
