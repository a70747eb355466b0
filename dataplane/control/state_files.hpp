// The files in a state directory: sa-state, what it is written to first, and the lock. For sa_store.cpp alone.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/control/sa_state_text.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// An open file, closed with its owner.
class FileHandle {
  public:
    explicit FileHandle(int number = -1) noexcept : number_(number) {}
    FileHandle(FileHandle&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileHandle& operator=(FileHandle&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~FileHandle();
    [[nodiscard]] int number() const noexcept { return number_; }

  private:
    int number_;  // -1: none
};

namespace state_files {

inline constexpr const char* kState = "sa-state";
inline constexpr const char* kTemporary = "sa-state.new";  // never read; becomes kState by its name alone
// Holds the pid of the last edge and the generation of what it saved last; as long as it is empty, no edge has ever got
// as far as saving here.
inline constexpr const char* kLock = "lock";
// Neither a link's target nor a pipe that nobody writes to is what was saved.
inline constexpr int kCareful = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

/// "state directory …", as failures begin.
std::string where(const std::filesystem::path& directory);
/// For a system call that failed with `error`.
Failure failure(const std::filesystem::path& directory, std::string_view deed, int error);
/// For an sa-state that is not there any more.
Failure gone(const std::filesystem::path& path);

/// Absolute, so that the edge may change its working directory, and without a slash at the end.
std::filesystem::path settled(const std::filesystem::path& directory);
FileHandle open_directory(const std::filesystem::path& directory);
/// Mode 0700; what is above it 0755.
void make_directory(const std::filesystem::path& directory);

bool same_file(const struct stat& one, const struct stat& other);
bool is_empty(int file);

/// Opens the lock file with `flags`; no handle if there is none.
FileHandle open_lock(const std::filesystem::path& path, int directory, int flags);
/// flock(2) of `kind`. Throws Failure where another edge has it.
void take_lock(const std::filesystem::path& path, int lock, int kind);
/// What the lock file says from now on.
std::string note(std::uint64_t generation);
/// Writes that, to disk.
void note_in_lock(const std::filesystem::path& path, int lock, std::uint64_t generation);
/// Which saving was the last here, at least; 0 where the lock does not say.
std::uint64_t noted_generation(int lock);

/// What was saved, and what it is known by.
struct Found {
    SaState state;
    struct stat file{};
    std::array<std::uint8_t, 32> digest{};
};
std::array<std::uint8_t, 32> digest_of(std::string_view text);
std::string read_all(const std::filesystem::path& path, int file);
/// The saved state; none where there is no file. `least_generation`: as the lock says. Throws Failure where the file is
/// older, or not as it was saved.
std::optional<Found> read_state(const std::filesystem::path& path, int directory, std::uint64_t least_generation);

}  // namespace state_files
}  // namespace peerlane::dataplane
