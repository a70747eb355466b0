// Key material on its way from the file to the data plane: never shown, wiped when let go.
#pragma once

#include <string.h>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace peerlane::config {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::vector<std::uint8_t> octets) : octets_(std::move(octets)) {}
    ~Secret() { wipe(); }
    Secret(const Secret& other) = default;
    Secret(Secret&& other) noexcept : octets_(std::exchange(other.octets_, {})) {}
    Secret& operator=(Secret other) noexcept {
        octets_.swap(other.octets_);
        return *this;
    }

    [[nodiscard]] std::span<const std::uint8_t> octets() const noexcept { return octets_; }
    [[nodiscard]] bool empty() const noexcept { return octets_.empty(); }

  private:
    void wipe() noexcept {
        if (!octets_.empty()) { explicit_bzero(octets_.data(), octets_.size()); }
    }
    std::vector<std::uint8_t> octets_;
};

}  // namespace peerlane::config
