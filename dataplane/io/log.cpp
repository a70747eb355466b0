#include "dataplane/io/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "dataplane/io/output_thread.hpp"

namespace peerlane::dataplane {
namespace {

constexpr std::size_t kRoom = 256UL << 10U;  // bytes that may wait
constexpr std::chrono::milliseconds kDrainTime{1000};

/// Never destroyed: libraries log until the process has ended.
std::atomic<OutputThread*> writer{nullptr};

ssize_t write_stream(void* /*cookie*/, const char* text, std::size_t size) {
    log_text({text, size});
    return static_cast<ssize_t>(size);
}

}  // namespace

void start_log() {
    if (writer.load() == nullptr) { writer.store(new OutputThread(STDERR_FILENO, kRoom)); }
}

void log_text(std::string_view lines) noexcept {
    if (auto* thread = writer.load()) {
        thread->put(lines);
        return;
    }
    while (!lines.empty()) {
        const auto done = ::write(STDERR_FILENO, lines.data(), lines.size());
        if (done < 0 && errno == EINTR) { continue; }
        if (done <= 0) { return; }
        lines.remove_prefix(static_cast<std::size_t>(done));
    }
}

void log_lost() noexcept {
    if (auto* thread = writer.load()) { thread->lose(); }
}

void drain_log() noexcept {
    if (const auto* thread = writer.load()) { thread->drain(kDrainTime); }
}

std::FILE* log_stream() noexcept {
    static std::FILE* const stream = [] {
        auto* made =
            fopencookie(nullptr, "w", {.read = nullptr, .write = write_stream, .seek = nullptr, .close = nullptr});
        if (made != nullptr) { std::setvbuf(made, nullptr, _IOLBF, BUFSIZ); }
        return made;
    }();
    return stream;
}

}  // namespace peerlane::dataplane
