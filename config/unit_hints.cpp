#include "config/unit_hints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "config/units.hpp"

namespace peerlane::config {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

/// The number with a point: "1,5" is 1.5; "1 000", "1_000" and "1'000" are 1000. "1,000" may be either: nothing.
std::optional<std::string> plain_number(std::string_view text) {
    std::string number;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c >= '0' && c <= '9') {
            number += c;
        } else if (c == '.' || c == ',') {
            const bool thousands = c == ',' && text.size() - i == 4;
            if (thousands || number.contains('.') || number.empty()) return std::nullopt;
            number += '.';
        } else if (c != ' ' && c != '_' && c != '\'') {
            return std::nullopt;
        }
    }
    if (number.empty() || number.ends_with('.')) return std::nullopt;
    return number;
}

struct Scale {
    char letter;
    std::string_view rate, bytes;
};
constexpr std::array<Scale, 5> kScales{
    {{0, "bps", "B"}, {'k', "kbps", "kB"}, {'m', "Mbps", "MB"}, {'g', "Gbps", "GB"}, {'t', "", "TB"}}};

/// Takes off the letter of a scale in front: k, M, G, T, large or small.
const Scale& take_scale(std::string& unit) {
    for (const Scale& scale : kScales)
        if (scale.letter != 0 && unit.starts_with(scale.letter)) {
            unit.erase(0, 1);
            return scale;
        }
    return kScales[0];
}

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

constexpr std::array<std::string_view, 12> kBits{"b",     "bit",    "bits",  "bps",           "bitps", "b/s",
                                                 "bit/s", "bits/s", "bps/s", "bitspersecond", "b/sec", "bit/sec"};

std::string meant_rate(const std::string& number, std::string_view written) {
    std::string unit = lowered(written);
    // Mb and MB are different things to those who write both.
    const bool octets = written.contains('B') && !unit.contains("bit");
    for (const std::string_view name : {"mega", "giga", "kilo"})
        if (unit.starts_with(name)) unit.erase(1, name.size() - 1);
    const Scale& scale = take_scale(unit);
    if (scale.rate.empty()) return {};
    const bool per_second = unit.ends_with("ps") || unit.contains('/');
    const bool shouted = written.contains('P') || written.contains('S');  // MBPS may be either
    if (octets && !unit.empty() && (shouted || !(per_second || unit.starts_with("byte")))) return {};
    if (octets && !unit.empty()) {
        const auto bits = parse_quantity(fmt::format("{} {}", number, scale.rate), rate_units());
        return bits && *bits <= ~std::uint64_t{0} / 8 ? rate_text(BitsPerSecond{*bits * 8}) : "";
    }
    if (!unit.empty() && !is_one_of(unit, kBits)) return {};
    return unit.empty() && scale.letter == 0 ? "" : fmt::format("{} {}", number, scale.rate);
}

std::string meant_bytes(const std::string& number, std::string_view written) {
    std::string unit = lowered(written);
    for (const std::string_view name : {"mega", "giga", "kilo", "tera"})
        if (unit.starts_with(name)) unit.erase(1, name.size() - 1);
    if (unit == "octets" || unit == "octet") unit = "b";
    const Scale& scale = take_scale(unit);
    if (unit == "ib" && scale.letter != 0) {  // in 1024s
        auto amount = parse_quantity(number + " B", byte_units());
        for (const Scale* each = &kScales[0]; amount && each != &scale; ++each) {
            if (*amount > ~std::uint64_t{0} / 1024) return {};
            *amount *= 1024;
        }
        return amount ? bytes_text(Bytes{*amount}) : "";
    }
    if (!unit.empty() && unit != "b" && unit != "byte" && unit != "bytes") return {};
    return unit.empty() && scale.letter == 0 ? "" : fmt::format("{} {}", number, scale.bytes);
}

std::string meant_time(const std::string& number, std::string_view written) {
    struct Name {
        std::string_view text, unit;
    };
    constexpr Name kNames[] = {{"nsec", "ns"},        {"nanoseconds", "ns"},
                               {"usec", "us"},        {"µs", "us"},
                               {"μs", "us"},          {"microseconds", "us"},
                               {"msec", "ms"},        {"msecs", "ms"},
                               {"millisecond", "ms"}, {"milliseconds", "ms"},
                               {"sec", "s"},          {"secs", "s"},
                               {"second", "s"},       {"seconds", "s"},
                               {"m", "min"},          {"mins", "min"},
                               {"minute", "min"},     {"minutes", "min"},
                               {"hr", "h"},           {"hrs", "h"},
                               {"hour", "h"},         {"hours", "h"},
                               {"ns", "ns"},          {"us", "us"},
                               {"ms", "ms"},          {"s", "s"},
                               {"min", "min"},        {"h", "h"}};
    const std::string unit = lowered(written);
    for (const auto& [text, name] : kNames)
        if (unit == text) return fmt::format("{} {}", number, name);
    if (unit == "d" || unit == "day" || unit == "days") {
        const auto hours = parse_quantity(number + " h", time_units());
        constexpr std::uint64_t kHour = 3'600'000'000'000;
        return hours && *hours <= ~std::uint64_t{0} / 24 && *hours % kHour == 0
                   ? fmt::format("{} h", *hours / kHour * 24)
                   : "";
    }
    return {};
}

}  // namespace

std::string meant_quantity(std::string_view text, Quantity quantity) {
    const auto end = text.find_last_of("0123456789");
    if (end > 20) return {};  // or there is none, npos
    const auto number = plain_number(text.substr(0, end + 1));
    if (!number) return {};
    std::string_view unit = text.substr(end + 1);
    while (unit.starts_with(' ')) unit.remove_prefix(1);
    while (unit.ends_with(' ') || unit.ends_with('.')) unit.remove_suffix(1);
    if (unit.empty() || unit.contains(' ')) return {};
    switch (quantity) {
        case Quantity::rate:
            return meant_rate(*number, unit);
        case Quantity::bytes:
            return meant_bytes(*number, unit);
        case Quantity::time:
            break;
    }
    return meant_time(*number, unit);
}

}  // namespace peerlane::config
