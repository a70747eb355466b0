// Numbers that one thread writes and others read: relaxed loads and stores, which are plain moves on x86.
#pragma once

#include <atomic>
#include <cstdint>

namespace peerlane {

/// Any thread.
inline std::uint64_t relaxed(const std::uint64_t& cell) noexcept {
    return std::atomic_ref<std::uint64_t>(const_cast<std::uint64_t&>(cell)).load(std::memory_order_relaxed);
}
/// The one writer.
inline void set_relaxed(std::uint64_t& cell, std::uint64_t value) noexcept {
    std::atomic_ref<std::uint64_t>(cell).store(value, std::memory_order_relaxed);
}

}  // namespace peerlane
