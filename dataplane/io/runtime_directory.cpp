#include "dataplane/io/runtime_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

steer::File locked(const fs::path& directory) {
    steer::File file(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return flock(file.number(), LOCK_EX | LOCK_NB) == 0 ? std::move(file) : steer::File();
}

/// Whose it is by its name.
std::optional<pid_t> owner_of(std::string_view name) {
    if (!name.starts_with(kRuntimePrefix)) { return std::nullopt; }
    name.remove_prefix(std::strlen(kRuntimePrefix));
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size() || pid <= 0) { return std::nullopt; }
    return pid;
}

bool lives(pid_t pid) noexcept {
    return kill(pid, 0) == 0 || errno != ESRCH;
}

}  // namespace

void remove_stale_directories(const fs::path& parent) noexcept {
    try {
        std::error_code error;
        std::vector<fs::path> stale;
        for (fs::directory_iterator one(parent, error), end; !error && one != end; one.increment(error)) {
            const auto owner = owner_of(one->path().filename().native());
            if (owner && !lives(*owner)) { stale.push_back(one->path()); }
        }
        for (const auto& path : stale) {
            const auto lock = locked(path);
            if (lock.number() >= 0) { fs::remove_all(path, error); }
        }
    } catch (const std::exception&) { return; }  // no memory for their names: they take none
}

RuntimeDirectory::RuntimeDirectory(fs::path path) : path_(std::move(path)), lock_(locked(path_)) {
    remove_stale_directories(path_.parent_path());
}

RuntimeDirectory::~RuntimeDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

}  // namespace peerlane::dataplane
