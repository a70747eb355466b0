#include "config/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace peerlane::config {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::array<Unit, 4> kRate{{{"bps", 1}, {"kbps", 1'000}, {"Mbps", 1'000'000}, {"Gbps", 1'000'000'000}}};
constexpr std::array<Unit, 5> kBytes{
    {{"B", 1}, {"kB", 1'000}, {"MB", 1'000'000}, {"GB", 1'000'000'000}, {"TB", 1'000'000'000'000}}};
constexpr std::array<Unit, 6> kTime{{{"ns", 1},
                                     {"us", 1'000},
                                     {"ms", 1'000'000},
                                     {"s", 1'000'000'000},
                                     {"min", 60'000'000'000},
                                     {"h", 3'600'000'000'000}}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
    const std::string_view digits = text.substr(0, std::ranges::find_if_not(text, is_digit) - text.begin());
    text.remove_prefix(digits.size());
    return digits;
}

std::string in_units(std::uint64_t value, std::span<const Unit> units) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < units.size(); ++i)
        if (value != 0 && value % units[i].factor == 0) best = i;
    return fmt::format("{} {}", value / units[best].factor, units[best].name);
}

}  // namespace

std::span<const Unit> rate_units() {
    return kRate;
}
std::span<const Unit> byte_units() {
    return kBytes;
}
std::span<const Unit> time_units() {
    return kTime;
}

std::expected<std::uint64_t, QuantityError> parse_quantity(std::string_view text, std::span<const Unit> units) {
    const std::string_view whole = take_digits(text);
    if (whole.empty()) return std::unexpected(QuantityError::no_number);
    std::string_view fraction;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = take_digits(text);
        if (fraction.empty()) return std::unexpected(QuantityError::no_number);
    }
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.empty()) return std::unexpected(QuantityError::no_unit);
    const auto unit = std::ranges::find(units, text, &Unit::name);
    if (unit == units.end()) return std::unexpected(QuantityError::unknown_unit);

    // Each digit after the point is worth a tenth of the one before it, until a tenth is no whole number any more.
    Wide value = 0;
    for (const char digit : whole) {
        value = value * 10 + static_cast<unsigned>(digit - '0');
        if (value > kMost) return std::unexpected(QuantityError::too_large);
    }
    value *= unit->factor;
    Wide worth = unit->factor;
    for (const char digit : fraction) {
        if ((worth % 10 != 0 || worth == 0) && digit != '0') return std::unexpected(QuantityError::not_whole);
        worth /= 10;
        value += worth * static_cast<unsigned>(digit - '0');
    }
    if (value > kMost) return std::unexpected(QuantityError::too_large);
    return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> parse_integer(std::string_view text) {
    int base = 10;
    if (text.starts_with("0x")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text.starts_with('0')) {
        return std::nullopt;  // octal to some readers of YAML, decimal to others
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string rate_text(BitsPerSecond rate) {
    return in_units(raw(rate), kRate);
}
std::string bytes_text(Bytes bytes) {
    return in_units(raw(bytes), kBytes);
}

std::string time_text(Nanoseconds time) {
    return in_units(time, kTime);
}

Bytes bytes_in(BitsPerSecond rate, Nanoseconds time) {
    constexpr Wide kPerByte = Wide{8} * 1'000'000'000;
    const Wide bytes = (Wide{raw(rate)} * time + kPerByte - 1) / kPerByte;
    return Bytes{bytes > kMost ? kMost : static_cast<std::uint64_t>(bytes)};
}

}  // namespace peerlane::config
