// Says when a customer's router uses other TPIDs than the edge sends to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// Control thread.
class TpidWatch {
  public:
    static constexpr Nanoseconds kInterval = 1'000'000'000;
    static constexpr unsigned kLinesAtOnce = 8;  // links named one by one in one look

    /// Looks once an interval. `say` is called with one line for each link on which other TPIDs than those that are
    /// sent were heard for the first time, or others than before.
    void look(const Snapshot& snapshot, const State& state, Nanoseconds now,
              const std::function<void(const std::string& line)>& say);

  private:
    /// What was said of an attachment.
    struct Said {
        std::uint64_t mark = 0;  // PeeringInfo::mark
        std::uint32_t heard = 0;
        std::uint64_t frames = 0;
    };
    std::unordered_map<std::uint32_t, Said> said_;
    std::uint64_t frames_ = 0;  // mismatches of all workers, at the last look
    Nanoseconds looked_ = 0;
};

}  // namespace peerlane::dataplane
