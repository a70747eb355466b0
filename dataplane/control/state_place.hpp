// Where the state directory lies: whether somebody else can put another in its place, and whether it outlives the
// machine's restart.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// Whose owners are looked at. Who only checks a configuration need not be the user that the edge will run as.
enum class Owners : std::uint8_t { checked, not_checked };

/// Who else than root and the user of this process can change or replace `directory` (absolute), by its own owner and
/// mode or by those of a directory or link on the way to it. What does not exist yet is not looked at, nor what may not
/// be looked at. A directory with the sticky bit on the way is nobody's but the owner's of what is in it.
std::optional<Failure> open_to_others(const std::filesystem::path& directory, Owners owners = Owners::checked);

/// Whether `user` is neither root nor this process's. In a user namespace, somebody outside of it is nobody to fear: he
/// has no more rights in it than `other` has.
bool is_stranger(uid_t user);

/// Whether `directory`, or what it would be made in, is on tmpfs or ramfs.
bool lies_in_memory(const std::filesystem::path& directory);

/// For keys of counter mode: lies_in_memory() is a failure unless `may_be_volatile`.
std::optional<Failure> forgetful(const std::filesystem::path& directory, bool may_be_volatile);

}  // namespace peerlane::dataplane
