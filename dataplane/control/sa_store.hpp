// "A nonce is used once", across crashes and restarts: the state directory of one edge.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/io/failure.hpp"
#include "dataplane/tables/sa_memory.hpp"

namespace peerlane::dataplane {

/// CLOCK_REALTIME in nanoseconds since 1970.
Nanoseconds wall_clock();

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

/// One file with what every key has used (sa_state_text.hpp), and a lock that keeps a second edge off it. The lock is
/// the kernel's (flock), so that it ends with the process, however that ends. Control thread.
class SaStore {
  public:
    /// Opens `directory` (mode 0700 where it has to be made), takes the lock and reads the file. A directory in which
    /// no edge has ever been is a first start: the memory is empty, and saved as such. `now` is the wall clock: what
    /// passed since the file was saved is added to every age, and nothing where the clock went back. Throws Failure:
    /// no directory, another edge, a file that is gone, unreadable or not exactly as it was saved.
    explicit SaStore(const std::filesystem::path& directory, std::function<Nanoseconds()> now = wall_clock);

    /// What the file said at start.
    [[nodiscard]] const SaMemory& loaded() const noexcept { return loaded_; }

    /// Makes `memory` the file's content: on disk when it returns. Throws Failure where that cannot be had; the file is
    /// then whole, with the content it had before (or the new one, if only its name may not be on disk yet: nothing of
    /// that is to be used), and saving may be tried again. Throws std::logic_error, and saves nothing, where a record
    /// is missing or its sequence is below what this store loaded or saved: numbers would be used again.
    void save(const SaMemory& memory);

    /// Nobody sends under `key` any more and `used` is the last number that was: what was reserved beyond it may be
    /// saved as unused; but never what was loaded, for that is an earlier run's.
    void give_back(const SaKey& key, std::uint64_t used);

    /// What would keep the constructor from succeeding, as far as that can be told without changing anything; a running
    /// edge that holds the lock is such a thing. For the preflight.
    static std::optional<Failure> obstacle(const std::filesystem::path& directory);

  private:
    void check_still_ours() const;
    void check_forward(const SaMemory& memory) const;
    void first_start();
    void write(const std::string& text) const;
    void remember(const SaMemory& memory);

    std::filesystem::path path_;  // of the directory, absolute
    std::function<Nanoseconds()> now_;
    FileHandle directory_;
    FileHandle lock_;
    SaMemory loaded_;
    std::vector<std::pair<SaKey, std::uint64_t>> used_;  // by key, in order: below this no sequence may be saved
};

}  // namespace peerlane::dataplane
