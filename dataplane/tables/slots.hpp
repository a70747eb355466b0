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

/// Control thread only. A slot that is let go comes back after `grace` further generations, when no snapshot names it
/// any more.
class Slots {
  public:
    explicit Slots(std::size_t capacity) : capacity_(capacity) {}

    struct Taken {
        std::uint32_t slot;
        bool fresh;  // nobody had it in the generation before: its counters and buckets start anew
    };

    /// The slot of `identity` in the generation being built. Throws std::length_error when all are taken.
    Taken take(const std::string& identity) {
        if (const auto found = slots_.find(identity); found != slots_.end()) {
            found->second.generation = generation_;
            return {found->second.slot, false};
        }
        std::uint32_t slot = next_;
        if (!free_.empty() && free_.front().since + kGrace <= generation_) {
            slot = free_.front().slot;
            free_.pop_front();
        } else if (next_ == capacity_) {
            throw std::length_error("more than " + std::to_string(capacity_) + " in one edge: " + identity);
        } else {
            ++next_;
        }
        slots_.emplace(identity, Entry{slot, generation_});
        return {slot, true};
    }

    /// The slot of `identity`, if it has one.
    [[nodiscard]] std::optional<std::uint32_t> find(const std::string& identity) const {
        const auto found = slots_.find(identity);
        return found == slots_.end() ? std::nullopt : std::optional(found->second.slot);
    }

    /// Begins a generation: a compilation. Abandoned ones take nothing away.
    void begin() { ++generation_; }

    /// The generation was published: what it did not take is let go.
    void commit() {
        for (auto it = slots_.begin(); it != slots_.end();) {
            if (it->second.generation == generation_) {
                ++it;
                continue;
            }
            free_.push_back({it->second.slot, generation_});
            it = slots_.erase(it);
        }
    }

    /// One more than the highest slot ever taken.
    [[nodiscard]] std::uint32_t end() const noexcept { return next_; }

  private:
    static constexpr std::uint64_t kGrace = 2;
    struct Entry {
        std::uint32_t slot;
        std::uint64_t generation;
    };
    struct Free {
        std::uint32_t slot;
        std::uint64_t since;
    };
    std::size_t capacity_;
    std::uint32_t next_ = 0;
    std::uint64_t generation_ = 0;
    std::unordered_map<std::string, Entry> slots_;
    std::deque<Free> free_;
};

}  // namespace peerlane::dataplane
