// "A nonce is used once", across crashes and restarts: the state directory of one edge.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/control/elapsed.hpp"
#include "dataplane/control/state_files.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/tables/sa_memory.hpp"

namespace peerlane::dataplane {

/// One file with what every key has used (sa_state_text.hpp), and a lock that keeps a second edge off it. The lock is
/// the kernel's (flock), on the file itself whatever the path to it, so that it ends with the process, however that
/// ends. The lock also says which saving was the last: an older file that is put back is known by it. Control thread.
class SaStore {
  public:
    /// Opens `directory` (mode 0700 where it has to be made), takes the lock and reads the file. A directory in which
    /// no edge has ever been is a first start: the memory is empty, and saved as such. What passed since the file was
    /// saved (elapsed.hpp) is added to every age. Throws Failure: no directory, one that others can change
    /// (state_place.hpp), another edge, a file that is gone, unreadable, an older one or not exactly as it was saved.
    explicit SaStore(const std::filesystem::path& directory, Clocks clocks = {});

    /// Of the directory, absolute.
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// What the file said at start, ages as of then.
    [[nodiscard]] const SaMemory& loaded() const noexcept { return loaded_; }

    /// What is to be said of the clocks since this was asked last; empty: nothing. When the wall clock is set, the time
    /// that passed before the start is reckoned again, if it rests on that: `older` is how much older keys in loaded()
    /// are than was thought (modulo 2^64: or younger).
    struct ClockEvent {
        std::string what;
        Nanoseconds older = 0;
    };
    ClockEvent look_at_clocks();

    /// Makes `memory` the file's content: on disk when it returns. Throws Failure where that cannot be had; the file is
    /// then whole, with the content it had before (or the new one, if only its name may not be on disk yet: nothing of
    /// that is to be used), and saving may be tried again. Throws std::logic_error, and saves nothing, where a record
    /// is missing or its sequence is below what this store loaded or saved: numbers would be used again. Returns false
    /// where the file was not any more as this store had left it: somebody has moved it away, or written to it.
    bool save(const SaMemory& memory);

    /// Nobody sends under `key` any more and `used` is the last number that was: what was reserved beyond it may be
    /// saved as unused; but never what was loaded, for that is an earlier run's.
    void give_back(const SaKey& key, std::uint64_t used);

    /// What would keep the constructor from succeeding, as far as that can be told without changing anything; a running
    /// edge that holds the lock is such a thing. For the preflight.
    static std::optional<Failure> obstacle(const std::filesystem::path& directory);

  private:
    void check_still_ours() const;
    void check_forward(const SaMemory& memory) const;
    [[nodiscard]] bool is_as_left() const;
    void first_start();
    void load(std::uint64_t least_generation);
    void write(const std::string& text);
    void remember(const SaMemory& memory);
    [[nodiscard]] Moment moment() const;

    std::filesystem::path path_;  // of the directory, absolute
    Clocks clocks_;
    FileHandle directory_;
    FileHandle lock_;
    SaMemory loaded_;
    Moment saved_before_;           // when the file was saved that was loaded
    Moment started_;                // by the wall clock as it has been set since
    Elapsed between_;               // the two
    Nanoseconds offset_ = 0;        // of the wall clock to the machine's count, when it was looked at last
    std::uint64_t generation_ = 0;  // of the file
    bool noted_ = false;            // in the lock
    struct stat left_{};            // the file as it was left
    std::array<std::uint8_t, 32> left_digest_{};
    std::vector<std::pair<SaKey, std::uint64_t>> used_;  // by key, in order: below this no sequence may be saved
};

}  // namespace peerlane::dataplane
