#include "config/values_address.hpp"

#include <fmt/format.h>

#include <bit>
#include <optional>
#include <string>
#include <vector>

#include "config/derive.hpp"
#include "config/report.hpp"
#include "config/units.hpp"
#include "lib/net/never_forwarded.hpp"

namespace peerlane::config {
namespace {

Parsed no_address(const Field& field, std::string_view text, std::string_view why) {
    return {std::nullopt, Complaint{fmt::format("{}: {} {}", field.name, in_quotes(text), why), wanted(field)}};
}

Parsed not_such(const Field& field, std::string_view text) {
    return no_address(field, text, fmt::format("is not {}", type_text(field)));
}

/// As others write it: 02-00-00-00-01-01, 0200.0000.0101, 020000000101, 2:0:0:0:1:1.
std::optional<Mac> other_mac(std::string_view text) {
    std::vector<std::string_view> parts;
    for (std::string_view rest = text;;) {
        const auto end = rest.find_first_of("-.:");
        parts.push_back(rest.substr(0, end));
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    if (parts.size() != 1 && parts.size() != 3 && parts.size() != 6) return std::nullopt;
    const std::size_t digits = 12 / parts.size();
    std::string all;
    for (const std::string_view part : parts) {
        if (part.empty() || part.size() > digits || (parts.size() == 1 && part.size() != digits)) return std::nullopt;
        all += std::string(digits - part.size(), '0') + std::string(part);
    }
    std::string with_colons;
    for (std::size_t i = 0; i < all.size(); i += 2) with_colons += (i == 0 ? "" : ":") + all.substr(i, 2);
    return parse_mac(with_colons);
}

Parsed parse_mac_value(const Field& field, std::string_view text) {
    const auto mac = parse_mac(text);
    if (!mac) {
        const auto meant = other_mac(text);
        if (!meant) return not_such(field, text);
        return {std::nullopt, Complaint{fmt::format("{}: {} is not {}", field.name, in_quotes(text), type_text(field)),
                                        fmt::format("write \"{}\"", to_string(*meant))}};
    }
    if (mac->is_group()) return no_address(field, text, "is a group (multicast) address");
    if (*mac == Mac{}) return no_address(field, text, "is no station's address");
    return {Value{*mac}, std::nullopt};
}

constexpr Prefix6 kMapped{{0, 0xffff'0000'0000}, 96};

/// ::ffff:a.b.c.d stands for the IPv4 address where programs have one kind of address (RFC 4291 §2.5.5.2); no packet
/// has it, and two writings of one address would pass where one is refused.
Parsed mapped(const Field& field, std::string_view text, const std::string& four) {
    return {std::nullopt,
            Complaint{fmt::format("{}: {} is IPv4-mapped (RFC 4291 §2.5.5.2)", field.name, in_quotes(text)),
                      fmt::format("write {}", four)}};
}
bool is_mapped(Ip6 address) {
    return contains(kMapped, address);
}
Ip4 four(Ip6 address) {
    return {static_cast<std::uint32_t>(address.low)};
}

/// Why it is no address of a host or router on a link; empty if it may be one.
template <class Address>
std::string why_not_unicast(Address address) {
    const auto* block = never_forwarded(address);
    if (block == nullptr || is_link_local(address)) return "";
    return fmt::format("is not a unicast address: {} is {}", to_string(block->prefix), block->what);
}

Parsed parse_ip_value(const Field& field, std::string_view text) {
    const auto address = parse_ip(text);
    if (const auto prefix = address ? std::nullopt : parse_prefix(text))
        return {
            std::nullopt,
            Complaint{fmt::format("{}: {} has a prefix length", field.name, in_quotes(text)),
                      fmt::format("write {}", std::visit([](auto one) { return to_string(one.address); }, *prefix))}};
    if (!address) return not_such(field, text);
    const bool v4 = std::holds_alternative<Ip4>(*address);
    if ((field.type == Type::ip4 && !v4) || (field.type == Type::ip6 && v4))
        return no_address(field, text, v4 ? "is an IPv4 address" : "is an IPv6 address");
    if (const auto* six = std::get_if<Ip6>(&*address); six != nullptr && is_mapped(*six))
        return mapped(field, text, to_string(four(*six)));
    if (const auto why = std::visit([](auto ip) { return why_not_unicast(ip); }, *address); !why.empty())
        return no_address(field, text, why);
    return {Value{*address}, std::nullopt};
}

template <class Prefix_>
Parsed parse_interface(const Field& field, std::string_view text, Prefix_ prefix) {
    constexpr unsigned kWidth = std::is_same_v<Prefix_, Prefix4> ? 32 : 128;
    if (prefix.length == 0) return no_address(field, text, "cannot be an interface's address");
    if (const auto why = why_not_unicast(prefix.address); !why.empty()) return no_address(field, text, why);
    // RFC 3021: both addresses of a /31 are hosts. IPv6 has no broadcast address, and ::0 is the subnet's routers.
    if (prefix.length + 1U < kWidth) {
        if (prefix.address == first_address(prefix)) return no_address(field, text, "is the subnet's own address");
        if (kWidth == 32 && prefix.address == last_address(prefix))
            return no_address(field, text, "is the subnet's broadcast address");
    }
    return {Value{Prefix{prefix}}, std::nullopt};
}

template <class Prefix_>
Parsed without_host_bits(const Field& field, std::string_view text, Prefix_ prefix) {
    const Prefix_ network{first_address(prefix), prefix.length};
    if (network == prefix) return {Value{Prefix{prefix}}, std::nullopt};
    return {Value{Prefix{network}}, Complaint{fmt::format("{}: {} has host bits set", field.name, in_quotes(text)),
                                              fmt::format("write {}", to_string(network))}};
}

template <class Prefix_>
Parsed parse_subnet(const Field& field, std::string_view text, Prefix_ prefix) {
    constexpr bool kV4 = std::is_same_v<Prefix_, Prefix4>;
    if (prefix.length < (kV4 ? 24 : 64)) return no_address(field, text, "is too large for the subnet of one link");
    if (prefix.length > (kV4 ? 31 : 127)) return no_address(field, text, "leaves no two usable addresses");
    // The addresses that are used, and the last one, which stands for the others: these prefixes are longer than any
    // block but those of one address.
    for (const auto address : {customer_address(prefix), edge_address(prefix), last_address(prefix)})
        if (!why_not_unicast(address).empty()) return no_address(field, text, "is not a unicast subnet");
    if (!kV4 && is_link_local(prefix.address))
        return no_address(field, text, "is link-local: the edge has such an address on every link by itself");
    return without_host_bits(field, text, prefix);
}

/// What a prefix was meant to be that is written in another way than ADDRESS/LENGTH.
Parsed odd_prefix(const Field& field, std::string_view text) {
    const auto slash = text.find_first_of("/ ");
    const auto address = parse_ip(text.substr(0, slash));
    const auto from = slash == std::string_view::npos ? slash : text.find_first_not_of("/ ", slash);
    const auto rest = from == std::string_view::npos ? "" : text.substr(from);
    if (!address || rest.empty()) return not_such(field, text);
    const bool v4 = std::holds_alternative<Ip4>(*address);
    if (const auto length = parse_integer(rest))
        return no_address(
            field, text,
            fmt::format("has a length of {}: {} prefixes have 0 to {}", *length, v4 ? "IPv4" : "IPv6", v4 ? 32 : 128));
    const auto mask = parse_ip4(rest);
    if (!v4 || !mask) return not_such(field, text);
    // A netmask has its ones first; a wildcard mask, as access lists have it, its zeroes.
    const bool wildcard = mask->value >> 31U == 0 && mask->value != 0;
    const std::uint32_t bits = wildcard ? ~mask->value : mask->value;
    const auto length = static_cast<unsigned>(std::countl_one(bits));
    if (length != static_cast<unsigned>(std::popcount(bits)))
        return no_address(field, text, "has a mask whose ones are not all in front");
    const Prefix4 meant{std::get<Ip4>(*address), static_cast<std::uint8_t>(length)};
    const bool host = field.type == Type::interface4;
    return {std::nullopt,
            Complaint{fmt::format("{}: {} has a {} where a length belongs", field.name, in_quotes(text),
                                  wildcard ? "wildcard mask" : "netmask"),
                      fmt::format("write {}", to_string(host ? meant : Prefix4{first_address(meant), meant.length}))}};
}

Parsed parse_prefix_value(const Field& field, std::string_view text) {
    const auto prefix = parse_prefix(text);
    if (!prefix) {
        if (const auto address = parse_ip(text))
            return {std::nullopt,
                    Complaint{fmt::format("{}: {} has no prefix length", field.name, in_quotes(text)),
                              fmt::format("write {}/{} for this one address, or the length of its network",
                                          to_string(*address), std::holds_alternative<Ip4>(*address) ? 32 : 128)}};
        return odd_prefix(field, text);
    }
    const bool v4 = std::holds_alternative<Prefix4>(*prefix);
    const bool wants4 = field.type == Type::subnet4 || field.type == Type::interface4;
    const bool wants6 = field.type == Type::subnet6 || field.type == Type::interface6;
    if (const auto* six = std::get_if<Prefix6>(&*prefix);
        six != nullptr && six->length >= 96 && is_mapped(six->address))
        return mapped(field, text,
                      to_string(Prefix4{four(first_address(*six)), static_cast<std::uint8_t>(six->length - 96)}));
    if (wants4 && !v4)
        return {std::nullopt,
                Complaint{fmt::format("{}: {} is IPv6 where IPv4 is needed", field.name, in_quotes(text)),
                          "write an IPv4 prefix; IPv6 goes under the key of the same name that ends in 6"}};
    if (wants6 && v4)
        return {std::nullopt,
                Complaint{fmt::format("{}: {} is IPv4 where IPv6 is needed", field.name, in_quotes(text)),
                          "write an IPv6 prefix; IPv4 goes under the key of the same name without the 6"}};
    return std::visit(
        [&](auto each) {
            if (field.type == Type::interface4 || field.type == Type::interface6)
                return parse_interface(field, text, each);
            if (wants4 || wants6) return parse_subnet(field, text, each);
            return without_host_bits(field, text, each);
        },
        *prefix);
}

}  // namespace

Parsed parse_address(const Field& field, std::string_view text) {
    switch (field.type) {
        case Type::mac:
            return parse_mac_value(field, text);
        case Type::ip:
        case Type::ip4:
        case Type::ip6:
            return parse_ip_value(field, text);
        default:
            return parse_prefix_value(field, text);
    }
}

}  // namespace peerlane::config
