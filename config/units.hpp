// Numbers as people write them, read exactly: no floating point anywhere.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/types.hpp"

namespace peerlane::config {

/// A unit and how many of the smallest one it is.
struct Unit {
    std::string_view name;
    std::uint64_t factor = 1;
};

std::span<const Unit> rate_units();  // of bits per second: bps kbps Mbps Gbps
std::span<const Unit> byte_units();  // of octets: B kB MB GB TB, in thousands
std::span<const Unit> time_units();  // of nanoseconds: ns us ms s min h

enum class QuantityError : std::uint8_t {
    no_number,
    no_unit,
    unknown_unit,
    not_whole,  // not a whole number of the smallest unit
    too_large   // more than 64 bits
};

/// "1.5 Gbps" and the like: a decimal number, spaces or none, one of the units; in the smallest unit.
std::expected<std::uint64_t, QuantityError> parse_quantity(std::string_view text, std::span<const Unit> units);

/// A whole number, decimal without leading zeros or hexadecimal after 0x; nullopt for anything else or more than 64
/// bits.
std::optional<std::uint64_t> parse_integer(std::string_view text);

/// In the largest unit that needs no fraction: "50 Mbps", "2500 kB".
std::string rate_text(BitsPerSecond rate);
std::string bytes_text(Bytes bytes);
std::string time_text(Nanoseconds time);

/// What passes in `time` nanoseconds at that rate, rounded up to whole octets; 2^64 - 1 if that is too large.
Bytes bytes_in(BitsPerSecond rate, Nanoseconds time);

}  // namespace peerlane::config
