#include "tests/fuzz/team.hpp"

#include <cstring>
#include <new>

#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {

using namespace dataplane;

Team::Part::Part(State& all, unsigned index, unsigned count)
    : worker(all, *all.workers[index], Wires::get().pool, table::best_kernels(), kFixedIvSeed),
      setup(Wires::get().setup(index, count)),
      handed(),
      from() {
    worker.alone = count == 1;
    worker.index = index;
}

void* Team::Part::operator new(std::size_t size, std::align_val_t alignment) {
    void* memory = ::operator new(size, alignment);
    std::memset(memory, 0xa5, size);
    asm volatile("" ::"r"(memory) : "memory");  // or the compiler leaves it out before a constructor
    return memory;
}

void Team::Part::operator delete(void* memory, std::align_val_t alignment) {
    ::operator delete(memory, alignment);
}

Team::Team(State& state, unsigned workers) {
    for (unsigned i = 0; i < workers; ++i) { parts_.push_back(std::make_unique<Part>(state, i, workers)); }
}

Team::~Team() {
    each_waiting([](rte_mbuf* mbuf) { rte_pktmbuf_free(mbuf); });
}

void Team::poll(unsigned index, Nanoseconds now) {
    Part& part = *parts_[index];
    const auto clock = clock_at(now);
    unsigned rounds = 0;
    while (poll_control(part.worker, part.setup, part.from, clock) + poll_inlets(part.worker, part.setup, clock) +
               poll_handed(part.worker, part.setup, part.handed, clock) !=
           0) {
        require(++rounds < 10'000, "worker {} is never done", index);
    }
}

void Team::each_waiting(const std::function<void(rte_mbuf*)>& visit) const {
    for (const auto& part : parts_) {
        for (auto i = part->handed.first; i < part->handed.end; ++i) { visit(part->handed.waiting[i]); }
        for (auto i = part->from.first; i < part->from.end; ++i) { visit(part->from.waiting[i]); }
    }
}

void check_conservation(const State& state, std::uint64_t fed, std::uint64_t waiting, std::uint64_t taken) {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    std::uint64_t transmitted = 0;
    for (const auto& worker : state.workers) {
        for (unsigned port = 0; port < kPorts; ++port) {
            const auto& counts = worker->ports[port];
            require(counts.received + counts.originated == counts.sent + counts.dropped + counts.punted + counts.held,
                    "port {}: received {} + originated {} is not sent {} + dropped {} + punted {} + held {}", port,
                    counts.received, counts.originated, counts.sent, counts.dropped, counts.punted, counts.held);
            received += counts.received;
            sent += counts.sent;
            transmitted += counts.transmitted;
        }
    }
    require(received + waiting == fed, "{} frames went in, {} were received and {} wait", fed, received, waiting);
    require(sent == taken && transmitted == taken, "{} frames came out; sent says {}, transmitted {}", taken, sent,
            transmitted);
}

}  // namespace peerlane::fuzz
