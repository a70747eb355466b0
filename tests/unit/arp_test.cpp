// ARP packets, against those that scapy writes.
#include "lib/net/arp.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/octets.hpp"

namespace peerlane {
namespace arp_test {

constexpr Mac kCustomer{{0x02, 0, 0, 0, 0x01, 0x01}};
constexpr Mac kEdge{{0x02, 0, 0, 0, 0x02, 0x02}};
constexpr Ip4 kCustomerAddress{0xc0000201};
constexpr Ip4 kEdgeAddress{0xc0000202};

struct Golden {
    const char* what;
    const char* hex;  // what scapy 2.5.0 makes of the expression beside it
    ArpMessage message;
};

const Golden kGolden[] = {
    // ARP(op='who-has', hwsrc='02:00:00:00:01:01', psrc='192.0.2.1', hwdst='00:00:00:00:00:00', pdst='192.0.2.2')
    {"request",
     "0001080006040001 020000000101c0000201 000000000000c0000202",
     {true, kCustomer, kCustomerAddress, {}, kEdgeAddress}},
    // ARP(op='is-at', hwsrc='02:00:00:00:02:02', psrc='192.0.2.2', hwdst='02:00:00:00:01:01', pdst='192.0.2.1')
    {"reply",
     "0001080006040002 020000000202c0000202 020000000101c0000201",
     {false, kEdge, kEdgeAddress, kCustomer, kCustomerAddress}},
    // ARP(op='who-has', hwsrc='02:00:00:00:01:01', psrc='0.0.0.0', hwdst='00:00:00:00:00:00', pdst='192.0.2.1')
    {"probe",
     "0001080006040001 02000000010100000000 000000000000c0000201",
     {true, kCustomer, {}, {}, kCustomerAddress}},
    // ARP(op='who-has', hwsrc='02:00:00:00:01:01', psrc='192.0.2.1', hwdst='00:00:00:00:00:00', pdst='192.0.2.1')
    {"announcement",
     "0001080006040001 020000000101c0000201 000000000000c0000201",
     {true, kCustomer, kCustomerAddress, {}, kCustomerAddress}},
};

std::optional<ArpMessage> parse(const Octets& octets, std::size_t length) {
    const Cut cut(octets, length);
    return parse_arp(cut.data(), static_cast<unsigned>(length));
}
std::optional<ArpMessage> parse(const Octets& octets) {
    return parse(octets, octets.size());
}

TEST(Arp, ReadsAndWritesAsScapyDoes) {
    for (const auto& [what, hex, message] : kGolden) {
        SCOPED_TRACE(what);
        const auto octets = from_hex(hex);
        ASSERT_EQ(octets.size(), kArpLength);
        EXPECT_EQ(parse(octets), message);
        Octets out(kArpLength + 1, 0xa5);
        EXPECT_EQ(write_arp(out.data(), message), kArpLength);
        EXPECT_EQ(out.back(), 0xa5);
        out.pop_back();
        EXPECT_EQ(out, octets);
    }
}

TEST(Arp, PaddingIsNotRead) {
    auto octets = from_hex(kGolden[0].hex);
    octets.resize(46, 0xa5);  // the shortest payload of an Ethernet frame
    EXPECT_EQ(parse(octets), kGolden[0].message);
}

TEST(Arp, EveryTruncation) {
    for (const auto& golden : kGolden) {
        const auto octets = from_hex(golden.hex);
        for (unsigned length = 0; length < kArpLength; ++length) {
            EXPECT_FALSE(parse(octets, length)) << golden.what << ' ' << length;
        }
    }
}

TEST(Arp, EveryOtherKindIsRefused) {
    struct {
        const char* what;
        std::size_t at;
        std::uint8_t value;
    } const broken[] = {
        {"hardware 0", 1, 0},         {"hardware 6 (IEEE 802)", 1, 6},    {"hardware 257", 0, 1},
        {"protocol 0x86dd", 2, 0x86}, {"protocol 0x0806", 3, 6},          {"hardware length 0", 4, 0},
        {"hardware length 8", 4, 8},  {"protocol length 0", 5, 0},        {"protocol length 16", 5, 16},
        {"operation 0", 7, 0},        {"operation 3 (RARP)", 7, 3},       {"operation 8 (InARP)", 7, 8},
        {"operation 257", 6, 1},      {"sender MAC of a group", 8, 0x03},
    };
    for (const auto& golden : kGolden) {
        for (const auto& [what, at, value] : broken) {
            auto octets = from_hex(golden.hex);
            ASSERT_NE(octets[at], value);
            octets[at] = value;
            EXPECT_FALSE(parse(octets)) << golden.what << ": " << what;
        }
        auto octets = from_hex(golden.hex);
        std::fill_n(octets.begin() + 8, 6, std::uint8_t{0});
        EXPECT_FALSE(parse(octets)) << golden.what << ": sender MAC zero";
        std::fill_n(octets.begin() + 8, 6, std::uint8_t{0xff});
        EXPECT_FALSE(parse(octets)) << golden.what << ": sender MAC broadcast";
    }
}

TEST(Arp, AnyTargetMac) {
    for (const auto octet : Octets{0x00, 0xff, 0x33}) {  // RFC 5227 §2.1.1: ignored in a request
        auto octets = from_hex(kGolden[0].hex);
        std::fill_n(octets.begin() + 18, 6, octet);
        auto expected = kGolden[0].message;
        expected.target_mac.octets.fill(octet);
        EXPECT_EQ(parse(octets), expected);
    }
}

TEST(Arp, RoundTrips) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 10'000; ++i) {
        ArpMessage message;
        message.request = random() % 2 == 0;
        for (auto* mac : {&message.sender_mac, &message.target_mac}) {
            for (auto& octet : mac->octets) { octet = static_cast<std::uint8_t>(random()); }
        }
        message.sender_mac.octets[0] = static_cast<std::uint8_t>((message.sender_mac.octets[0] & 0xfcU) | 2U);
        message.sender.value = static_cast<std::uint32_t>(random());
        message.target.value = static_cast<std::uint32_t>(random());
        Octets out(kArpLength);
        ASSERT_EQ(write_arp(out.data(), message), kArpLength);
        ASSERT_EQ(parse(out), message);
    }
}

/// The rules once more, octet by octet.
bool acceptable(const Octets& octets, std::size_t length) {
    static const auto request = from_hex("0001080006040001");
    static const auto reply = from_hex("0001080006040002");
    if (length < 28) { return false; }
    const Octets start(octets.begin(), octets.begin() + 8);
    const Octets sender(octets.begin() + 8, octets.begin() + 14);
    return (start == request || start == reply) && sender[0] % 2 == 0 && sender != Octets(6);
}

TEST(Arp, BitsAndLengthsAtRandom) {
    std::mt19937 random(2);
    int accepted = 0;
    int refused = 0;
    for (int i = 0; i < 100'000; ++i) {
        auto octets = from_hex(kGolden[random() % std::size(kGolden)].hex);
        octets.resize(28 + random() % 19);
        for (auto flips = random() % 4; flips > 0; --flips) {
            octets[random() % octets.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
        }
        const auto length = random() % 2 == 0 ? octets.size() : random() % (octets.size() + 1);
        const auto message = parse(octets, length);
        ASSERT_EQ(message.has_value(), acceptable(octets, length));
        (message ? accepted : refused) += 1;
        if (!message) { continue; }
        Octets out(kArpLength);
        write_arp(out.data(), *message);
        octets.resize(kArpLength);
        ASSERT_EQ(out, octets) << "nothing of it is lost";
    }
    EXPECT_GT(accepted, 20'000);
    EXPECT_GT(refused, 20'000);
}

}  // namespace arp_test
}  // namespace peerlane
