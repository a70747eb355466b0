// The workers of an edge without their threads: each has its turn when a target says so.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tests/fuzz/wires.hpp"

namespace peerlane::fuzz {

class Team {
  public:
    Team(dataplane::State& state, unsigned workers);
    /// What workers have in hand is freed.
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    /// One worker until it has nothing to do.
    void poll(unsigned worker, Nanoseconds now);
    /// visit(buffer) for what waits in the hands of workers, not in rings.
    void each_waiting(const std::function<void(rte_mbuf*)>& visit) const;
    [[nodiscard]] dataplane::Worker& operator[](unsigned worker) const { return parts_[worker]->worker; }
    [[nodiscard]] unsigned size() const noexcept { return static_cast<unsigned>(parts_.size()); }

  private:
    struct Part {
        Part(dataplane::State& all, unsigned index, unsigned count);
        /// What nobody has written yet reads the same in every execution, and like nothing that is right.
        static void* operator new(std::size_t size, std::align_val_t alignment);
        static void operator delete(void* memory, std::align_val_t alignment);
        dataplane::Worker worker;
        dataplane::WorkerSetup setup;
        dataplane::Handed handed;
        dataplane::FromControl from;
    };
    std::vector<std::unique_ptr<Part>> parts_;
};

/// Received + originated = sent + dropped + punted + held, for each worker and port. `fed` frames went in and `waiting`
/// of them have not been looked at; `taken` came out.
void check_conservation(const dataplane::State& state, std::uint64_t fed, std::uint64_t waiting, std::uint64_t taken);

}  // namespace peerlane::fuzz
