// Text for a file that may be full, gone or slow, written by a thread of its own: whoever has something to say never
// waits for who is to read it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace peerlane::dataplane {

/// Lines that cannot be written are lost. They are counted, and the count is written as a line of its own as soon as
/// the file takes text again.
class OutputThread {
  public:
    /// Writes to the open descriptor `file`, which it does not close. At most `room` bytes wait. Throws
    /// std::system_error where no thread can be started.
    OutputThread(int file, std::size_t room);
    /// Waits for nothing: what is not written yet is lost. See drain().
    ~OutputThread();
    OutputThread(const OutputThread&) = delete;
    OutputThread& operator=(const OutputThread&) = delete;

    /// Whole lines, each with its newline. False: there is no room, and they are lost. Any thread; never waits.
    bool put(std::string_view lines) noexcept;
    /// Counts a line that could not even be made.
    void lose() noexcept;
    /// Waits until everything is written or has failed, at most as long as something is written every `patience`, and
    /// ten times as long in all. True if nothing waits any more.
    bool drain(std::chrono::milliseconds patience) const noexcept;
    /// Lines lost that have not been told of yet.
    [[nodiscard]] std::uint64_t lost() const noexcept;

  private:
    struct Core;
    std::shared_ptr<Core> core_;  // shared with the thread, which may outlive this
};

}  // namespace peerlane::dataplane
