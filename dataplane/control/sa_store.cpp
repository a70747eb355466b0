#include "dataplane/control/sa_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "dataplane/control/sa_state_text.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

constexpr const char* kState = "sa-state";
constexpr const char* kTemporary = "sa-state.new";  // never read; becomes kState by its name alone
// Holds the pid of the last edge; as long as it is empty, no edge has ever got as far as saving here.
constexpr const char* kLock = "lock";
// Neither a link's target nor a pipe that nobody writes to is what was saved.
constexpr int kCareful = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

constexpr const char* kStartAnew =
    "restore sa-state from a copy made after this edge last stopped; or take new keys for every SA and move sa-state "
    "and lock away. Never just delete it and never restore an older copy: sequence numbers would be used again";

std::string where(const fs::path& directory) {
    return "state directory " + directory.native();
}

/// For a system call that failed with `error`.
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

/// Absolute, so that the edge may change its working directory, and without a slash at the end.
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
    std::error_code error;
    fs::create_directories(directory.parent_path(), error);
    if (error) { throw failure(directory, "make its parent", error.value()); }
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) { throw failure(directory, "make it", errno); }
}

Failure in_use(const fs::path& directory, int lock) {
    char pid[32];
    const auto got = pread(lock, pid, sizeof(pid), 0);
    std::string_view text(pid, got > 0 ? static_cast<std::size_t>(got) : 0);
    text = text.substr(0, text.find('\n'));
    const auto who = text.empty() ? "which is just starting" : fmt::format("process {}", text);
    return {where(directory), fmt::format("another edge, {}, uses it", who),
            "stop that edge, or give this one another edge.state_dir and keys of its own"};
}

bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// Opens the lock file with `flags`; no handle if there is none.
FileHandle open_lock(const fs::path& path, int directory, int flags) {
    FileHandle lock(openat(directory, kLock, O_RDWR | flags | kCareful, 0600));
    if (lock.number() < 0 && errno != ENOENT) { throw failure(path, "open its lock", errno); }
    if (lock.number() < 0) { return lock; }
    struct stat found{};
    if (fstat(lock.number(), &found) != 0) { throw failure(path, "look at its lock", errno); }
    if (!S_ISREG(found.st_mode)) { throw failure(path, "use its lock, which is no regular file", EEXIST); }
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

void note_pid(const fs::path& path, int lock) {
    const auto text = std::to_string(getpid()) + '\n';
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

/// The saved state; none where there is no file.
std::optional<SaState> read_state(const fs::path& path, int directory) {
    const FileHandle file(openat(directory, kState, O_RDONLY | kCareful));
    if (file.number() < 0 && errno == ENOENT) { return std::nullopt; }
    struct stat found{};
    const bool there = file.number() >= 0 && fstat(file.number(), &found) == 0;
    if (!there && errno != ELOOP) { throw failure(path, "read sa-state", errno); }
    const auto name = "state file " + (path / kState).native();
    if (!there || !S_ISREG(found.st_mode)) { throw Failure(name, "not a regular file", kStartAnew); }
    auto state = parse_sa_state(read_all(path, file.number()));
    if (!state) { throw Failure(name, state.error(), kStartAnew); }
    return *std::move(state);
}

Failure gone(const fs::path& path) {
    return {"state file " + (path / kState).native(), "it is gone; there was one", kStartAnew};
}

void write_all(const fs::path& path, int file, std::string_view text) {
    while (!text.empty()) {
        const auto written = write(file, text.data(), text.size());
        if (written < 0 && errno != EINTR) { throw failure(path, "write the state", errno); }
        if (written > 0) { text.remove_prefix(static_cast<std::size_t>(written)); }
    }
}

void remove_temporary(const fs::path& path, int directory) {
    if (unlinkat(directory, kTemporary, 0) != 0 && errno != ENOENT) {
        throw failure(path, fmt::format("remove {}", kTemporary), errno);
    }
}

/// The nearest directory above that is there already can be written.
void check_can_make(const fs::path& directory) {
    auto above = directory;
    std::error_code error;
    do { above = above.parent_path(); } while (!fs::exists(above, error) && above.has_relative_path());
    if (!fs::is_directory(above, error)) { throw failure(directory, "make it", error ? error.value() : ENOTDIR); }
    if (faccessat(AT_FDCWD, above.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        throw failure(directory, "make it", errno);
    }
}

void check_can_open(const fs::path& path) {
    struct stat found{};
    if (stat(path.c_str(), &found) != 0 && errno == ENOENT) { return check_can_make(path); }
    const auto directory = open_directory(path);
    if (faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) { throw failure(path, "write there", errno); }
    const auto lock = open_lock(path, directory.number(), 0);
    if (lock.number() >= 0) { take_lock(path, lock.number(), LOCK_SH); }
    const bool first = lock.number() < 0 || is_empty(lock.number());
    if (!read_state(path, directory.number()) && !first) { throw gone(path); }
}

}  // namespace

Nanoseconds wall_clock() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<Nanoseconds>(now.tv_sec) * 1'000'000'000 + static_cast<Nanoseconds>(now.tv_nsec);
}

FileHandle::~FileHandle() {
    if (number_ >= 0) { close(number_); }
}

SaStore::SaStore(const fs::path& directory, std::function<Nanoseconds()> now)
    : path_(settled(directory)), now_(std::move(now)) {
    make_directory(path_);
    directory_ = open_directory(path_);
    lock_ = open_lock(path_, directory_.number(), O_CREAT);
    take_lock(path_, lock_.number(), LOCK_EX);
    check_still_ours();
    const bool first = is_empty(lock_.number());
    if (!first) { note_pid(path_, lock_.number()); }
    remove_temporary(path_, directory_.number());
    auto state = read_state(path_, directory_.number());
    if (!state) {
        if (!first) { throw gone(path_); }
        first_start();
    } else {
        const auto time = now_();
        const auto between = time > state->saved ? time - state->saved : 0;
        loaded_ = std::move(state->memory);
        for (auto& [key, record] : loaded_) {
            if (record.age == 0) { continue; }  // never used
            record.age = record.age + between < between ? ~Nanoseconds{0} : record.age + between;
        }
        remember(loaded_);
    }
    if (first) { note_pid(path_, lock_.number()); }
}

/// From here on a directory without a file is one that lost it, so both must be on disk, with every directory above.
void SaStore::first_start() {
    save({});
    if (syncfs(directory_.number()) != 0) { throw failure(path_, "write it to disk", errno); }
}

void SaStore::save(const SaMemory& memory) {
    check_forward(memory);
    check_still_ours();
    try {
        write(to_text(memory, now_()));
    } catch (const Failure&) {
        unlinkat(directory_.number(), kTemporary, 0);  // it may be what fills the disk
        throw;
    }
    if (fsync(directory_.number()) != 0) { throw failure(path_, "write it to disk", errno); }
    remember(memory);
}

void SaStore::give_back(const SaKey& key, std::uint64_t used) {
    const auto found = std::ranges::lower_bound(used_, key, {}, &std::pair<SaKey, std::uint64_t>::first);
    if (found == used_.end() || found->first != key) { return; }
    const auto before = loaded_.find(key);
    const auto least = before == loaded_.end() ? 0 : before->second.sequence;
    found->second = std::min(found->second, std::max(used, least));
}

/// Everything up to the new name. A fresh file each time: after a failed fsync, another one on the same file proves
/// nothing.
void SaStore::write(const std::string& text) const {
    const int directory = directory_.number();
    remove_temporary(path_, directory);
    const FileHandle file(openat(directory, kTemporary, O_WRONLY | O_CREAT | O_EXCL | kCareful, 0600));
    if (file.number() < 0) { throw failure(path_, "make a file there", errno); }
    write_all(path_, file.number(), text);
    if (fsync(file.number()) != 0) { throw failure(path_, "write the state to disk", errno); }
    if (renameat(directory, kTemporary, directory, kState) != 0) { throw failure(path_, "rename the state", errno); }
}

void SaStore::remember(const SaMemory& memory) {
    used_.clear();
    for (const auto& [key, record] : memory) { used_.emplace_back(key, record.sequence); }
}

/// A lock that is no longer found under its name keeps nobody off.
void SaStore::check_still_ours() const {
    struct stat ours{};
    struct stat found{};
    const bool there = fstat(lock_.number(), &ours) == 0 && stat((path_ / kLock).c_str(), &found) == 0;
    if (there && same_file(ours, found)) { return; }
    throw Failure(where(path_), "it or its lock was moved away or replaced under this edge",
                  "stop every edge that uses it, put it back as it was, and start again");
}

void SaStore::check_forward(const SaMemory& memory) const {
    auto record = memory.begin();
    for (const auto& [key, sequence] : used_) {
        while (record != memory.end() && record->first < key) { ++record; }
        if (record == memory.end() || record->first != key) { throw std::logic_error("a saved SA record is missing"); }
        if (record->second.sequence < sequence) { throw std::logic_error("an SA's sequence goes backwards"); }
    }
}

std::optional<Failure> SaStore::obstacle(const fs::path& directory) {
    try {
        check_can_open(settled(directory));
    } catch (const Failure& failure) { return failure; }
    return std::nullopt;
}

}  // namespace peerlane::dataplane
