// The input of a fuzz target: bytes that are read as choices. Behind the end every choice is 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace peerlane::fuzz {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return rest_.size(); }
    std::uint8_t byte() noexcept {
        if (rest_.empty()) { return 0; }
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t two() noexcept {
        const auto high = byte();
        return static_cast<std::uint16_t>(high << 8U | byte());
    }
    /// 0 .. count - 1; count is at most 256.
    unsigned below(unsigned count) noexcept { return byte() % count; }
    bool one_in(unsigned count) noexcept { return below(count) == 0; }
    /// Up to `count` bytes.
    std::span<const std::uint8_t> take(std::size_t count) noexcept {
        const auto taken = rest_.first(std::min(count, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

  private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace peerlane::fuzz
