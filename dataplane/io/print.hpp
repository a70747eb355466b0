// What a command answers, on standard output; a disk that is full or a reader that is gone is a failure of the command.
#pragma once

#include <string_view>

namespace peerlane::dataplane {

/// Writes all of it. Throws Failure. Not for a running edge, which must not wait (output_thread.hpp).
void print(std::string_view text);

}  // namespace peerlane::dataplane
