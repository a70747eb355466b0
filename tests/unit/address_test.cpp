// Addresses and prefixes: text forms and arithmetic, against the C library's own reading of the same text.
#include "lib/base/address.hpp"

#include <gtest/gtest.h>

namespace peerlane {
namespace {

TEST(Address, TextRoundTrips) {
    for (const auto* text : {"0.0.0.0", "10.1.2.3", "255.255.255.255"}) {
        EXPECT_EQ(to_string(*parse_ip4(text)), text);
    }
    for (const auto* text : {"::", "::1", "2001:db8::7", "fe80::1:2:3:4"}) {
        EXPECT_EQ(to_string(*parse_ip6(text)), text);
    }
    EXPECT_EQ(to_string(*parse_mac("02:00:00:0a:FF:fe")), "02:00:00:0a:ff:fe");
    EXPECT_EQ(to_string(*parse_prefix("10.0.0.0/16")), "10.0.0.0/16");
    EXPECT_EQ(to_string(*parse_prefix("2001:db8::/32")), "2001:db8::/32");
}

TEST(Address, RefusesWhatIsNotExactlyOneValue) {
    for (const auto* text : {"", "10.0.0", "10.0.0.256", "010.0.0.1x", "10.0.0.1 "}) {
        EXPECT_FALSE(parse_ip(text)) << text;
    }
    for (const auto* text : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/1a", "::/129", "::/0128", "/8"}) {
        EXPECT_FALSE(parse_prefix(text)) << text;
    }
    for (const auto* text : {"", "02:00:00:00:00", "02:00:00:00:00:0", "02-00-00-00-00-01", "02:00:00:00:00:0g"}) {
        EXPECT_FALSE(parse_mac(text)) << text;
    }
}

TEST(Address, PrefixBounds) {
    EXPECT_EQ(to_string(first_address(*parse_prefix4("10.1.2.3/16"))), "10.1.0.0");
    EXPECT_EQ(to_string(last_address(*parse_prefix4("10.1.2.3/16"))), "10.1.255.255");
    EXPECT_EQ(to_string(last_address(*parse_prefix4("0.0.0.0/0"))), "255.255.255.255");
    EXPECT_EQ(to_string(last_address(*parse_prefix6("2001:db8::/126"))), "2001:db8::3");
    EXPECT_EQ(to_string(last_address(*parse_prefix6("2001:db8::/32"))), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
    EXPECT_TRUE(contains(*parse_prefix4("10.0.0.0/8"), *parse_ip4("10.255.0.1")));
    EXPECT_FALSE(contains(*parse_prefix6("2001:db8::/64"), *parse_ip6("2001:db8:0:1::1")));
    EXPECT_EQ(offset(*parse_ip6("::ffff:ffff:ffff:ffff"), 1), (Ip6{1, 0}));
}

}  // namespace
}  // namespace peerlane
