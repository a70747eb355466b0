// Checksums that Linux has left to a device.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include "lib/net/unfinished_checksum.hpp"

namespace peerlane {
namespace {

constexpr unsigned kOdd = 33;  // bytes of payload

/// A packet with the sum of its pseudo header in place of the checksum, as Linux sends it.
template <class Header>
std::vector<std::uint8_t> unfinished(std::uint8_t protocol) {
    const unsigned own = sizeof(Header);
    const unsigned behind = protocol == ip::kTcp ? 20 : 8;
    std::vector<std::uint8_t> packet(own + behind + kOdd);
    std::iota(packet.begin() + own, packet.end(), std::uint8_t{1});
    auto* header = reinterpret_cast<Header*>(packet.data());
    std::uint64_t sum = 0;
    const auto length = static_cast<std::uint16_t>(behind + kOdd);
    if constexpr (std::is_same_v<Header, Ipv4>) {
        header->version_ihl = 0x45;
        header->total_length.set(static_cast<std::uint16_t>(packet.size()));
        header->protocol = protocol;
        header->source.set(0x0a000005);
        header->destination.set(0x0a640009);
        sum = sum_words(header->source.octets, 8);
    } else {
        header->version_class_flow.set(0x60000000);
        header->payload_length.set(length);
        header->next_header = protocol;
        header->source_high.set(0x2001'0db8'000a'0000);
        header->destination_high.set(0x2001'0db8'000b'0000);
        sum = sum_words(header->source_high.octets, 32);
    }
    const auto pseudo = fold(sum + __builtin_bswap16(length) + (std::uint32_t{protocol} << 8U));
    std::memcpy(packet.data() + own + (protocol == ip::kTcp ? 16 : 6), &pseudo, 2);
    return packet;
}

/// Whether a receiver takes it (RFC 9293 §3.1): all of it and the pseudo header add up.
template <class Header>
bool is_right(const std::vector<std::uint8_t>& packet, std::uint8_t protocol) {
    const auto* header = reinterpret_cast<const Header*>(packet.data());
    const auto length = static_cast<std::uint16_t>(packet.size() - sizeof(Header));
    std::uint64_t sum = sum_words(packet.data() + sizeof(Header), length);
    if constexpr (std::is_same_v<Header, Ipv4>) {
        sum += sum_words(header->source.octets, 8);
    } else {
        sum += sum_words(header->source_high.octets, 32);
    }
    return fold(sum + __builtin_bswap16(length) + (std::uint32_t{protocol} << 8U)) == 0xffff;
}

template <class Header>
void finishes(std::uint8_t protocol) {
    auto packet = unfinished<Header>(protocol);
    EXPECT_FALSE(is_right<Header>(packet, protocol));
    auto& header = *reinterpret_cast<Header*>(packet.data());
    EXPECT_TRUE(finish_checksum(header, static_cast<unsigned>(packet.size())));
    EXPECT_TRUE(is_right<Header>(packet, protocol));
    const auto finished = packet;
    EXPECT_FALSE(finish_checksum(header, static_cast<unsigned>(packet.size()))) << "it is finished";
    EXPECT_EQ(packet, finished);
    packet.back() ^= 1U;  // changed on its way: it stays wrong
    EXPECT_FALSE(finish_checksum(header, static_cast<unsigned>(packet.size())));
    EXPECT_FALSE(is_right<Header>(packet, protocol));
}

TEST(UnfinishedChecksum, IsFinished) {
    finishes<Ipv4>(ip::kTcp);
    finishes<Ipv4>(ip::kUdp);
    finishes<Ipv6>(ip::kTcp);
    finishes<Ipv6>(ip::kUdp);
}

TEST(UnfinishedChecksum, LeavesAloneWhatHasNone) {
    auto packet = unfinished<Ipv4>(ip::kTcp);
    auto& header = *reinterpret_cast<Ipv4*>(packet.data());
    const auto length = static_cast<unsigned>(packet.size());
    header.fragment.set(1);
    EXPECT_FALSE(finish_checksum(header, length)) << "a later fragment has no such field";
    header.fragment.set(Ipv4::kMoreFragments);
    EXPECT_FALSE(finish_checksum(header, length)) << "the first one does not have all of the packet";
    header.fragment.set(0);
    EXPECT_FALSE(finish_checksum(header, sizeof(Ipv4) + 19)) << "no room for a TCP header";
    header.protocol = ip::kIcmp;
    EXPECT_FALSE(finish_checksum(header, length));
    header.protocol = ip::kTcp;
    EXPECT_TRUE(finish_checksum(header, length));
}

/// UDP says "none" with 0: a sum that comes out so is written as all ones (RFC 768).
TEST(UnfinishedChecksum, NeverBecomesNone) {
    auto packet = unfinished<Ipv4>(ip::kUdp);
    auto& header = *reinterpret_cast<Ipv4*>(packet.data());
    auto trial = packet;
    ASSERT_TRUE(finish_checksum(*reinterpret_cast<Ipv4*>(trial.data()), static_cast<unsigned>(trial.size())));
    // The checksum itself in two bytes of the payload that were 0 before makes the sum come out as 0.
    std::uint8_t* const spare = packet.data() + sizeof(Ipv4) + sizeof(Udp);
    std::memset(spare, 0, 2);
    trial = packet;
    ASSERT_TRUE(finish_checksum(*reinterpret_cast<Ipv4*>(trial.data()), static_cast<unsigned>(trial.size())));
    std::memcpy(spare, trial.data() + sizeof(Ipv4) + 6, 2);
    ASSERT_TRUE(finish_checksum(header, static_cast<unsigned>(packet.size())));
    EXPECT_EQ(reinterpret_cast<const Udp*>(packet.data() + sizeof(Ipv4))->checksum.get(), 0xffff);
    EXPECT_TRUE(is_right<Ipv4>(packet, ip::kUdp));
}

}  // namespace
}  // namespace peerlane
