// The directory in which DPDK keeps a process's files while it runs, such as /run/dpdk/peerlane-4711.
#pragma once

#include <filesystem>
#include <string>

#include "lib/steer/file.hpp"

namespace peerlane::dataplane {

/// What names such directories; the process's id follows.
inline constexpr const char* kRuntimePrefix = "peerlane-";

/// This process's, as long as it lives. A lock on it tells others, of other PID namespaces too, that it is in use.
class RuntimeDirectory {
  public:
    /// `path` exists. Removes what killed edges have left next to it.
    explicit RuntimeDirectory(std::filesystem::path path);
    /// Removes it.
    ~RuntimeDirectory();
    RuntimeDirectory(const RuntimeDirectory&) = delete;
    RuntimeDirectory& operator=(const RuntimeDirectory&) = delete;

  private:
    std::filesystem::path path_;
    steer::File lock_;
};

/// Removes directories of edges that live no more from `parent`. Never those of a process that is alive, of one that
/// holds its lock, or of something else.
void remove_stale_directories(const std::filesystem::path& parent) noexcept;

}  // namespace peerlane::dataplane
