#include "dataplane/control/state_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include "dataplane/control/state_place.hpp"

namespace peerlane::dataplane {

FileHandle::~FileHandle() {
    if (number_ >= 0) { close(number_); }
}

namespace state_files {

namespace fs = std::filesystem;

namespace {
constexpr const char* kStartAnew =
    "restore sa-state from a copy made after this edge last stopped; or take new keys for every SA and move sa-state "
    "and lock away. Never just delete it and never restore an older copy: sequence numbers would be used again";
}  // namespace

std::string where(const fs::path& directory) {
    return "state directory " + directory.native();
}

Failure failure(const fs::path& directory, std::string_view deed, int error) {
    std::string remedy;
    switch (error) {
        case EACCES:
        case EPERM:
            remedy =
                "let the user this edge runs as read and write there, or set edge.state_dir to another directory and "
                "move "
                "sa-state and lock there (an empty one needs new keys for every SA)";
            break;
        case EROFS:
            remedy =
                "mount its file system writable, or set edge.state_dir to another directory and move "
                "sa-state and lock there (an empty one needs new keys for every SA)";
            break;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            remedy = "make room on its file system, or allow this user larger files";
            break;
        case EEXIST:
        case EISDIR:
        case ELOOP:
        case ENOENT:
        case ENOTDIR:
            remedy =
                "move away what is in the way, or set edge.state_dir to another directory and move "
                "sa-state and lock there (an empty one needs new keys for every SA)";
            break;
        case EMFILE:
        case ENFILE:
            remedy = "allow more open files";
            break;
        default:
            remedy = "see the kernel's log for what is wrong with the disk";
    }
    return {where(directory), fmt::format("cannot {}: {}", deed, std::strerror(error)), remedy};
}

fs::path settled(const fs::path& directory) {
    if (directory.empty()) { throw Failure("state directory", "it has no name", "set edge.state_dir"); }
    const auto path = fs::absolute(directory);
    return path.has_filename() ? path : path.parent_path();
}

FileHandle open_directory(const fs::path& directory) {
    FileHandle handle(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (handle.number() < 0) { throw failure(directory, "open it", errno); }
    return handle;
}

void make_directory(const fs::path& directory) {
    // Whatever the umask: nobody else is to write to what this makes.
    fs::path above;
    for (const auto& name : directory.parent_path()) {
        above /= name;
        if (mkdir(above.c_str(), 0755) == 0 || errno == EEXIST) { continue; }
        const int error = errno;
        struct stat found{};
        if (stat(above.c_str(), &found) != 0) { throw failure(directory, "make its parent", error); }  // "/", read-only
    }
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) { throw failure(directory, "make it", errno); }
}

namespace {
Failure in_use(const fs::path& directory, int lock) {
    char pid[32];
    const auto got = pread(lock, pid, sizeof(pid), 0);
    std::string_view text(pid, got > 0 ? static_cast<std::size_t>(got) : 0);
    text = text.substr(0, text.find('\n'));
    const auto who = text.empty() ? "which is just starting" : fmt::format("process {}", text);
    return {where(directory), fmt::format("another edge, {}, uses it", who),
            "stop that edge, or give this one another edge.state_dir and keys of its own"};
}
}  // namespace

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

namespace {
/// Who else can write to one of the files is as free as the one who can write to the directory.
void check_own(const fs::path& path, const char* name, const struct stat& found) {
    const auto file = (path / name).native();
    if (is_stranger(found.st_uid)) {
        throw Failure(where(path), fmt::format("{} in it belongs to somebody else (user {})", name, found.st_uid),
                      fmt::format("run `chown root {}`, or as the user of the edge, and take new keys for every SA if "
                                  "somebody may have changed it",
                                  file));
    }
    if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        throw Failure(
            where(path),
            fmt::format("{} in it is writable by others than its owner (mode {:04o})", name, found.st_mode & 07777U),
            fmt::format("run `chmod go-w {}`, and take new keys for every SA if somebody may have changed it", file));
    }
}
}  // namespace

FileHandle open_lock(const fs::path& path, int directory, int flags) {
    FileHandle lock(openat(directory, kLock, O_RDWR | flags | kCareful, 0600));
    if (lock.number() < 0 && errno != ENOENT) { throw failure(path, "open its lock", errno); }
    if (lock.number() < 0) { return lock; }
    struct stat found{};
    if (fstat(lock.number(), &found) != 0) { throw failure(path, "look at its lock", errno); }
    if (!S_ISREG(found.st_mode)) { throw failure(path, "use its lock, which is no regular file", EEXIST); }
    check_own(path, kLock, found);
    return lock;
}

void take_lock(const fs::path& path, int lock, int kind) {
    // A preflight holds it for a moment to see whether it can be had; that must not keep an edge from starting.
    for (unsigned tries = 10; flock(lock, kind | LOCK_NB) != 0;) {
        if (errno == EINTR) { continue; }
        if (errno != EWOULDBLOCK) { throw failure(path, "lock it", errno); }
        if (--tries == 0) { throw in_use(path, lock); }
        const timespec pause{.tv_sec = 0, .tv_nsec = 10'000'000};
        nanosleep(&pause, nullptr);
    }
}

bool is_empty(int file) {
    struct stat found{};
    return fstat(file, &found) == 0 && found.st_size == 0;
}

namespace {
constexpr std::string_view kGeneration = "generation ";
constexpr std::size_t kDigits = 20;  // always, so that a line never grows
}  // namespace

std::string note(std::uint64_t generation) {
    return fmt::format("{}\n{}{:0{}}\n", getpid(), kGeneration, generation, kDigits);
}

std::uint64_t noted_generation(int lock) {
    char note[128];
    const auto got = pread(lock, note, sizeof(note), 0);
    std::string_view text(note, got > 0 ? static_cast<std::size_t>(got) : 0);
    text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
    std::uint64_t generation = 0;
    if (!text.starts_with(kGeneration) || text.size() < kGeneration.size() + kDigits) { return 0; }
    const auto* digits = text.data() + kGeneration.size();
    const auto [end, error] = std::from_chars(digits, digits + kDigits, generation);
    return error == std::errc{} && end == digits + kDigits ? generation : 0;
}

void note_in_lock(const fs::path& path, int lock, std::uint64_t generation) {
    const auto text = note(generation);
    const auto size = static_cast<ssize_t>(text.size());
    // In this order: once it says something, it never says nothing again.
    const auto written = pwrite(lock, text.data(), text.size(), 0);
    if (written != size) { throw failure(path, "write its lock", written < 0 ? errno : ENOSPC); }
    if (ftruncate(lock, size) != 0 || fsync(lock) != 0) { throw failure(path, "write its lock", errno); }
}

std::string read_all(const fs::path& path, int file) {
    std::string text;
    char piece[65'536];
    for (;;) {
        const auto got = ::read(file, piece, sizeof(piece));
        if (got == 0) { return text; }
        if (got < 0 && errno != EINTR) { throw failure(path, "read sa-state", errno); }
        if (got > 0) { text.append(piece, static_cast<std::size_t>(got)); }
    }
}

std::array<std::uint8_t, 32> digest_of(std::string_view text) {
    return ipsec::sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::optional<Found> read_state(const fs::path& path, int directory, std::uint64_t least_generation) {
    const FileHandle file(openat(directory, kState, O_RDONLY | kCareful));
    if (file.number() < 0 && errno == ENOENT) { return std::nullopt; }
    Found found;
    const bool there = file.number() >= 0 && fstat(file.number(), &found.file) == 0;
    if (!there && errno != ELOOP) { throw failure(path, "read sa-state", errno); }
    const auto name = "state file " + (path / kState).native();
    if (!there || !S_ISREG(found.file.st_mode)) { throw Failure(name, "not a regular file", kStartAnew); }
    check_own(path, kState, found.file);
    const auto text = read_all(path, file.number());
    auto state = parse_sa_state(text);
    if (!state) { throw Failure(name, state.error(), kStartAnew); }
    if (state->saving.generation < least_generation) {
        throw Failure(name,
                      fmt::format("it is an older one that was put back: generation {}, and {} was saved here after it",
                                  state->saving.generation, least_generation),
                      kStartAnew);
    }
    found.state = *std::move(state);
    found.digest = digest_of(text);
    return found;
}

Failure gone(const fs::path& path) {
    return {"state file " + (path / kState).native(), "it is gone; there was one", kStartAnew};
}

}  // namespace state_files
}  // namespace peerlane::dataplane
