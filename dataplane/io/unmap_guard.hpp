// Memory that a driver shares with a peer stays mapped until no worker reads it any more.
#pragma once

#include "dataplane/io/publication.hpp"

namespace peerlane::dataplane {

/// When a memif peer goes, DPDK 22.11 marks the port as not connected and at once unmaps the rings, on its interrupt
/// thread, while a worker may be inside a receive or transmit call on them. As long as there is a guard, munmap() on a
/// thread that DPDK gave no lcore waits first until every worker has come to the end of what it was doing; the next
/// call finds the port not connected. One at a time; it outlives the workers. Control thread.
class UnmapGuard {
  public:
    explicit UnmapGuard(const Publication& readers) noexcept;
    ~UnmapGuard();
    UnmapGuard(const UnmapGuard&) = delete;
    UnmapGuard& operator=(const UnmapGuard&) = delete;
    UnmapGuard(UnmapGuard&&) = delete;
    UnmapGuard& operator=(UnmapGuard&&) = delete;
};

}  // namespace peerlane::dataplane
