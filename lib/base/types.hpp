// Strong types for the numbers that must not be confused with one another.
#pragma once

#include <cstdint>
#include <type_traits>

namespace peerlane {

/// The two ways through the edge. Every table, counter and bucket says which one it is for.
enum class Direction : std::uint8_t { to_cloud = 0, to_customer = 1 };
inline constexpr unsigned kDirections = 2;

/// One half of a circuit (docs/architecture.md, "Words").
enum class Link : std::uint8_t { primary = 0, secondary = 1 };
inline constexpr unsigned kLinks = 2;

/// The 32-bit key of RFC 2890 §2.1, host byte order. Key 0 is a valid key; "no key" is the absence of a GreKey.
enum class GreKey : std::uint32_t {};

/// Bits per second, 1 .. 400'000'000'000.
enum class BitsPerSecond : std::uint64_t {};

/// An octet count.
enum class Bytes : std::uint64_t {};

/// Nanoseconds; only ever an input (see Burst::now), monotone.
using Nanoseconds = std::uint64_t;

/// The number under a strong type.
template <class Strong>
constexpr auto raw(Strong value) noexcept {
    return static_cast<std::underlying_type_t<Strong>>(value);
}

}  // namespace peerlane
