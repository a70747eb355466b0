#include "tests/fuzz/disk.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace peerlane::fuzz {

Disk& disk() noexcept {
    static Disk one;
    return one;
}

std::function<void()>& while_asleep() noexcept {
    static std::function<void()> one;
    return one;
}

namespace {

/// 0, or -1 and the reason.
int outcome() noexcept {
    Disk& state = disk();
    if (state.bad == 0) { return 0; }
    if (state.good != 0) {
        --state.good;
        return 0;
    }
    --state.bad;
    errno = ENOSPC;
    return -1;
}

std::string content(int directory, const char* name) {
    const int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) { return {}; }
    std::string text;
    char piece[16'384];
    for (ssize_t got = 0; (got = ::read(file, piece, sizeof(piece))) > 0;) {
        text.append(piece, static_cast<std::size_t>(got));
    }
    close(file);
    return text;
}

}  // namespace
}  // namespace peerlane::fuzz

using peerlane::fuzz::disk;

extern "C" {

int fsync(int file) {
    if (peerlane::fuzz::outcome() != 0) { return -1; }
    struct stat found{};
    if (fstat(file, &found) != 0) { return -1; }
    if (S_ISDIR(found.st_mode)) {
        disk().durable = disk().perhaps;
    } else {
        disk().file_synced = true;
    }
    return 0;
}

int syncfs(int /*file*/) noexcept {
    return peerlane::fuzz::outcome();
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
    if (peerlane::fuzz::outcome() != 0) { return -1; }
    const auto done = syscall(SYS_renameat, from_directory, from, to_directory, to);
    if (done != 0) { return -1; }
    auto text = peerlane::fuzz::content(to_directory, to);
    // A name on disk before what it names.
    if (!disk().file_synced) { text.resize(text.size() / 2); }
    disk().file_synced = false;
    disk().perhaps = std::move(text);
    disk().any = true;
    return 0;
}

int statfs(const char* path, struct statfs* found) noexcept {
    const auto done = syscall(SYS_statfs, path, found);
    if (done == 0 && found->f_type == TMPFS_MAGIC) { found->f_type = EXT4_SUPER_MAGIC; }
    return static_cast<int>(done);
}

int nanosleep(const timespec* time, timespec* left) {
    if (const auto& instead = peerlane::fuzz::while_asleep()) {
        instead();
        return 0;
    }
    return static_cast<int>(syscall(SYS_nanosleep, time, left));
}

}  // extern "C"
