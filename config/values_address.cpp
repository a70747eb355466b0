#include "config/values_address.hpp"

#include <fmt/format.h>

#include "config/report.hpp"

namespace peerlane::config {
namespace {

Parsed no_address(const Field& field, std::string_view text, std::string_view why) {
    return {std::nullopt, Complaint{fmt::format("{}: {} {}", field.name, in_quotes(text), why), wanted(field)}};
}

Parsed not_such(const Field& field, std::string_view text) {
    return no_address(field, text, fmt::format("is not {}", type_text(field)));
}

Parsed parse_mac_value(const Field& field, std::string_view text) {
    const auto mac = parse_mac(text);
    if (!mac) return not_such(field, text);
    if (mac->is_group()) return no_address(field, text, "is a group (multicast) address");
    if (*mac == Mac{}) return no_address(field, text, "is no station's address");
    return {Value{*mac}, std::nullopt};
}

Parsed parse_ip_value(const Field& field, std::string_view text) {
    const auto address = parse_ip(text);
    if (!address) return not_such(field, text);
    const bool v4 = std::holds_alternative<Ip4>(*address);
    if ((field.type == Type::ip4 && !v4) || (field.type == Type::ip6 && v4))
        return no_address(field, text, v4 ? "is an IPv4 address" : "is an IPv6 address");
    if (!std::visit([](auto ip) { return is_unicast(ip); }, *address))
        return no_address(field, text, "is not a unicast address (it is unspecified, loopback, multicast or reserved)");
    return {Value{*address}, std::nullopt};
}

template <class Prefix_>
Parsed parse_interface(const Field& field, std::string_view text, Prefix_ prefix) {
    constexpr unsigned kBits = std::is_same_v<Prefix_, Prefix4> ? 32 : 128;
    if (prefix.length == 0 || !is_unicast(prefix.address))
        return no_address(field, text, "cannot be an interface's address");
    // RFC 3021: both addresses of a /31 are hosts. IPv6 has no broadcast address, and ::0 is the subnet's routers.
    if (prefix.length + 1U < kBits) {
        if (prefix.address == first_address(prefix)) return no_address(field, text, "is the subnet's own address");
        if (kBits == 32 && prefix.address == last_address(prefix))
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
    // The subnet's last address stands for all: these prefixes are longer than any special block but ::1/128.
    if (!is_unicast(last_address(prefix))) return no_address(field, text, "is not a unicast subnet");
    return without_host_bits(field, text, prefix);
}

Parsed parse_prefix_value(const Field& field, std::string_view text) {
    const auto prefix = parse_prefix(text);
    if (!prefix) {
        if (const auto address = parse_ip(text))
            return {std::nullopt,
                    Complaint{fmt::format("{}: {} has no prefix length", field.name, in_quotes(text)),
                              fmt::format("write {}/{} for this one address, or the length of its network",
                                          to_string(*address), std::holds_alternative<Ip4>(*address) ? 32 : 128)}};
        return not_such(field, text);
    }
    const bool v4 = std::holds_alternative<Prefix4>(*prefix);
    const bool wants4 = field.type == Type::subnet4 || field.type == Type::interface4;
    const bool wants6 = field.type == Type::subnet6 || field.type == Type::interface6;
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

bool is_unicast(Ip4 address) {
    const std::uint32_t first = address.value >> 24U;
    return first != 0 && first != 127 && first < 224;
}

bool is_unicast(Ip6 address) {
    if (address.high == 0 && address.low <= 1) return false;
    return address.high >> 56U != 0xff;
}

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
