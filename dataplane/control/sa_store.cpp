#include "dataplane/control/sa_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "dataplane/control/sa_state_text.hpp"
#include "dataplane/control/state_place.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using namespace state_files;

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

void check_place(const fs::path& path) {
    if (auto failure = open_to_others(path)) { throw Failure(*failure); }
}

void check_can_open(const fs::path& path) {
    check_place(path);
    struct stat found{};
    if (stat(path.c_str(), &found) != 0 && errno == ENOENT) { return check_can_make(path); }
    const auto directory = open_directory(path);
    if (faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) { throw failure(path, "write there", errno); }
    const auto lock = open_lock(path, directory.number(), 0);
    if (lock.number() >= 0) { take_lock(path, lock.number(), LOCK_SH); }
    const bool first = lock.number() < 0 || is_empty(lock.number());
    const auto least = first ? 0 : noted_generation(lock.number());
    if (!read_state(path, directory.number(), least) && !first) { throw gone(path); }
}

}  // namespace

SaStore::SaStore(const fs::path& directory, Clocks clocks) : path_(settled(directory)), clocks_(std::move(clocks)) {
    check_place(path_);
    make_directory(path_);
    directory_ = open_directory(path_);
    lock_ = open_lock(path_, directory_.number(), O_CREAT);
    take_lock(path_, lock_.number(), LOCK_EX);
    check_still_ours();
    const bool first = is_empty(lock_.number());
    const auto least = first ? 0 : noted_generation(lock_.number());
    if (!first) { note_in_lock(path_, lock_.number(), least); }
    remove_temporary(path_, directory_.number());
    started_ = moment();
    offset_ = started_.wall - started_.up;
    auto found = read_state(path_, directory_.number(), least);
    if (!found) {
        if (!first) { throw gone(path_); }
        first_start();
    } else {
        generation_ = found->state.saving.generation;
        left_ = found->file;
        left_digest_ = found->digest;
        loaded_ = std::move(found->state.memory);
        saved_before_ = {found->state.saved, found->state.saving.boot, found->state.saving.up};
        between_ = elapsed(saved_before_, started_);
        for (auto& [key, record] : loaded_) {
            if (record.age == 0) { continue; }  // never used
            const auto between = between_.time;
            record.age = record.age + between < between ? ~Nanoseconds{0} : record.age + between;
        }
        remember(loaded_);
    }
    note_in_lock(path_, lock_.number(), generation_);
    noted_ = true;
}

Moment SaStore::moment() const {
    return {clocks_.wall(), clocks_.boot, clocks_.up()};
}

/// From here on a directory without a file is one that lost it, so both must be on disk, with every directory above.
void SaStore::first_start() {
    save({});
    if (syncfs(directory_.number()) != 0) { throw failure(path_, "write it to disk", errno); }
}

bool SaStore::save(const SaMemory& memory) {
    check_forward(memory);
    check_still_ours();
    const bool as_left = is_as_left();
    const auto now = moment();
    try {
        write(to_text(memory, now.wall, {generation_ + 1, now.boot, now.up}));
    } catch (const Failure&) {
        unlinkat(directory_.number(), kTemporary, 0);  // it may be what fills the disk
        throw;
    }
    if (fsync(directory_.number()) != 0) { throw failure(path_, "write it to disk", errno); }
    remember(memory);
    ++generation_;
    if (!noted_) { return true; }
    // A least number is enough: after a crash of the machine the lock may say an older one. Not so where somebody has
    // the file that was here before.
    const auto text = note(generation_);
    const bool written = pwrite(lock_.number(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
    if (!as_left && written) { fsync(lock_.number()); }
    return as_left;
}

SaStore::ClockEvent SaStore::look_at_clocks() {
    ClockEvent event{.what = std::exchange(between_.event, {})};
    const auto now = moment();
    const auto offset = now.wall - now.up;
    const auto set = static_cast<std::int64_t>(offset - offset_);
    if (static_cast<Nanoseconds>(set < 0 ? -set : set) <= kSlack) { return event; }
    offset_ = offset;
    started_.wall += static_cast<Nanoseconds>(set);
    event.what +=
        fmt::format("{}the system's clock was set {} by {}", event.what.empty() ? "" : "; ",
                    set < 0 ? "back" : "forward", to_duration(static_cast<Nanoseconds>(set < 0 ? -set : set)));
    if (!between_.by_wall) { return event; }
    const auto before = between_.time;
    between_ = elapsed(saved_before_, started_);
    between_.event.clear();
    event.older = between_.time - before;
    event.what += fmt::format("; by it {} had passed before this start, not {}: keys are aged accordingly",
                              to_duration(between_.time), to_duration(before));
    return event;
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
void SaStore::write(const std::string& text) {
    const int directory = directory_.number();
    remove_temporary(path_, directory);
    const FileHandle file(openat(directory, kTemporary, O_WRONLY | O_CREAT | O_EXCL | kCareful, 0600));
    if (file.number() < 0) { throw failure(path_, "make a file there", errno); }
    write_all(path_, file.number(), text);
    if (fsync(file.number()) != 0) { throw failure(path_, "write the state to disk", errno); }
    if (renameat(directory, kTemporary, directory, kState) != 0) { throw failure(path_, "rename the state", errno); }
    fstat(file.number(), &left_);
    left_digest_ = digest_of(text);
}

/// The same file, not written to since; or another one that says the same.
bool SaStore::is_as_left() const {
    if (generation_ == 0 && left_.st_ino == 0) { return true; }  // none yet
    struct stat found{};
    if (fstatat(directory_.number(), kState, &found, AT_SYMLINK_NOFOLLOW) != 0) { return false; }
    if (same_file(found, left_) && found.st_size == left_.st_size && found.st_mtim.tv_sec == left_.st_mtim.tv_sec &&
        found.st_mtim.tv_nsec == left_.st_mtim.tv_nsec) {
        return true;
    }
    const FileHandle file(openat(directory_.number(), kState, O_RDONLY | kCareful));
    if (file.number() < 0 || fstat(file.number(), &found) != 0 || !S_ISREG(found.st_mode)) { return false; }
    if (found.st_size != left_.st_size) { return false; }
    return digest_of(read_all(path_, file.number())) == left_digest_;
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
