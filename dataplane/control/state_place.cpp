#include "dataplane/control/state_place.hpp"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <list>

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

/// Whether user namespace and system agree on who `user` is. Otherwise stat(2) shows an id that stands for all who are
/// outside.
bool is_mapped(uid_t user) {
    std::ifstream map("/proc/self/uid_map");
    std::uint64_t first = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    bool any = false;
    while (map >> first >> outside >> count) {
        any = true;
        if (user >= first && user - first < count) { return true; }
    }
    return !any;
}

/// One way from the root to a directory, link after link.
class Way {
  public:
    Way(fs::path directory, Owners owners) : directory_(std::move(directory)), owners_(owners) {}

    std::optional<Failure> walk() {
        constexpr unsigned kMostLinks = 40;  // as the kernel: ELOOP
        std::list<fs::path> left(directory_.begin(), directory_.end());
        fs::path at = "/";
        for (unsigned links = 0; !left.empty();) {
            const auto name = left.front();
            left.pop_front();
            if (name.empty() || name == "." || name == "/") { continue; }
            if (auto failure = directory_on_the_way(at)) { return failure; }
            if (name == "..") {
                at = at.parent_path();
                continue;
            }
            const auto next = at / name;
            struct stat found{};
            if (lstat(next.c_str(), &found) != 0) { return std::nullopt; }  // the rest is made by this process
            if (!S_ISLNK(found.st_mode)) {
                at = next;
                continue;
            }
            if (auto failure = owner(next, found)) { return failure; }
            std::error_code error;
            const auto target = fs::read_symlink(next, error);
            if (error || ++links > kMostLinks) { return std::nullopt; }  // opening it says so
            if (target.is_absolute()) { at = "/"; }
            left.insert(left.begin(), target.begin(), target.end());
        }
        return itself(at);
    }

  private:
    std::optional<Failure> owner(const fs::path& path, const struct stat& found) const {
        if (owners_ == Owners::not_checked || !is_stranger(found.st_uid)) { return std::nullopt; }
        return fault(
            fmt::format("{} belongs to somebody else (user {}), who can put older sequence numbers in its place",
                        path.native(), found.st_uid),
            fmt::format("run `chown root {}`, or start this as the user of the edge, or set edge.state_dir to another "
                        "directory and move sa-state and lock there",
                        path.native()));
    }
    [[nodiscard]] std::optional<Failure> directory_on_the_way(const fs::path& path) const {
        struct stat found{};
        if (stat(path.c_str(), &found) != 0) { return std::nullopt; }
        if (auto failure = owner(path, found)) { return failure; }
        if ((found.st_mode & kOthersWrite) == 0 || (found.st_mode & S_ISVTX) != 0) { return std::nullopt; }
        return fault(
            fmt::format("{}, on the way to it, is writable by others than its owner (mode {:04o}), who can put "
                        "another directory in its place",
                        path.native(), found.st_mode & 07777U),
            fmt::format("run `chmod go-w {}`, or set edge.state_dir to another directory and move sa-state and "
                        "lock there",
                        path.native()));
    }
    [[nodiscard]] std::optional<Failure> itself(const fs::path& path) const {
        struct stat found{};
        if (stat(path.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) { return std::nullopt; }
        if (auto failure = owner(path, found)) { return failure; }
        if ((found.st_mode & kOthersWrite) == 0) { return std::nullopt; }
        return fault(
            fmt::format("it is writable by others than its owner (mode {:04o}), who can put older sequence "
                        "numbers there",
                        found.st_mode & 07777U),
            fmt::format("run `chmod go-w {}`, and take new keys for every SA if somebody may have changed what "
                        "is in it",
                        path.native()));
    }
    [[nodiscard]] Failure fault(const std::string& wrong, const std::string& remedy) const {
        return {"state directory " + directory_.native(), wrong, remedy};
    }

    fs::path directory_;
    Owners owners_;
};

}  // namespace

bool is_stranger(uid_t user) {
    return user != 0 && user != geteuid() && is_mapped(user);
}

std::optional<Failure> open_to_others(const fs::path& directory, Owners owners) {
    return Way(directory, owners).walk();
}

bool lies_in_memory(const fs::path& directory) {
    struct statfs found{};
    for (auto path = directory; !path.empty(); path = path.parent_path()) {
        if (statfs(path.c_str(), &found) == 0) {
            return found.f_type == TMPFS_MAGIC || found.f_type == static_cast<decltype(found.f_type)>(RAMFS_MAGIC);
        }
        if (path == path.parent_path()) { break; }
    }
    return false;
}

std::optional<Failure> forgetful(const fs::path& directory, bool may_be_volatile) {
    if (may_be_volatile || !lies_in_memory(directory)) { return std::nullopt; }
    return Failure(
        "state directory " + directory.native(),
        "it lies in memory (tmpfs): what the keys for AES-GCM or ChaCha20-Poly1305 have used is forgotten when "
        "the machine restarts, and nonces would be used twice",
        "set edge.state_dir to a directory on a disk; or say edge.state_dir_volatile: true, and give every SA "
        "a new key at every restart of the machine");
}

}  // namespace peerlane::dataplane
