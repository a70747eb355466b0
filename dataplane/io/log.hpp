// One line per event on standard error; journald or the terminal adds the time. Any thread of control's; once
// start_log() has been called nobody waits for who reads it (output_thread.hpp).
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace peerlane::dataplane {

/// From here on a thread of its own writes the log. Once per process. Throws std::system_error.
void start_log();
/// Whole lines as they are, each with its newline.
void log_text(std::string_view lines) noexcept;
/// A line could not be made, for want of memory.
void log_lost() noexcept;
/// At the end: waits for what is not written yet, a second without progress at most.
void drain_log() noexcept;
/// A stream whose lines go to the log, for libraries; lives as long as the process. Null if there is no memory.
std::FILE* log_stream() noexcept;

template <class... Values>
void log(fmt::format_string<Values...> text, Values&&... values) noexcept {
    try {
        log_text("peerlane: " + fmt::format(text, std::forward<Values>(values)...) + '\n');
    } catch (const std::exception&) { log_lost(); }
}

}  // namespace peerlane::dataplane
