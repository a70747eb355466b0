// Key material on its way from the file to the data plane, and the text it came in: never shown, wiped when let go.
#pragma once

#include <string.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
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

/// Wipes what it takes back, also when a container grows out of its memory.
template <class T>
struct WipingAllocator {
    using value_type = T;
    WipingAllocator() = default;
    template <class U>
    explicit(false) WipingAllocator(const WipingAllocator<U>&) noexcept {}  // as containers need it

    [[nodiscard]] T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
    void deallocate(T* memory, std::size_t count) noexcept {
        explicit_bzero(memory, count * sizeof(T));
        std::allocator<T>{}.deallocate(memory, count);
    }
    template <class U>
    bool operator==(const WipingAllocator<U>&) const noexcept {
        return true;
    }
};

/// Text that may hold keys.
using WipedText = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

}  // namespace peerlane::config
