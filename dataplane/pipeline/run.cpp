#include "dataplane/pipeline/run.hpp"

namespace peerlane::dataplane {

void run(Worker& worker, std::uint8_t port, Nanoseconds now, std::uint32_t count, Burst::Kind kind) noexcept {
    NoObserver nobody;
    run(worker, port, now, count, nobody, kind);
}

}  // namespace peerlane::dataplane
