#include "lib/ipsec/locked_memory.hpp"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <new>
#include <string>
#include <vector>

namespace peerlane::ipsec {
namespace {

// A chunk is what one huge page covers, so that the keys of many SAs need few entries of the TLB.
constexpr std::size_t kChunk = std::size_t{2} << 20U;
// An odd number of cache lines from key to key, or the same part of all keys would share few sets of the caches.
constexpr std::size_t kRoom = sizeof(Key) + 64;
constexpr std::size_t kRooms = kChunk / kRoom;

bool unlocked_allowed = false;
std::size_t chunks = 0;

/// Never destroyed: keys may outlive every static object.
std::vector<Key*>& spare_rooms() {
    static auto& rooms = *new std::vector<Key*>;
    return rooms;
}

std::string refusal(int error) {
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    const auto allowed =
        limit.rlim_cur == RLIM_INFINITY ? std::string("without limit") : std::to_string(limit.rlim_cur) + " octets";
    return "cannot lock memory for keys: " + std::to_string((chunks + 1) * kChunk) +
           " octets are needed, RLIMIT_MEMLOCK allows " + allowed + ": " + strerror(error);
}

/// Maps, locks and shares out one more chunk.
void add_chunk() {
    auto& rooms = spare_rooms();
    rooms.reserve((chunks + 1) * kRooms);
    // Twice as much address space as wanted always has an aligned chunk inside.
    void* mapped =
        mmap(nullptr, 2 * kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) { throw std::bad_alloc(); }
    auto* start = static_cast<std::uint8_t*>(mapped);
    const std::size_t before = -reinterpret_cast<std::uintptr_t>(start) & (kChunk - 1);
    std::uint8_t* chunk = start + before;
    if (before != 0) { munmap(start, before); }
    if (before != kChunk) { munmap(chunk + kChunk, kChunk - before); }

    madvise(chunk, kChunk, MADV_HUGEPAGE);
    // A child process has no use for keys; one that tried to encrypt would rather crash than do so under zeroes.
    const bool hidden = madvise(chunk, kChunk, MADV_DONTDUMP) == 0 && madvise(chunk, kChunk, MADV_DONTFORK) == 0;
    if ((!hidden || mlock2(chunk, kChunk, 0) != 0) && !unlocked_allowed) {
        const auto why = refusal(errno);
        munmap(chunk, kChunk);
        throw LockedMemoryError(why);
    }
    ++chunks;
    for (std::size_t i = kRooms; i-- > 0;) { rooms.push_back(reinterpret_cast<Key*>(chunk + i * kRoom)); }
}

}  // namespace

Key* take_key_room() {
    auto& rooms = spare_rooms();
    if (rooms.empty()) { add_chunk(); }
    Key* key = rooms.back();
    rooms.pop_back();
    return key;
}

void release_key_room(Key* key) noexcept {
    explicit_bzero(key, sizeof(Key));
    spare_rooms().push_back(key);  // has room for every key there is
}

std::size_t locked_octets(std::size_t keys) noexcept {
    return (keys + kRooms - 1) / kRooms * kChunk;
}

void allow_unlocked() noexcept {
    unlocked_allowed = true;
}

}  // namespace peerlane::ipsec
