// Numbers with units, hints, and what follows from a configuration.
#include <gtest/gtest.h>

#include "config/derive.hpp"
#include "config/hints.hpp"
#include "config/units.hpp"

namespace peerlane::config {
namespace {

using Result = std::expected<std::uint64_t, QuantityError>;

TEST(ConfigUnits, Rates) {
    const auto rate = [](std::string_view text) { return parse_quantity(text, rate_units()); };
    EXPECT_EQ(rate("50 Mbps"), Result(50'000'000));
    EXPECT_EQ(rate("50Mbps"), Result(50'000'000));
    EXPECT_EQ(rate("50   Mbps"), Result(50'000'000));
    EXPECT_EQ(rate("1 Gbps"), Result(1'000'000'000));
    EXPECT_EQ(rate("100 kbps"), Result(100'000));
    EXPECT_EQ(rate("1.5 Gbps"), Result(1'500'000'000));
    EXPECT_EQ(rate("0.000000001 Gbps"), Result(1));
    EXPECT_EQ(rate("0.1 Gbps"), Result(100'000'000));
    EXPECT_EQ(rate("1.100000000000000000000000000000 Gbps"), Result(1'100'000'000));
    EXPECT_EQ(rate("18446744073709551615 bps"), Result(18446744073709551615U));
    EXPECT_EQ(rate("18446744073709551616 bps"), Result(std::unexpect, QuantityError::too_large));
    EXPECT_EQ(rate("18446744073.709551616 Gbps"), Result(std::unexpect, QuantityError::too_large));
    EXPECT_EQ(rate("1.0000000001 Gbps"), Result(std::unexpect, QuantityError::not_whole));
    EXPECT_EQ(rate("1.05 bps"), Result(std::unexpect, QuantityError::not_whole));
    EXPECT_EQ(rate("1.0 bps"), Result(1));
    for (const std::string_view text : {"", "Mbps", "-1 Mbps", "+1 Mbps", " 1 Mbps", ".5 Mbps", "1. Mbps"})
        EXPECT_EQ(rate(text), Result(std::unexpect, QuantityError::no_number)) << text;
    for (const std::string_view text : {"1", "1 ", "1.5"})
        EXPECT_EQ(rate(text), Result(std::unexpect, QuantityError::no_unit)) << text;
    for (const std::string_view text :
         {"1 mbps", "1 MBps", "1 Mbps ", "1e3 Mbps", "1 kB", "1,5 Gbps", "1.5.2 Gbps", "0x1 Gbps", "1\tGbps"})
        EXPECT_EQ(rate(text), Result(std::unexpect, QuantityError::unknown_unit)) << text;
}

TEST(ConfigUnits, SizesAndTimes) {
    EXPECT_EQ(parse_quantity("64 kB", byte_units()), Result(64'000));
    EXPECT_EQ(parse_quantity("64000 B", byte_units()), Result(64'000));
    EXPECT_EQ(parse_quantity("1 MB", byte_units()), Result(1'000'000));
    EXPECT_EQ(parse_quantity("2.3 GB", byte_units()), Result(2'300'000'000));
    EXPECT_EQ(parse_quantity("5 ms", time_units()), Result(5'000'000));
    EXPECT_EQ(parse_quantity("0.5 s", time_units()), Result(500'000'000));
    EXPECT_EQ(parse_quantity("250 us", time_units()), Result(250'000));
    EXPECT_EQ(parse_quantity("1 kib", byte_units()), Result(std::unexpect, QuantityError::unknown_unit));
}

TEST(ConfigUnits, WholeNumbers) {
    EXPECT_EQ(parse_integer("0"), 0U);
    EXPECT_EQ(parse_integer("4094"), 4094U);
    EXPECT_EQ(parse_integer("0x2a01"), 0x2a01U);
    EXPECT_EQ(parse_integer("0x2A01"), 0x2a01U);
    EXPECT_EQ(parse_integer("0xffffffffffffffff"), ~std::uint64_t{0});
    for (const std::string_view text : {"", "-1", "+1", "1.0", "01", "00", "0x", "x", "1 ", " 1", "0x1g", "0x-1",
                                        "0x10000000000000000", "18446744073709551616", "0o17"})
        EXPECT_EQ(parse_integer(text), std::nullopt) << text;
}

TEST(ConfigUnits, TextAndBack) {
    EXPECT_EQ(rate_text(BitsPerSecond{50'000'000}), "50 Mbps");
    EXPECT_EQ(rate_text(BitsPerSecond{1'500'000'000}), "1500 Mbps");
    EXPECT_EQ(rate_text(BitsPerSecond{1'001}), "1001 bps");
    EXPECT_EQ(bytes_text(Bytes{2'500'000}), "2500 kB");
    EXPECT_EQ(bytes_text(Bytes{0}), "0 B");
    for (std::uint64_t n = 1; n < (1ULL << 62U); n = n * 10 + n % 7)
        EXPECT_EQ(parse_quantity(rate_text(BitsPerSecond{n}), rate_units()), Result(n));
}

TEST(ConfigUnits, BytesInATime) {
    EXPECT_EQ(bytes_in(BitsPerSecond{1'000'000'000}, 20'000'000), Bytes{2'500'000});
    EXPECT_EQ(bytes_in(BitsPerSecond{1}, 1), Bytes{1});  // upwards
    EXPECT_EQ(bytes_in(BitsPerSecond{8}, 1'000'000'000), Bytes{1});
    EXPECT_EQ(bytes_in(BitsPerSecond{8}, 1'000'000'001), Bytes{2});
    EXPECT_EQ(bytes_in(BitsPerSecond{1'000'000'000}, ~std::uint64_t{0}), Bytes{std::uint64_t{1} << 61U});
    EXPECT_EQ(bytes_in(BitsPerSecond{~std::uint64_t{0}}, ~std::uint64_t{0}), Bytes{~std::uint64_t{0}});
    EXPECT_EQ(bytes_in(BitsPerSecond{0}, 5), Bytes{0});
}

TEST(ConfigHints, Distance) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("vlna", "vlan"), 1U);
    EXPECT_EQ(edit_distance("ca", "abc"), 3U);  // what tells this distance from the unrestricted one
    EXPECT_EQ(edit_distance("service-vlan", "service_vlan"), 1U);
    EXPECT_EQ(edit_distance(std::string(65, 'a'), "a"), ~std::size_t{0});
}

TEST(ConfigHints, Suggestions) {
    EXPECT_EQ(suggest("bandwith", {"burst", "bandwidth"}), "did you mean `bandwidth`?");
    EXPECT_EQ(suggest("frobnicate", {"burst", "bandwidth"}), "known here: burst, bandwidth");
    EXPECT_EQ(suggest("x", {}), "nothing is known here");
}

TEST(ConfigDerive, Overheads) {
    Tunnel tunnel;
    tunnel.key = GreKey{0};
    EXPECT_EQ(tunnel_overhead(tunnel), 28U);
    tunnel.key.reset();
    EXPECT_EQ(tunnel_overhead(tunnel), 24U);
    tunnel.local = Ip6{1, 1};
    EXPECT_EQ(tunnel_overhead(tunnel), 44U);
    tunnel.key = GreKey{7};
    EXPECT_EQ(tunnel_overhead(tunnel), 48U);

    Circuit circuit{};
    EXPECT_EQ(accounting_overhead(circuit), 0U);
    EXPECT_EQ(accounting_shortest(circuit), 0U);
    circuit.accounting = Accounting::l2;
    EXPECT_EQ(accounting_overhead(circuit), 18U);
    circuit.service_vlan = 100;
    EXPECT_EQ(accounting_overhead(circuit), 22U);
    EXPECT_EQ(accounting_shortest(circuit), 0U);
    circuit.accounting = Accounting::wire;
    EXPECT_EQ(accounting_overhead(circuit), 46U);
    EXPECT_EQ(accounting_shortest(circuit), 84U);
}

TEST(ConfigDerive, AddressesOfALink) {
    const auto v4 = [](std::string_view subnet) {
        const Prefix4 prefix = *parse_prefix4(subnet);
        return to_string(customer_address(prefix)) + " " + to_string(edge_address(prefix));
    };
    EXPECT_EQ(v4("172.16.0.0/30"), "172.16.0.1 172.16.0.2");
    EXPECT_EQ(v4("172.16.0.4/30"), "172.16.0.5 172.16.0.6");
    EXPECT_EQ(v4("172.16.0.6/31"), "172.16.0.6 172.16.0.7");
    EXPECT_EQ(v4("172.16.9.0/24"), "172.16.9.1 172.16.9.2");
    const auto v6 = [](std::string_view subnet) {
        const Prefix6 prefix = *parse_prefix6(subnet);
        return to_string(customer_address(prefix)) + " " + to_string(edge_address(prefix));
    };
    EXPECT_EQ(v6("2001:db8::/126"), "2001:db8::1 2001:db8::2");
    EXPECT_EQ(v6("2001:db8::4/126"), "2001:db8::5 2001:db8::6");
    EXPECT_EQ(v6("2001:db8::/64"), "2001:db8::1 2001:db8::2");
    EXPECT_EQ(v6("2001:db8::8/127"), "2001:db8::8 2001:db8::9");
}

TEST(ConfigDerive, CorePortOfATunnel) {
    const auto port = [](Role role, std::optional<Prefix4> address, std::optional<Prefix6> address6) {
        Port result;
        result.role = role;
        result.address = address;
        result.address6 = address6;
        return result;
    };
    Model model;
    model.ports = {port(Role::access, parse_prefix4("192.0.2.1/24"), {}),
                   port(Role::core, {}, parse_prefix6("2001:db8:1::1/64")),
                   port(Role::core, parse_prefix4("192.0.2.1/24"), {}),
                   port(Role::core, parse_prefix4("198.51.100.1/24"), parse_prefix6("2001:db8:2::1/64")),
                   port(Role::core, parse_prefix4("198.51.100.129/25"), {})};
    const auto serves = [&](std::string_view local) {
        Tunnel tunnel;
        tunnel.local = *parse_ip(local);
        return core_port_of(model, tunnel);
    };
    EXPECT_EQ(serves("192.0.2.9"), 2U);
    EXPECT_EQ(serves("198.51.100.9"), 3U);
    EXPECT_EQ(serves("198.51.100.200"), 4U);  // the longer subnet
    EXPECT_EQ(serves("203.0.113.1"), 2U);     // in none: the first with IPv4
    EXPECT_EQ(serves("2001:db8:2::9"), 3U);
    EXPECT_EQ(serves("2001:db8:9::9"), 1U);
    model.ports.erase(model.ports.begin() + 1, model.ports.begin() + 2);
    model.ports.resize(2);
    EXPECT_EQ(serves("2001:db8:9::9"), 1U);  // no address of the family: the first core port
    model.ports.resize(1);
    EXPECT_EQ(serves("192.0.2.9"), std::nullopt);
}

TEST(ConfigDerive, Names) {
    EXPECT_EQ(to_text(PeeringType::private_), "private");
    EXPECT_EQ(to_text(PeeringType::microsoft), "microsoft");
    EXPECT_EQ(to_text(PeeringType::public_), "public");
    EXPECT_EQ(to_text(Link::primary), "primary");
    EXPECT_EQ(to_text(Link::secondary), "secondary");
    Customer customer;
    customer.name = "contoso";
    Circuit circuit;
    circuit.name = "sea";
    EXPECT_EQ(circuit_label(customer, circuit), "contoso/sea");
}

}  // namespace
}  // namespace peerlane::config
