// One burst through the pipeline of its direction.
#pragma once

#include "dataplane/pipeline/finish.hpp"
#include "dataplane/pipeline/to_cloud.hpp"
#include "dataplane/pipeline/to_customer.hpp"

namespace peerlane::dataplane {

/// worker.burst.mbuf[0 .. count) came in by `port` at `now` (nanoseconds, never less than before). Afterwards every
/// slot of worker.burst, worker.replies and worker.pieces has its fate; the caller transmits those sent and then calls
/// finish_all().
/// `kind`: received, or released (all of them packets that waited).
template <class Observer>
void run(Worker& worker, std::uint8_t port, Nanoseconds now, std::uint32_t count, Observer& observe,
         Burst::Kind kind = Burst::Kind::received) {
    const bool access = worker.snapshot->ports[port].access;
    worker.burst.begin(now, port, access ? Direction::to_cloud : Direction::to_customer, count, kind);
    if (access) {
        run_to_cloud(worker, worker.burst, observe);
    } else {
        run_to_customer(worker, worker.burst, observe);
    }
}

/// The production instance, compiled once.
void run(Worker& worker, std::uint8_t port, Nanoseconds now, std::uint32_t count,
         Burst::Kind kind = Burst::Kind::received) noexcept;

}  // namespace peerlane::dataplane
