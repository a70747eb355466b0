// What a worker does all day.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/io/clock.hpp"
#include "dataplane/io/handover.hpp"
#include "dataplane/io/local_rings.hpp"
#include "dataplane/io/publication.hpp"
#include "dataplane/io/transmit.hpp"
#include "dataplane/pipeline/worker.hpp"

namespace peerlane::dataplane {

/// A receive queue that one worker polls.
struct Inlet {
    const DeviceNumber* device = nullptr;
    std::uint16_t queue = 0;
    std::uint8_t port = 0;
    bool vouches = false;     // the device verifies IPv4 checksums
    bool strips = false;      // the device may take off outer tags
    bool unfinished = false;  // Linux leaves checksums and segmentation to the device, which is the edge
};

struct WorkerSetup {
    unsigned index = 0;
    bool sleeps = false;  // without packets: naps of up to 1 ms, else it spins
    std::vector<Inlet> inlets{};
    std::vector<Outlet> outlets{};     // by port
    std::vector<SharedRing*> rings{};  // by worker, its own among them; empty: it is the only one
    LocalWay local{};
};

/// Each inlet once: receive, run, transmit, count. Returns the packets received. `worker.snapshot` is set.
std::uint32_t poll_inlets(Worker& worker, const WorkerSetup& setup, const TscClock& clock) noexcept;
/// The same for what other workers handed over. `handed` is the worker's own.
std::uint32_t poll_handed(Worker& worker, const WorkerSetup& setup, Handed& handed, const TscClock& clock) noexcept;
/// The same for what control gave back, and frames that it made.
std::uint32_t poll_control(Worker& worker, const WorkerSetup& setup, FromControl& from, const TscClock& clock) noexcept;

/// Until `stop`, and then until the queues are empty (or 64 bursts from each). Any thread, `setup.index` its own.
void worker_loop(Worker& worker, const WorkerSetup& setup, Publication& publication, const TscClock& clock,
                 const std::atomic<bool>& stop) noexcept;

}  // namespace peerlane::dataplane
