// One line per event on standard error; journald or the terminal adds the time. Control thread only.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <utility>

namespace peerlane::dataplane {

template <class... Values>
void log(fmt::format_string<Values...> text, Values&&... values) {
    fmt::print(stderr, "peerlane: {}\n", fmt::format(text, std::forward<Values>(values)...));
}

}  // namespace peerlane::dataplane
