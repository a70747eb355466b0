// Wire layouts: Ethernet, 802.1Q, IPv4, IPv6, TCP, ICMP, GRE. Every struct has alignment 1 and may lie anywhere in a
// packet.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>

namespace peerlane {

static_assert(std::endian::native == std::endian::little, "written for little-endian machines");

/// A 16-bit number in network byte order.
struct Be16 {
    std::uint8_t octets[2];
    [[nodiscard]] std::uint16_t get() const noexcept {
        std::uint16_t value;
        std::memcpy(&value, octets, 2);
        return __builtin_bswap16(value);
    }
    void set(std::uint16_t value) noexcept {
        value = __builtin_bswap16(value);
        std::memcpy(octets, &value, 2);
    }
};

/// A 32-bit number in network byte order.
struct Be32 {
    std::uint8_t octets[4];
    [[nodiscard]] std::uint32_t get() const noexcept {
        std::uint32_t value;
        std::memcpy(&value, octets, 4);
        return __builtin_bswap32(value);
    }
    void set(std::uint32_t value) noexcept {
        value = __builtin_bswap32(value);
        std::memcpy(octets, &value, 4);
    }
};

/// A 64-bit number in network byte order.
struct Be64 {
    std::uint8_t octets[8];
    [[nodiscard]] std::uint64_t get() const noexcept {
        std::uint64_t value;
        std::memcpy(&value, octets, 8);
        return __builtin_bswap64(value);
    }
    void set(std::uint64_t value) noexcept {
        value = __builtin_bswap64(value);
        std::memcpy(octets, &value, 8);
    }
};

namespace ether {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kVlan = 0x8100;   // 802.1Q C-TAG
inline constexpr std::uint16_t kSvlan = 0x88a8;  // 802.1ad S-TAG
inline constexpr std::uint16_t kQinq = 0x9100;   // the pre-standard S-TAG
inline constexpr std::uint16_t kIpv6 = 0x86dd;

/// The TPIDs that every access port accepts in an outer tag.
constexpr bool is_tpid(std::uint16_t type) noexcept {
    return type == kVlan || type == kSvlan || type == kQinq;
}

/// Every TPID that a port may be configured for; the place in the list is the bit in a set of TPIDs.
inline constexpr std::uint16_t kTpids[] = {kVlan, kSvlan, kQinq, 0x9200, 0x9300};
/// The set with this TPID alone; 0 if it is none.
constexpr std::uint8_t tpid_bit(std::uint16_t type) noexcept {
    for (unsigned i = 0; i < std::size(kTpids); ++i) {
        if (type == kTpids[i]) { return static_cast<std::uint8_t>(1U << i); }
    }
    return 0;
}
inline constexpr std::uint8_t kUsualTpids = tpid_bit(kVlan) | tpid_bit(kSvlan) | tpid_bit(kQinq);

/// Ethernet II, 14 octets.
struct Header {
    std::uint8_t destination[6];
    std::uint8_t source[6];
    Be16 type;
};

/// What follows a TPID: tag control information, then the next EtherType (802.1Q §9.6).
struct Tag {
    Be16 tci;
    Be16 type;
};
static_assert(sizeof(Header) == 14 && sizeof(Tag) == 4);
}  // namespace ether

namespace ip {
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kIpv4 = 4;  // IP in IP
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIpv6 = 41;
inline constexpr std::uint8_t kFragment6 = 44;
inline constexpr std::uint8_t kGre = 47;
inline constexpr std::uint8_t kEsp = 50;
inline constexpr std::uint8_t kIcmp6 = 58;
inline constexpr std::uint8_t kHopLimit = 64;  // of every header the edge writes
inline constexpr std::uint8_t kEcnMask = 0x03;
}  // namespace ip

/// RFC 791 §3.1.
struct Ipv4 {
    std::uint8_t version_ihl;
    std::uint8_t tos;
    Be16 total_length;
    Be16 id;
    Be16 fragment;  // flags and offset
    std::uint8_t ttl;
    std::uint8_t protocol;
    Be16 checksum;
    Be32 source;
    Be32 destination;

    static constexpr std::uint16_t kDontFragment = 0x4000;
    static constexpr std::uint16_t kMoreFragments = 0x2000;
    static constexpr std::uint16_t kOffsetMask = 0x1fff;  // in units of 8 octets

    [[nodiscard]] unsigned header_length() const noexcept { return (version_ihl & 0x0fU) * 4U; }
    [[nodiscard]] unsigned fragment_offset() const noexcept { return fragment.get() & kOffsetMask; }
    [[nodiscard]] bool is_fragment() const noexcept { return (fragment.get() & (kMoreFragments | kOffsetMask)) != 0; }
};
static_assert(sizeof(Ipv4) == 20);

/// RFC 8200 §3.
struct Ipv6 {
    Be32 version_class_flow;
    Be16 payload_length;
    std::uint8_t next_header;
    std::uint8_t hop_limit;
    Be64 source_high, source_low;
    Be64 destination_high, destination_low;

    [[nodiscard]] std::uint8_t traffic_class() const noexcept {
        return static_cast<std::uint8_t>(version_class_flow.get() >> 20U);
    }
};
static_assert(sizeof(Ipv6) == 40);

/// RFC 8200 §4.5.
struct Fragment6 {
    std::uint8_t next_header;
    std::uint8_t reserved;
    Be16 fragment;  // offset and flags
    Be32 id;

    [[nodiscard]] unsigned offset() const noexcept { return fragment.get() >> 3U; }  // in units of 8 octets
};
static_assert(sizeof(Fragment6) == 8);

/// RFC 792 and RFC 4443: type, code, checksum and the four octets each type uses its own way.
struct Icmp {
    std::uint8_t type;
    std::uint8_t code;
    Be16 checksum;
    Be32 rest;
};
static_assert(sizeof(Icmp) == 8);

/// RFC 768.
struct Udp {
    Be16 source, destination;
    Be16 length, checksum;
};
static_assert(sizeof(Udp) == 8);

/// RFC 9293 §3.1, the fixed part.
struct Tcp {
    Be16 source_port, destination_port;
    Be32 sequence, acknowledgement;
    std::uint8_t data_offset;  // high four bits, in 32-bit words
    std::uint8_t flags;
    Be16 window, checksum, urgent;

    static constexpr std::uint8_t kSyn = 0x02;
};
static_assert(sizeof(Tcp) == 20);

/// RFC 2784 §2.1 with RFC 2890: flags and version, protocol type; then checksum, key, sequence as the flags say.
struct Gre {
    Be16 flags;
    Be16 protocol;

    static constexpr std::uint16_t kChecksum = 0x8000;  // bit 0
    static constexpr std::uint16_t kKey = 0x2000;       // bit 2
    static constexpr std::uint16_t kSequence = 0x1000;  // bit 3
    /// Bits 1, 4 and 5 and the version: anything set here is discarded (RFC 2784 §2.3 with RFC 2890 §2); bits 6 .. 12
    /// are ignored.
    static constexpr std::uint16_t kMustBeZero = 0x4000 | 0x0800 | 0x0400 | 0x0007;
};
static_assert(sizeof(Gre) == 4);

}  // namespace peerlane
