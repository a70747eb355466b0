// What must hold whatever the input is. A broken invariant ends the process, which every fuzzing engine notices.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace peerlane::fuzz {

/// Standard error as it was at the start. The product's log, thousands of lines a second, then goes nowhere: driver.cpp
/// and libFuzzer's -close_fd_mask=2 see to that.
inline int errors() noexcept {
    static const int file = dup(STDERR_FILENO);
    return file;
}
inline const int errors_at_start = errors();

/// For whoever reads a crash: with PEERLANE_FUZZ_TRACE set, what happens.
template <class... Values>
void say(fmt::format_string<Values...> text, Values&&... values) {
    static const bool traced = std::getenv("PEERLANE_FUZZ_TRACE") != nullptr;
    if (traced) { dprintf(errors(), "%s\n", fmt::format(text, std::forward<Values>(values)...).c_str()); }
}

template <class... Values>
void require(bool holds, fmt::format_string<Values...> text, Values&&... values) {
    if (holds) [[likely]] { return; }
    dprintf(errors(), "fuzz: %s\n", fmt::format(text, std::forward<Values>(values)...).c_str());
    std::abort();
}

}  // namespace peerlane::fuzz
