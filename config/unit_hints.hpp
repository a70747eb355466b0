// What was meant by a quantity whose unit is written as others write it: 100M, 1 Gbit/s, 20 msec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peerlane::config {

enum class Quantity : std::uint8_t { rate, bytes, time };

/// The same quantity as it is to be written: "100 Mbps", "64 kB", "20 ms"; for bytes a second the rate in bits. Empty
/// where nothing is sure.
std::string meant_quantity(std::string_view text, Quantity quantity);

}  // namespace peerlane::config
