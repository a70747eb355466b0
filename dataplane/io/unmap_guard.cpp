#include "dataplane/io/unmap_guard.hpp"

#include <rte_lcore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <mutex>

namespace peerlane::dataplane {
namespace {

constinit std::mutex g_mutex;
constinit const Publication* g_readers = nullptr;

/// Lcores are control and workers: they neither wait for themselves nor unmap what a worker reads.
void wait_for_readers() {
    if (rte_lcore_id() != LCORE_ID_ANY) { return; }
    const std::scoped_lock lock(g_mutex);
    if (g_readers != nullptr) { g_readers->wait_for_quiet(); }
}

}  // namespace

UnmapGuard::UnmapGuard(const Publication& readers) noexcept {
    const std::scoped_lock lock(g_mutex);
    g_readers = &readers;
}

UnmapGuard::~UnmapGuard() {
    const std::scoped_lock lock(g_mutex);
    g_readers = nullptr;
}

}  // namespace peerlane::dataplane

/// In place of the C library's, for DPDK's libraries too: they look for it in the program first. glibc itself does not.
extern "C" int munmap(void* address, std::size_t length) noexcept {
    peerlane::dataplane::wait_for_readers();
    return static_cast<int>(syscall(SYS_munmap, address, length));
}
