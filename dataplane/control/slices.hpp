// Answers of many rows, made a few rows at a time, so that control does something else between them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "dataplane/control/counters.hpp"
#include "dataplane/control/reply.hpp"

namespace peerlane::dataplane {

/// One line that says what is wrong, as every answer that is none.
std::string error_text(std::string_view what);

/// {"ok":true,"WHAT":[…]}. `rows` gives the rows of the snapshot in force, `generation` changes when that does: then
/// the answer is begun again, at most three times. Both are called as long as the answer is not whole.
Reply in_slices(std::string_view what, std::function<Rows()> rows, std::function<std::uint64_t()> generation);

}  // namespace peerlane::dataplane
