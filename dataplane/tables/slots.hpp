// Slot numbers by stable identity: the same thing keeps its slot, and with it its counters and bucket, across reloads.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace peerlane::dataplane {

/// Control thread only. A generation is one compilation. What it takes is a claim until commit(): a generation that is
/// not committed leaves nothing behind, neither slots taken nor slots counted as initialised. A slot that is let go
/// comes back when a further generation has been committed without it, so that no snapshot names it any more.
class Slots {
  public:
    explicit Slots(std::size_t capacity) : capacity_(capacity) {}

    struct Taken {
        std::uint32_t slot;
        bool fresh;  // no committed generation has it: what is in the slot is another's, and starts anew
    };

    /// The slot of `identity` in the generation being built. Throws std::length_error when all are taken.
    Taken take(const std::string& identity) {
        if (const auto found = slots_.find(identity); found != slots_.end()) {
            found->second.generation = generation_;
            return {found->second.slot, !found->second.committed};
        }
        std::uint32_t slot = next_;
        if (!free_.empty() && free_.front().from <= commits_) {
            slot = free_.front().slot;
            free_.pop_front();
        } else if (next_ == capacity_) {
            throw std::length_error("more than " + std::to_string(capacity_) + " in one edge: " + identity);
        } else {
            ++next_;
        }
        slots_.emplace(identity, Entry{slot, generation_, false});
        return {slot, true};
    }

    /// The slot of `identity`, if it has one: by the last committed generation or by the one being built.
    [[nodiscard]] std::optional<std::uint32_t> find(const std::string& identity) const {
        const auto found = slots_.find(identity);
        return found == slots_.end() ? std::nullopt : std::optional(found->second.slot);
    }

    /// Begins a generation. What one before took without being committed was never published: it is free.
    void begin() {
        ++generation_;
        std::erase_if(slots_, [this](const auto& one) {
            if (!one.second.committed) { free_.push_front({one.second.slot, 0}); }
            return !one.second.committed;
        });
    }

    /// The generation was published, and no worker reads the one before: what it did not take is let go.
    void commit() {
        ++commits_;
        std::erase_if(slots_, [this](const auto& one) {
            if (one.second.generation == generation_) { return false; }
            free_.push_back({one.second.slot, commits_ + 1});
            return true;
        });
        for (auto& [identity, entry] : slots_) { entry.committed = true; }
    }

    /// One more than the highest slot ever taken.
    [[nodiscard]] std::uint32_t end() const noexcept { return next_; }

  private:
    struct Entry {
        std::uint32_t slot;
        std::uint64_t generation;
        bool committed;
    };
    struct Free {
        std::uint32_t slot;
        std::uint64_t from;  // the commits it takes until it may be used again; 0: it was never published
    };
    std::size_t capacity_;
    std::uint32_t next_ = 0;
    std::uint64_t generation_ = 0;
    std::uint64_t commits_ = 0;
    std::unordered_map<std::string, Entry> slots_;
    std::deque<Free> free_;  // in order of `from`
};

}  // namespace peerlane::dataplane
