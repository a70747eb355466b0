// A disk that fails, or loses what was not written through, where a target says so. disk.cpp puts its own functions in
// the place of the C library's fsync(), syncfs(), renameat(), statfs() and nanosleep().
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "tests/unit/own_directory.hpp"

namespace peerlane::fuzz {

struct Disk {
    /// Of the calls to come: how many succeed, and how many fail behind those.
    unsigned good = 0, bad = 0;
    /// What is surely on disk of sa-state, and what a loss of power may leave instead.
    std::string durable, perhaps;
    bool any = false;  // it has been renamed into place at least once
    bool file_synced = false;

    void heal() noexcept { good = bad = 0; }
    void fail(unsigned after, unsigned times) noexcept {
        good = after;
        bad = times;
    }
    /// Forgets everything, for another directory.
    void begin() { *this = {}; }
};
Disk& disk() noexcept;

/// Where a target's files lie: in memory, as the disk is what Disk says. statfs() calls it a disk.
inline test::OwnDirectory fast_directory(const std::string& name) {
    std::error_code none;
    if (std::filesystem::is_directory("/dev/shm", none)) { setenv("TMPDIR", "/dev/shm", 0); }
    return test::OwnDirectory(name);
}

/// What happens while somebody sleeps; empty: nothing but time.
std::function<void()>& while_asleep() noexcept;

}  // namespace peerlane::fuzz
