// The Internet checksum and its short cuts, against the sum that RFC 1071 describes.
#include "lib/net/checksum.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace peerlane {
namespace checksum_test {

/// RFC 1071 §1: the complement of the ones' complement sum of the 16-bit words, one carry at a time.
std::uint16_t plain_checksum(const std::vector<std::uint8_t>& octets) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < octets.size(); i += 2) {
        sum += static_cast<std::uint32_t>(octets[i] << 8U) + (i + 1 < octets.size() ? octets[i + 1] : 0U);
        if (sum > 0xffff) { sum -= 0xffff; }
    }
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> header_of(const Ipv4& header) {
    const auto* start = reinterpret_cast<const std::uint8_t*>(&header);
    return {start, start + sizeof header};
}

TEST(Checksum, TheExampleOfRfc1071) {
    const std::vector<std::uint8_t> octets{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(__builtin_bswap16(fold(sum_words(octets.data(), octets.size()))), 0xddf2);
}

TEST(Checksum, EveryLength) {
    std::mt19937 random(1);
    for (std::size_t length = 0; length < 200; ++length) {
        for (int kind = 0; kind < 3; ++kind) {
            std::vector<std::uint8_t> octets(length);
            for (auto& octet : octets) {
                octet = static_cast<std::uint8_t>(kind == 0 ? 0xff : kind == 1 ? 0 : random());
            }
            const auto got = static_cast<std::uint16_t>(~fold(sum_words(octets.data(), length)));
            EXPECT_EQ(__builtin_bswap16(got), plain_checksum(octets)) << length;
        }
    }
}

TEST(Checksum, FoldKeepsTheSum) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 200'000; ++i) {
        const std::uint64_t sum = random() >> (i % 64);
        EXPECT_EQ(fold(sum) % 0xffff, sum % 0xffff);
        EXPECT_EQ(fold(sum) == 0, sum == 0);
    }
    EXPECT_EQ(fold(~std::uint64_t{0}), 0xffff);
}

TEST(Checksum, HeadersOfEveryLength) {
    std::mt19937 random(3);
    for (unsigned words = 5; words <= 15; ++words) {
        for (int i = 0; i < 500; ++i) {
            alignas(4) std::uint8_t octets[60];
            for (auto& octet : octets) { octet = static_cast<std::uint8_t>(i == 0 ? 0xff : random()); }
            auto& header = *reinterpret_cast<Ipv4*>(octets);
            header.version_ihl = static_cast<std::uint8_t>(0x40U | words);
            ipv4_set_checksum(header);
            EXPECT_TRUE(ipv4_checksum_ok(octets, words));
            const auto at = random() % (words * 4);
            const auto bit = static_cast<std::uint8_t>(1U << random() % 8);
            octets[at] ^= bit;
            EXPECT_FALSE(ipv4_checksum_ok(octets, words)) << "one bit is always seen";
        }
    }
}

TEST(Checksum, OneTtlLessForEveryChecksum) {
    Ipv4 header{};
    header.version_ihl = 0x45;
    for (const unsigned ttl : {1U, 2U, 64U, 255U}) {
        for (unsigned id = 0; id < 0x10000; ++id) {
            header.ttl = static_cast<std::uint8_t>(ttl);
            header.protocol = 17;
            header.id.set(static_cast<std::uint16_t>(id));
            ipv4_set_checksum(header);
            ipv4_decrement_ttl(header);
            ASSERT_EQ(header.ttl, ttl - 1);
            ASSERT_EQ(header.protocol, 17);
            const auto got = header.checksum.get();
            ipv4_set_checksum(header);
            ASSERT_EQ(got, header.checksum.get()) << "ttl " << ttl << " id " << id;
        }
    }
}

TEST(Checksum, UpdateIsThatOfRfc1624) {
    // The example of RFC 1624 §4.
    EXPECT_EQ(checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
    std::mt19937 random(4);
    for (int i = 0; i < 100'000; ++i) {
        Ipv4 header{};
        header.version_ihl = 0x45;
        header.source.set(static_cast<std::uint32_t>(random()));
        ipv4_set_checksum(header);
        const auto to = static_cast<std::uint16_t>(random());
        const auto updated = checksum_update(header.checksum.get(), header.id.get(), to);
        header.id.set(to);
        header.checksum.set(0);
        EXPECT_EQ(updated, plain_checksum(header_of(header)));
    }
}

TEST(Checksum, PseudoHeaders) {
    Ipv4 four{};
    four.source.set(0x0a000001);
    four.destination.set(0xc0a80101);
    EXPECT_EQ(__builtin_bswap16(fold(pseudo_header_sum(four, 6, 0x1234))),
              static_cast<std::uint16_t>(~plain_checksum({10, 0, 0, 1, 192, 168, 1, 1, 0, 6, 0x12, 0x34})));
    Ipv6 six{};
    six.source_high.set(0xfd00000000000000);
    six.destination_low.set(0x0102);
    std::vector<std::uint8_t> octets(40);
    octets[0] = 0xfd;
    octets[30] = 1;
    octets[31] = 2;
    octets[33] = 1;  // length 0x00010203
    octets[34] = 2;
    octets[35] = 3;
    octets[39] = 58;
    EXPECT_EQ(__builtin_bswap16(fold(pseudo_header_sum(six, 58, 0x00010203))),
              static_cast<std::uint16_t>(~plain_checksum(octets)));
}

}  // namespace checksum_test
}  // namespace peerlane
