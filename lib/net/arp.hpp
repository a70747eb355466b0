// ARP for IPv4 over Ethernet (RFC 826, RFC 5227): who has an address, and who says so.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/address.hpp"
#include "lib/net/headers.hpp"

namespace peerlane {

/// RFC 826, "Packet format", with Ethernet and IPv4 addresses: what follows the Ethernet header.
struct Arp {
    Be16 hardware_type;
    Be16 protocol_type;  // an EtherType
    std::uint8_t hardware_length;
    std::uint8_t protocol_length;
    Be16 operation;
    std::uint8_t sender_mac[6];
    Be32 sender;
    std::uint8_t target_mac[6];
    Be32 target;

    static constexpr std::uint16_t kEthernet = 1;
    static constexpr std::uint16_t kRequest = 1;
    static constexpr std::uint16_t kReply = 2;
};
static_assert(sizeof(Arp) == 28 && alignof(Arp) == 1);

/// What a packet says; a reply if not a request. A probe has `sender` 0.0.0.0, an announcement `sender` equal to
/// `target` (RFC 5227 §1.1); in both, as in every request, `target_mac` means nothing and is best zero.
struct ArpMessage {
    bool request = true;
    Mac sender_mac;
    Ip4 sender;
    Mac target_mac;
    Ip4 target;
    bool operator==(const ArpMessage&) const = default;
};

/// Octets of a packet; an Ethernet frame pads it.
inline constexpr unsigned kArpLength = sizeof(Arp);

/// Reads the packet at `at`, the first of `length` octets behind the Ethernet header and tags; what follows the packet
/// is padding. nullopt if it is cut short, not for IPv4 over Ethernet, neither request nor reply, or if its sender's
/// MAC is zero or a group's. The IP addresses are as they came: whose they may be is the caller's to know.
std::optional<ArpMessage> parse_arp(const std::uint8_t* at, unsigned length) noexcept;

/// Writes the packet to `out`, which has room for kArpLength octets, and returns that number.
unsigned write_arp(std::uint8_t* out, const ArpMessage& message) noexcept;

}  // namespace peerlane
