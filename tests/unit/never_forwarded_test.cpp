// The one table of addresses that are never forwarded.
#include "lib/net/never_forwarded.hpp"

#include <gtest/gtest.h>

#include <random>

namespace peerlane {
namespace never_forwarded_test {

bool never(const char* text) {
    const auto prefix =
        parse_prefix(std::string(text).find('/') != std::string::npos
                         ? text
                         : std::string(text) + (std::string(text).find(':') != std::string::npos ? "/128" : "/32"));
    return std::visit([](auto one) { return never_forwarded(one) != nullptr; }, prefix.value());
}

TEST(NeverForwarded, FirstAndLastAddressOfEachBlock) {
    for (const char* text : {"0.0.0.0",
                             "0.255.255.255",
                             "127.0.0.0",
                             "127.255.255.255",
                             "169.254.0.0",
                             "169.254.255.255",
                             "224.0.0.0",
                             "239.255.255.255",
                             "240.0.0.0",
                             "255.255.255.254",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:0.0.0.0",
                             "::ffff:255.255.255.255",
                             "fe80::",
                             "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                             "ff00::",
                             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                             "127.1.2.0/24",
                             "169.254.9.0/30",
                             "ff02::/16"}) {
        EXPECT_TRUE(never(text)) << text;
    }
    for (const char* text :
         {"1.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "223.255.255.255", "::2",
          "::fffe:ffff:ffff", "::1:0:0:0", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", "feff::", "0.0.0.0/0",
          "::/0", "169.0.0.0/8", "fe00::/8"}) {
        EXPECT_FALSE(never(text)) << text;
    }
}

TEST(NeverForwarded, WhatIsNotRefusedOnPurpose) {
    for (const char* text :
         {"10.1.2.3",    "100.64.0.1",   "172.16.0.1",  "192.168.0.1", "192.0.0.1",    "192.0.2.1", "192.88.99.1",
          "198.18.0.1",  "198.51.100.1", "203.0.113.1", "64:ff9b::1",  "64:ff9b:1::1", "100::1",    "2001::1",
          "2001:db8::1", "2002::1",      "3fff::1",     "5f00::1",     "fc00::1",      "fd00::1"}) {
        EXPECT_FALSE(never(text)) << text;
    }
}

TEST(NeverForwarded, TheQuickQuestionsMissNothing) {
    std::mt19937_64 random(7);
    for (unsigned i = 0; i < 100'000; ++i) {
        const Ip4 four{static_cast<std::uint32_t>(random())};
        if (!kLookCloser4[four.value >> 24U]) { EXPECT_EQ(never_forwarded(four), nullptr) << to_string(four); }
        const Ip6 six{random(), random()};
        if (is_plain_unicast(six.high)) { EXPECT_EQ(never_forwarded(six), nullptr) << to_string(six); }
    }
    for (const auto& entry : kNeverForwarded4) { EXPECT_TRUE(kLookCloser4[entry.prefix.address.value >> 24U]); }
    for (const auto& entry : kNeverForwarded6) { EXPECT_FALSE(is_plain_unicast(entry.prefix.address.high)); }
    EXPECT_FALSE(kLookCloser4[10]);
    EXPECT_FALSE(kLookCloser4[192]);
    EXPECT_TRUE(is_plain_unicast(0xfd00'0000'0000'0000));
    EXPECT_TRUE(is_plain_unicast(0x2001'0db8'0000'0000));
}

}  // namespace never_forwarded_test
}  // namespace peerlane
