// IPv6 neighbour discovery (RFC 4861): neighbour solicitations and advertisements, and the addresses they go to.
#pragma once

#include <cstdint>
#include <optional>

#include "lib/base/address.hpp"
#include "lib/net/headers.hpp"
#include "lib/net/never_forwarded.hpp"

namespace peerlane {

/// What a neighbour solicitation or advertisement says (RFC 4861 §4.3, §4.4).
struct NdMessage {
    enum class Kind : std::uint8_t { solicitation, advertisement } kind = Kind::solicitation;
    Ip6 source, destination;  // of the IPv6 packet
    Ip6 target;
    std::optional<Mac> link_address;  // the sender's in a solicitation, the target's in an advertisement
    bool router = false, solicited = false, override_entry = false;  // R, S, O: advertisements only
    bool operator==(const NdMessage&) const = default;
};

/// Octets of the longest packet write_nd() writes: IPv6 header, message, one link-layer address option.
inline constexpr unsigned kNdMaxLength = 40 + 24 + 8;

/// Reads a solicitation or advertisement that is valid by RFC 4861 §7.1.1 or §7.1.2 and does not come from a group
/// (RFC 4291 §2.7); nullopt for everything else. `packet` is `length` octets from the IPv6 header on, and no more are
/// read whatever the packet says; octets behind its end are padding. ICMPv6 must follow the IPv6 header directly.
/// `link_address` comes from the first option of its type; it is nullopt if that is not of Ethernet's length, or holds
/// zero or a group's MAC.
std::optional<NdMessage> parse_nd(const Ipv6& packet, unsigned length) noexcept;

/// Writes the whole IPv6 packet to `out`, which has room for kNdMaxLength octets, and returns its length. The message
/// must be one that parse_nd() would accept; a solicitation from :: has no `link_address` (RFC 4861 §4.3).
unsigned write_nd(std::uint8_t* out, const NdMessage& message) noexcept;

/// The group that the owner of an address joins (RFC 4291 §2.7.1): ff02::1:ff00:0/104 and the last 24 bits of it.
Ip6 solicited_node(Ip6 address) noexcept;

/// The MAC that packets to an IPv6 group go to (RFC 2464 §7).
Mac multicast_mac(Ip6 group) noexcept;

/// The link-local address made from a MAC (RFC 4291 §2.5.6 with Appendix A).
Ip6 link_local(const Mac& mac) noexcept;

}  // namespace peerlane
