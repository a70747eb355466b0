// A Unix socket that listens under a path, and its file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Control thread.
class SocketFile {
  public:
    static constexpr Nanoseconds kLook = 1'000'000'000;  // between two looks whether the file is there

    /// Listens at `path`, mode 0660. A socket file where nobody listens any more is replaced. Throws Failure.
    explicit SocketFile(std::filesystem::path path);
    /// Removes the file, if it is still this one's.
    ~SocketFile();
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;

    [[nodiscard]] int listener() const noexcept { return listener_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Makes the file again if somebody has removed it, and logs what comes of it. `now` in nanoseconds, monotone.
    void mend(Nanoseconds now);

  private:
    void make();
    void say(std::string what);

    std::filesystem::path path_;
    int listener_ = -1;
    std::uint64_t device_ = 0, inode_ = 0;  // of the file made
    Nanoseconds looked_ = 0;
    std::string said_;  // as logged last
};

}  // namespace peerlane::dataplane
