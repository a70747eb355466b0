// Neighbour solicitations and advertisements, against those that scapy writes and against RFC 4861 rule by rule.
#include "lib/net/ndisc.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/octets.hpp"

namespace peerlane {
namespace ndisc_test {

using enum NdMessage::Kind;

constexpr Mac kCustomer{{0x02, 0, 0, 0, 0x01, 0x01}};
constexpr Mac kEdge{{0x02, 0, 0, 0, 0x02, 0x02}};
constexpr std::size_t kType = 40, kCode = 41, kChecksum = 42, kFlags = 44, kTarget = 48, kOptions = 64;

Ip6 ip6(const char* text) {
    return parse_ip6(text).value();
}

struct Golden {
    const char* what;
    const char* hex;  // what scapy 2.5.0 makes of the expression beside it
    NdMessage message;
};

const std::vector<Golden>& golden() {
    static const std::vector<Golden> all{
        // IPv6(src='fe80::ff:fe00:101', dst='ff02::1:ff00:202', hlim=255)/ICMPv6ND_NS(tgt='2001:db8::a:0:202')/
        // ICMPv6NDOptSrcLLAddr(lladdr='02:00:00:00:01:01')
        {"solicitation",
         "6000000000203aff fe80000000000000000000fffe000101 ff0200000000000000000001ff000202 8700465500000000 "
         "20010db8000000000000000a00000202 0101020000000101",
         {solicitation, ip6("fe80::ff:fe00:101"), ip6("ff02::1:ff00:202"), ip6("2001:db8::a:0:202"), kCustomer}},
        // IPv6(src='::', dst='ff02::1:ff00:202', hlim=255)/ICMPv6ND_NS(tgt='2001:db8::a:0:202')
        {"solicitation from ::",
         "6000000000183aff 00000000000000000000000000000000 ff0200000000000000000001ff000202 870048e100000000 "
         "20010db8000000000000000a00000202",
         {solicitation, {}, ip6("ff02::1:ff00:202"), ip6("2001:db8::a:0:202"), {}}},
        // IPv6(src='2001:db8::1', dst='2001:db8::2', hlim=255)/ICMPv6ND_NS(tgt='2001:db8::2')
        {"solicitation to one node",
         "6000000000183aff 20010db8000000000000000000000001 20010db8000000000000000000000002 8700ef7c00000000 "
         "20010db8000000000000000000000002",
         {solicitation, ip6("2001:db8::1"), ip6("2001:db8::2"), ip6("2001:db8::2"), {}}},
        // IPv6(src='2001:db8::a:0:202', dst='fe80::ff:fe00:101', hlim=255)/
        // ICMPv6ND_NA(R=1, S=1, O=1, tgt='2001:db8::a:0:202')/ICMPv6NDOptDstLLAddr(lladdr='02:00:00:00:02:02')
        {"advertisement",
         "6000000000203aff 20010db8000000000000000a00000202 fe80000000000000000000fffe000101 88003395e0000000 "
         "20010db8000000000000000a00000202 0201020000000202",
         {advertisement, ip6("2001:db8::a:0:202"), ip6("fe80::ff:fe00:101"), ip6("2001:db8::a:0:202"), kEdge, true,
          true, true}},
        // IPv6(src='fe80::ff:fe00:202', dst='ff02::1', hlim=255)/
        // ICMPv6ND_NA(R=0, S=0, O=1, tgt='fe80::ff:fe00:202')/ICMPv6NDOptDstLLAddr(lladdr='02:00:00:00:02:02')
        {"advertisement to all nodes",
         "6000000000203aff fe80000000000000000000fffe000202 ff020000000000000000000000000001 8800539820000000 "
         "fe80000000000000000000fffe000202 0201020000000202",
         {advertisement, ip6("fe80::ff:fe00:202"), ip6("ff02::1"), ip6("fe80::ff:fe00:202"), kEdge, false, false,
          true}},
        // IPv6(src='2001:db8::2', dst='2001:db8::1', hlim=255)/ICMPv6ND_NA(R=0, S=1, O=0, tgt='2001:db8::2')
        {"advertisement without option",
         "6000000000183aff 20010db8000000000000000000000002 20010db8000000000000000000000001 8800ae7c40000000 "
         "20010db8000000000000000000000002",
         {advertisement, ip6("2001:db8::2"), ip6("2001:db8::1"), ip6("2001:db8::2"), {}, false, true, false}},
    };
    return all;
}
// The goldens that the rules below are broken in.
Octets solicitation_octets() {
    return from_hex(golden()[0].hex);
}
Octets probe_octets() {
    return from_hex(golden()[1].hex);
}
Octets advertisement_octets() {
    return from_hex(golden()[3].hex);
}

// IPv6(src='fe80::ff:fe00:101', dst='ff02::1:ff00:202', hlim=255, tc=0xc0, fl=0x12345)/
// ICMPv6ND_NS(tgt='2001:db8::a:0:202')/ICMPv6NDOptUnknown(type=14, len=1, data=b'\1\2\3\4\5\6')/
// ICMPv6NDOptSrcLLAddr(lladdr='02:00:00:00:01:01')/ICMPv6NDOptMTU(mtu=1500)
constexpr const char* kManyOptions =
    "6c01234500303aff fe80000000000000000000fffe000101 ff0200000000000000000001ff000202 8700245b00000000 "
    "20010db8000000000000000a00000202 0e01010203040506 0101020000000101 05010000000005dc";

std::optional<NdMessage> parse(const Octets& octets, std::size_t length) {
    const Cut cut(octets, length);
    return parse_nd(*reinterpret_cast<const Ipv6*>(cut.data()), static_cast<unsigned>(length));
}
std::optional<NdMessage> parse(const Octets& octets) {
    return parse(octets, octets.size());
}

/// RFC 8200 §8.1, one octet at a time: the sum over pseudo-header and message, 0xffff if the checksum is right.
std::uint32_t plain_sum(const Octets& octets, std::size_t payload) {
    std::uint64_t sum = payload + 58;
    for (std::size_t i = 8; i < 40 + payload; ++i) { sum += i % 2 == 0 ? octets[i] * 256U : octets[i]; }
    while (sum > 0xffff) { sum = (sum & 0xffffU) + (sum >> 16U); }
    return static_cast<std::uint32_t>(sum);
}

std::size_t payload_of(const Octets& octets) {
    return octets[4] * 256U + octets[5];
}

/// Payload length and checksum made right after a change, so that nothing else is wrong with the packet.
Octets mended(Octets octets) {
    const auto payload = octets.size() - 40;
    octets[4] = static_cast<std::uint8_t>(payload / 256);
    octets[5] = static_cast<std::uint8_t>(payload % 256);
    octets[kChecksum] = octets[kChecksum + 1] = 0;
    const auto checksum = ~plain_sum(octets, payload);
    octets[kChecksum] = static_cast<std::uint8_t>(checksum >> 8U);
    octets[kChecksum + 1] = static_cast<std::uint8_t>(checksum);
    return octets;
}

Octets with(Octets octets, std::size_t at, const Octets& values) {
    std::copy(values.begin(), values.end(), octets.begin() + static_cast<std::ptrdiff_t>(at));
    return mended(octets);
}
Octets with_address(const Octets& octets, std::size_t at, const char* address) {
    const auto value = ip6(address);
    Octets wire(16);
    for (std::size_t i = 0; i < 16; ++i) {
        wire[i] = static_cast<std::uint8_t>((i < 8 ? value.high : value.low) >> (56 - i % 8 * 8));
    }
    return with(octets, at, wire);
}
Octets with_options(Octets octets, std::string_view options) {
    octets.resize(kOptions);
    for (const auto octet : from_hex(options)) { octets.push_back(octet); }
    return mended(octets);
}

TEST(NeighbourDiscovery, ReadsAndWritesAsScapyDoes) {
    for (const auto& [what, hex, message] : golden()) {
        SCOPED_TRACE(what);
        const auto octets = from_hex(hex);
        EXPECT_EQ(parse(octets), message);
        Octets out(kNdMaxLength, 0xa5);
        const auto length = write_nd(out.data(), message);
        ASSERT_EQ(length, octets.size());
        for (std::size_t i = length; i < out.size(); ++i) { EXPECT_EQ(out[i], 0xa5); }
        out.resize(length);
        EXPECT_EQ(out, octets);
        EXPECT_EQ(mended(octets), octets) << "the test's own checksum";
    }
    EXPECT_EQ(parse(from_hex(kManyOptions)), golden()[0].message) << "class, flow label, other options";
}

TEST(NeighbourDiscovery, EveryTruncation) {
    for (const auto& [what, hex, message] : golden()) {
        const auto octets = from_hex(hex);
        for (std::size_t length = 0; length < octets.size(); ++length) {
            EXPECT_FALSE(parse(octets, length)) << what << ' ' << length;
            if (length < kFlags) { continue; }
            // Shorter by its own words too, alone and with the rest as padding: valid only if it ends between options.
            auto shorter = mended({octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(length)});
            EXPECT_EQ(parse(shorter).has_value(), length == kOptions) << what << ' ' << length;
            shorter.insert(shorter.end(), octets.begin() + static_cast<std::ptrdiff_t>(length), octets.end());
            EXPECT_EQ(parse(shorter).has_value(), length == kOptions) << what << ' ' << length;
        }
        auto padded = octets;
        padded.resize(octets.size() + 9, 0xa5);
        EXPECT_EQ(parse(padded), message) << what << ": padding is not read";
    }
}

TEST(NeighbourDiscovery, EveryBitCounts) {
    for (const auto& [what, hex, message] : golden()) {
        for (std::size_t bit = 0; bit < from_hex(hex).size() * 8; ++bit) {
            auto octets = from_hex(hex);
            octets[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> bit % 8);
            const bool class_or_flow = bit >= 4 && bit < 32;  // not under the checksum, and of no matter
            EXPECT_EQ(parse(octets), class_or_flow ? std::optional(message) : std::nullopt) << what << " bit " << bit;
        }
    }
}

TEST(NeighbourDiscovery, RulesOfBoth) {
    for (const auto& octets : {solicitation_octets(), advertisement_octets()}) {
        ASSERT_TRUE(parse(octets));
        for (const auto hops : Octets{0, 1, 64, 254}) { EXPECT_FALSE(parse(with(octets, 7, {hops}))); }
        for (const auto code : Octets{1, 128, 255}) { EXPECT_FALSE(parse(with(octets, kCode, {code}))); }
        for (unsigned type = 0; type < 256; ++type) {
            const bool ours = type == 135 || type == 136;
            const auto other = with(octets, kType, {static_cast<std::uint8_t>(type)});
            EXPECT_EQ(parse(other).has_value(), ours) << type;
        }
        for (unsigned next = 0; next < 256; ++next) {
            auto other = octets;
            other[6] = static_cast<std::uint8_t>(next);
            EXPECT_EQ(parse(other).has_value(), next == 58) << next;
        }
        for (unsigned version = 0; version < 16; ++version) {
            const auto other = with(octets, 0, {static_cast<std::uint8_t>(version << 4U)});
            EXPECT_EQ(parse(other).has_value(), version == 6) << version;
        }
        auto checksum = octets;
        std::swap(checksum[kChecksum], checksum[kChecksum + 1]);
        EXPECT_FALSE(parse(checksum));

        EXPECT_FALSE(parse(with_address(octets, kTarget, "ff02::1:ff00:202")));
        EXPECT_FALSE(parse(with_address(octets, kTarget, "ff00::")));
        EXPECT_TRUE(parse(with_address(octets, kTarget, "feff::")));
        EXPECT_FALSE(parse(with_address(octets, 8, "ff02::1"))) << "source";
        EXPECT_TRUE(parse(with_address(octets, 8, "fe80::1"))) << "source";
    }
}

TEST(NeighbourDiscovery, OptionsAreLongerThanNothingAndInside) {
    for (const auto& octets : {solicitation_octets(), advertisement_octets()}) {
        for (const auto* bad :
             {"0e00000000000000", "0100020000000101", "0200020000000101", "0e02000000000000", "0102020000000101",
              "0eff000000000000", "0e01000000000000 0e00000000000000", "0e01000000000000 0e02000000000000",
              "0e00000000000000 0e01000000000000", "01", "0e01", "0e000000", "0e010000000000", "0e01000000000000 0e",
              "0e02000000000000 00000000000000"}) {
            EXPECT_FALSE(parse(with_options(octets, bad))) << bad;
        }
        for (const auto* good : {"", "0001000000000000", "ff01000000000000", "0e02000000000000 0000000000000000",
                                 "0e01000000000000 0e01000000000000 0e01000000000000"}) {
            const auto message = parse(with_options(octets, good));
            ASSERT_TRUE(message) << good;
            EXPECT_FALSE(message->link_address) << good;
        }
        std::string many;
        for (int i = 0; i < 170; ++i) { many += "0e01000000000000"; }
        EXPECT_TRUE(parse(with_options(octets, many)));
        EXPECT_FALSE(parse(with_options(octets, many + "0e00000000000000")));
    }
}

TEST(NeighbourDiscovery, WhichLinkAddress) {
    const struct {
        const char* options;
        std::optional<Mac> source, target;  // read from a solicitation and from an advertisement
    } cases[] = {
        {"0101020000000101", kCustomer, {}},
        {"0201020000000202", {}, kEdge},
        {"0101020000000101 0201020000000202", kCustomer, kEdge},
        {"0201020000000202 0101020000000101", kCustomer, kEdge},
        {"0e02000000000000 0101020000000101 0101020000000101", kCustomer, {}},
        {"0101020000000101 0101020000000202", kCustomer, {}},  // the first
        {"0102020000000101 0201020000000202", {}, {}},         // two units; what looks like an option is inside it
        {"0202020000000202 0000000000000000", {}, {}},
        {"0101000000000000 0201000000000000", {}, {}},
        {"0101ffffffffffff 0201ffffffffffff", {}, {}},
        {"0101030000000101 0201333300000001", {}, {}},
        {"0101000000000001 0201fe0000000000", Mac{{0, 0, 0, 0, 0, 1}}, Mac{{0xfe, 0, 0, 0, 0, 0}}},
    };
    for (const auto& [options, source, target] : cases) {
        const auto asked = parse(with_options(solicitation_octets(), options));
        const auto said = parse(with_options(advertisement_octets(), options));
        ASSERT_TRUE(asked && said) << options;
        EXPECT_EQ(asked->link_address, source) << options;
        EXPECT_EQ(said->link_address, target) << options;
    }
}

TEST(NeighbourDiscovery, RulesOfSolicitations) {
    const auto probe = probe_octets();
    ASSERT_TRUE(parse(probe));
    for (const auto* to : {"ff02::1:ff00:0", "ff02::1:ffff:ffff", "ff02::1:ff12:3456"}) {
        EXPECT_TRUE(parse(with_address(probe, 24, to))) << to;
    }
    for (const auto* to : {"ff02::1", "ff02::2", "ff05::1:ff00:202", "ff02::1:fe00:202", "ff02::2:ff00:202",
                           "ff02:0:0:1::1:ff00:202", "2001:db8::a:0:202", "::"}) {
        EXPECT_FALSE(parse(with_address(probe, 24, to))) << to;
        EXPECT_TRUE(parse(with_address(solicitation_octets(), 24, to))) << to << ", not from ::";
    }
    for (const auto* option : {"0101020000000101", "0101000000000000", "0102020000000101 0000000000000000"}) {
        EXPECT_FALSE(parse(with_options(probe, option))) << option;
    }
    EXPECT_TRUE(parse(with_options(probe, "0201020000000101")));
    EXPECT_TRUE(parse(with_options(probe, "0e01020000000101"))) << "a nonce (RFC 7527)";
    // The field is reserved: not read, and written as zero.
    EXPECT_EQ(parse(with(solicitation_octets(), kFlags, {0xff, 0xff, 0xff, 0xff})), golden()[0].message);
    auto flagged = golden()[0].message;
    flagged.router = flagged.solicited = flagged.override_entry = true;
    Octets out(kNdMaxLength);
    out.resize(write_nd(out.data(), flagged));
    EXPECT_EQ(out, solicitation_octets());
}

TEST(NeighbourDiscovery, RulesOfAdvertisements) {
    for (unsigned flags = 0; flags < 256; ++flags) {
        auto expected = golden()[3].message;
        expected.router = (flags & 0x80U) != 0;
        expected.solicited = (flags & 0x40U) != 0;
        expected.override_entry = (flags & 0x20U) != 0;
        const auto octets = with(advertisement_octets(), kFlags, {static_cast<std::uint8_t>(flags), 0xff, 0xff, 0xff});
        EXPECT_EQ(parse(octets), expected) << flags;
        for (const auto* to : {"ff02::1", "ff02::1:ff00:101", "ff00::"}) {
            EXPECT_EQ(parse(with_address(octets, 24, to)).has_value(), !expected.solicited) << flags << ' ' << to;
        }
    }
}

/// The rules once more, octet by octet.
bool acceptable(const Octets& octets, std::size_t length) {
    if (length < 64 || octets[0] >> 4U != 6 || octets[6] != 58 || octets[7] != 255) { return false; }
    const auto payload = payload_of(octets);
    if (payload < 24 || 40 + payload > length || plain_sum(octets, payload) != 0xffff) { return false; }
    const bool ns = octets[kType] == 135;
    if ((!ns && octets[kType] != 136) || octets[kCode] != 0) { return false; }
    if (octets[kTarget] == 0xff || octets[8] == 0xff) { return false; }
    bool source_option = false;
    std::size_t at = kOptions;
    while (at < 40 + payload) {
        if (at + 1 >= 40 + payload || octets[at + 1] == 0) { return false; }
        source_option = source_option || octets[at] == 1;
        at += octets[at + 1] * 8U;
    }
    if (at != 40 + payload) { return false; }
    if (!ns) { return octets[24] != 0xff || (octets[kFlags] & 0x40U) == 0; }
    if (Octets(octets.begin() + 8, octets.begin() + 24) != Octets(16)) { return true; }
    const auto to_node = from_hex("ff0200000000000000000001ff");
    return std::equal(to_node.begin(), to_node.end(), octets.begin() + 24) && !source_option;
}

TEST(NeighbourDiscovery, BitsAndLengthsAtRandom) {
    std::mt19937 random(3);
    int accepted = 0;
    int refused = 0;
    for (int i = 0; i < 200'000; ++i) {
        const auto pick = random() % (golden().size() + 1);
        auto octets = from_hex(pick < golden().size() ? golden()[pick].hex : kManyOptions);
        if (random() % 4 == 0) { octets.resize(kFlags + random() % 60, static_cast<std::uint8_t>(random() % 4)); }
        if (random() % 4 == 0) { octets[4 + random() % 2] = static_cast<std::uint8_t>(random()); }
        for (auto flips = random() % 4; flips > 0; --flips) {
            const auto start = random() % 2 == 0 ? 0 : kType;  // half of them in what the checksum covers
            octets[start + random() % (octets.size() - start)] ^= static_cast<std::uint8_t>(1U << random() % 8);
        }
        if (random() % 4 != 0) { octets = mended(octets); }
        if (random() % 4 == 0) { octets.resize(octets.size() + random() % 30, static_cast<std::uint8_t>(random())); }
        const auto length = random() % 4 != 0 ? octets.size() : random() % (octets.size() + 1);
        const auto message = parse(octets, length);
        ASSERT_EQ(message.has_value(), acceptable(octets, length)) << i;
        (message ? accepted : refused) += 1;
        if (!message) { continue; }
        Octets out(kNdMaxLength);
        out.resize(write_nd(out.data(), *message));
        ASSERT_EQ(parse(out), message) << i;
    }
    EXPECT_GT(accepted, 40'000);
    EXPECT_GT(refused, 40'000);
}

TEST(NeighbourDiscovery, Addresses) {
    // RFC 4291 §2.7.1 has the example of the group, RFC 2464 §4 and RFC 4291 Appendix A those of the identifier.
    EXPECT_EQ(solicited_node(ip6("4037::01:800:200e:8c6c")), ip6("ff02::1:ff0e:8c6c"));
    EXPECT_EQ(solicited_node(ip6("::")), ip6("ff02::1:ff00:0"));
    EXPECT_EQ(solicited_node(ip6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), ip6("ff02::1:ffff:ffff"));
    EXPECT_EQ(multicast_mac(ip6("ff02::1")), (Mac{{0x33, 0x33, 0, 0, 0, 1}}));
    EXPECT_EQ(multicast_mac(ip6("ff02::1:ff0e:8c6c")), (Mac{{0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c}}));
    EXPECT_EQ(link_local(Mac{{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}}), ip6("fe80::3656:78ff:fe9a:bcde"));
    EXPECT_EQ(link_local(kCustomer), ip6("fe80::ff:fe00:101"));
    EXPECT_TRUE(is_link_local(ip6("fe80::")));
    EXPECT_TRUE(is_link_local(ip6("febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    EXPECT_FALSE(is_link_local(ip6("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    EXPECT_FALSE(is_link_local(ip6("fec0::")));
    EXPECT_FALSE(is_link_local(ip6("::")));
}

}  // namespace ndisc_test
}  // namespace peerlane
