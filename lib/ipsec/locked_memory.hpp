// Where keys are kept: memory that is never swapped out, dumped or given to a child process.
#pragma once

#include <cstddef>
#include <stdexcept>

#include "lib/ipsec/crypto.hpp"

namespace peerlane::ipsec {

/// The kernel refuses to lock what the keys need (mlock(2), RLIMIT_MEMLOCK).
class LockedMemoryError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Room for one key, all zeroes. Control thread only: nothing here is guarded against another. Throws
/// LockedMemoryError, or std::bad_alloc if there is no memory at all.
Key* take_key_room();
/// Wipes a room and keeps it for the next key. Control thread.
void release_key_room(Key* key) noexcept;

/// What `keys` keys at a time lock of memory, octets. Freed rooms are reused, memory once locked stays so.
std::size_t locked_octets(std::size_t keys) noexcept;

/// From now on keys may also lie in memory that cannot be locked. For programs that meet no live traffic; once at their
/// start. Memory is locked where it can be nevertheless.
void allow_unlocked() noexcept;

}  // namespace peerlane::ipsec
