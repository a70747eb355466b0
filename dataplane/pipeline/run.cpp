#include "dataplane/pipeline/run.hpp"

namespace peerlane::dataplane {

void run(Worker& worker, std::uint8_t port, Nanoseconds now, std::uint32_t count) noexcept {
    NoObserver nobody;
    run(worker, port, now, count, nobody);
}

}  // namespace peerlane::dataplane
