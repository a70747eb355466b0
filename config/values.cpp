#include "config/values.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

#include "config/hints.hpp"
#include "config/key_material.hpp"
#include "config/report.hpp"
#include "config/unit_hints.hpp"
#include "config/units.hpp"
#include "config/values_address.hpp"

namespace peerlane::config {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

Parsed good(Value value) {
    return {value, std::nullopt};
}

Parsed bad(const Field& field, std::string_view text, std::string_view why = "") {
    return {std::nullopt,
            Complaint{fmt::format("{}: {} is not {}{}", field.name, in_quotes(text), type_text(field), why),
                      wanted(field)}};
}

std::vector<std::string_view> texts(std::span<const Word> words) {
    std::vector<std::string_view> result;
    for (const Word& word : words) result.push_back(word.text);
    return result;
}

Parsed parse_choice(const Field& field, std::string_view text) {
    const auto word = std::ranges::find(field.words, text, &Word::text);
    if (word != field.words.end()) return good(word->value);
    return {std::nullopt, Complaint{fmt::format("{}: {} is not {}", field.name, in_quotes(text), type_text(field)),
                                    suggest(text, texts(field.words))}};
}

Parsed parse_whole(const Field& field, std::string_view text, bool plain) {
    const auto word = std::ranges::find(field.words, text, &Word::text);
    if (plain && word != field.words.end()) return good(word->value);
    const auto number = parse_integer(text);
    if (!number) return bad(field, text);
    if (!plain)
        return {*number, Complaint{fmt::format("{}: a number in quotes is a text", field.name),
                                   fmt::format("write {} without quotes", text)}};
    const bool allowed = field.words.empty() ? *number >= field.min && *number <= field.max
                                             : std::ranges::find_if(field.words, [&](const Word& one) {
                                                   return one.value == *number && parse_integer(one.text);
                                               }) != field.words.end();
    return allowed ? good(*number) : bad(field, text);
}

std::string why_not(QuantityError error, std::string_view text, std::span<const Unit> units) {
    const bool digits = text.find_first_of("0123456789") != std::string_view::npos;
    switch (error) {
        case QuantityError::no_number:
            return digits ? "" : " (a number is missing)";
        case QuantityError::no_unit:
            return " (the unit is missing)";
        case QuantityError::unknown_unit:
            return " (no such unit)";
        case QuantityError::not_whole:
            return fmt::format(" (no whole number of {})", units[0].name);
        case QuantityError::too_large:
            break;
    }
    return " (too large)";
}

Parsed parse_amount(const Field& field, std::string_view text, std::span<const Unit> units, std::uint64_t step = 1) {
    const auto amount = parse_quantity(text, units);
    if (!amount) {
        Parsed refused = bad(field, text, why_not(amount.error(), text, units));
        const auto kind = field.type == Type::rate    ? Quantity::rate
                          : field.type == Type::bytes ? Quantity::bytes
                                                      : Quantity::time;
        const std::string meant = meant_quantity(text, kind);
        const auto right = parse_quantity(meant, units);
        if (right && *right % step == 0 && *right / step >= field.min && *right / step <= field.max)
            refused.complaint->remedy = fmt::format("write {}", meant);
        return refused;
    }
    if (*amount % step != 0) return bad(field, text, " (no whole number of ms)");
    if (*amount / step < field.min || *amount / step > field.max) return bad(field, text);
    return good(*amount / step);
}

Parsed parse_burst(const Field& field, std::string_view text) {
    auto as_time = parse_quantity(text, time_units());
    if (as_time && *as_time > 0) return good(BurstValue{*as_time, true});
    const auto octets = parse_quantity(text, byte_units());
    if (octets && *octets > 0 && *octets <= kMaxBurst) return good(BurstValue{*octets, false});
    std::string why;
    if (!octets && octets.error() == QuantityError::not_whole)
        why = " (no whole number of octets)";
    else if (!octets && octets.error() != QuantityError::unknown_unit)
        why = why_not(octets.error(), text, byte_units());
    Parsed refused = bad(field, text, why);
    std::string meant = meant_quantity(text, Quantity::bytes);
    if (meant.empty()) meant = meant_quantity(text, Quantity::time);
    if (!octets && !as_time && !meant.empty() && parse_quantity(meant, byte_units()).value_or(1) <= kMaxBurst)
        refused.complaint->remedy = fmt::format("write {}", meant);
    return refused;
}

/// Says what is wrong, never with what.
Parsed parse_key(const Field& field, std::string_view text) {
    const auto key = parse_hex(text);
    if (key) return good(text);
    return {std::nullopt, Complaint{fmt::format("{}: {}", field.name, key.error()), wanted(field)}};
}

Parsed parse_reference(const Field& field, std::string_view text, const Model& model) {
    const auto port = std::ranges::find(model.ports, text, &Port::name);
    if (port == model.ports.end()) {
        std::vector<std::string_view> known;
        for (const Port& each : model.ports)
            if (each.role == Role::access) known.push_back(each.name);
        return {std::uint64_t{kNoPort},
                Complaint{fmt::format("{}: there is no port {}", field.name, in_quotes(text)), suggest(text, known)}};
    }
    if (port->role == Role::access) return good(static_cast<std::uint64_t>(port - model.ports.begin()));
    return {std::uint64_t{kNoPort}, Complaint{fmt::format("{}: port {} has the role core", field.name, in_quotes(text)),
                                              "name a port with `role: access`"}};
}

}  // namespace

bool looks_null(std::string_view text, bool plain) {
    return plain && (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
}

bool is_name(std::string_view text) {
    const auto alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (text.empty() || text.size() > 63 || !alphanumeric(text.front())) return false;
    return std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string type_text(const Field& field) {
    switch (field.type) {
        case Type::text:
            return "a text";
        case Type::name:
            return std::string(kNameRule);
        case Type::choice:
            return fmt::format("one of {}", fmt::join(texts(field.words), ", "));
        case Type::integer: {
            if (!field.words.empty()) return fmt::format("one of {}", fmt::join(texts(field.words), ", "));
            const std::string range = fmt::format("a whole number from {} to {}", field.min, field.max);
            return field.unset_word.empty() ? range : fmt::format("`{}` or {}", field.unset_word, range);
        }
        case Type::boolean:
            return "true or false";
        case Type::rate:
            return fmt::format("a rate from {} to {}", rate_text(BitsPerSecond{field.min}),
                               rate_text(BitsPerSecond{field.max}));
        case Type::bytes:
            return fmt::format("a size from {} to {}", bytes_text(Bytes{field.min}), bytes_text(Bytes{field.max}));
        case Type::burst:
            return fmt::format("a size up to {} or a time", bytes_text(Bytes{kMaxBurst}));
        case Type::milliseconds:
        case Type::duration:
            return fmt::format("a time from {} to {}", time_text(field.min * kMillisecond),
                               time_text(field.max * kMillisecond));
        case Type::mac:
            return "a unicast Ethernet address";
        case Type::ip:
            return "a unicast IPv4 or IPv6 address";
        case Type::ip4:
            return "a unicast IPv4 address";
        case Type::ip6:
            return "a unicast IPv6 address";
        case Type::interface4:
            return "an IPv4 address with its prefix length";
        case Type::interface6:
            return "an IPv6 address with its prefix length";
        case Type::prefix:
            return "an IPv4 or IPv6 prefix";
        case Type::subnet4:
            return "an IPv4 prefix from /24 to /31";
        case Type::subnet6:
            return "an IPv6 prefix from /64 to /127";
        case Type::access_port:
            return "the name of an access port";
        case Type::paths:
            return "a path or pattern";
        case Type::key:
            return "key material in hex, two digits an octet";
        case Type::key_file:
            return "the path of a file";
        case Type::mapping:
            return "a mapping";
    }
    return {};
}

std::string_view example_text(Type type) {
    switch (type) {
        case Type::rate:
            return "50 Mbps (units: bps, kbps, Mbps, Gbps)";
        case Type::burst:
            return "2500 kB or 20 ms (units: B, kB, MB, GB; ns, us, ms, s)";
        case Type::bytes:
            return "500 GB (units: B, kB, MB, GB, TB)";
        case Type::milliseconds:
            return "20 ms (units: ms, s)";
        case Type::duration:
            return "8 h (units: s, min, h)";
        case Type::mac:
            return "\"02:00:00:00:00:01\"";
        case Type::interface4:
            return "192.0.2.1/24";
        case Type::interface6:
            return "2001:db8::1/64";
        case Type::prefix:
            return "10.0.0.0/16";
        case Type::subnet4:
            return "172.16.0.0/30";
        case Type::subnet6:
            return "fd00::/126";
        default:
            return "";
    }
}

std::string wanted(const Field& field) {
    const std::string_view example = example_text(field.type);
    return fmt::format("write {}{}{}", type_text(field), example.empty() ? "" : " such as ", example);
}

Parsed parse_value(const Field& field, std::string_view text, bool plain, const Model& model) {
    if (looks_null(text, plain))
        return {std::nullopt,
                Complaint{fmt::format("{}: nothing is given", field.name), wanted(field) + ", or leave the key out"}};
    if (!field.unset_word.empty() && text == field.unset_word) return {};
    switch (field.type) {
        case Type::text:
        case Type::paths:
        case Type::key_file:
            return text.empty() || text.contains('\0') ? bad(field, text) : good(text);
        case Type::name:
            return is_name(text) ? good(text) : bad(field, text);
        case Type::choice:
            return parse_choice(field, text);
        case Type::integer:
            return parse_whole(field, text, plain);
        case Type::boolean:
            if (plain && (text == "true" || text == "false")) return good(text == "true");
            return bad(field, text);
        case Type::rate:
            return parse_amount(field, text, rate_units());
        case Type::bytes:
            return parse_amount(field, text, byte_units());
        case Type::milliseconds:
        case Type::duration:
            return parse_amount(field, text, time_units(), kMillisecond);
        case Type::burst:
            return parse_burst(field, text);
        case Type::access_port:
            return parse_reference(field, text, model);
        case Type::mac:
        case Type::ip:
        case Type::ip4:
        case Type::ip6:
        case Type::interface4:
        case Type::interface6:
        case Type::prefix:
        case Type::subnet4:
        case Type::subnet6:
            return parse_address(field, text);
        case Type::key:
            return parse_key(field, text);
        case Type::mapping:
            break;
    }
    return bad(field, text);
}

}  // namespace peerlane::config
