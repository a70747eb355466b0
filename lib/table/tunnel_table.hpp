// Which tunnel a received GRE packet belongs to.
#pragma once

#include <cstdint>
#include <cstring>

#include "lib/base/address.hpp"
#include "lib/table/identity_table.hpp"

namespace peerlane::table {

/// What must agree, all of it, for a packet to be a tunnel's (RFC 2784, RFC 2890 §2.1). Addresses as two halves in
/// host byte order, IPv4 as ::ffff:a.b.c.d; local is the packet's destination.
struct TunnelIdentity {
    std::uint64_t local_high = 0;
    std::uint64_t local_low = 0;
    std::uint64_t remote_high = 0;
    std::uint64_t remote_low = 0;
    std::uint32_t key = 0;          ///< host byte order; 0 where has_key is 0
    std::uint32_t has_key : 1 = 0;  ///< the K bit: key 0 is not "no key"; assign `x & 1U`
    std::uint32_t sa : 31 = 0;      ///< the SA it arrived through, 0 in clear; assign `x & 0x7fff'ffffU`

    /// Key, K bit and SA as one number.
    [[nodiscard]] std::uint64_t tail() const noexcept {
        std::uint64_t number = 0;
        std::memcpy(&number, reinterpret_cast<const char*>(this) + 32, sizeof(number));
        return number;
    }
    /// In one store: tail() of an identity just filled in field by field would wait for the fields to reach the cache.
    void set_tail(std::uint32_t new_key, bool keyed, std::uint32_t new_sa) noexcept {
        const auto number = std::uint64_t{new_key} | std::uint64_t{(keyed ? 1U : 0U) | new_sa << 1U} << 32U;
        std::memcpy(reinterpret_cast<char*>(this) + 32, &number, sizeof(number));
    }
    [[nodiscard, gnu::always_inline]] std::uint64_t hash(const Mix& mix) const noexcept {
        return mixed(local_high ^ mix[0], local_low ^ mix[1]) ^ mixed(remote_high ^ mix[2], remote_low ^ mix[3]) ^
               mixed(tail() ^ mix[4], mix[5]);
    }
    /// Without a key there is no number.
    [[nodiscard]] bool possible() const noexcept { return has_key != 0 || key == 0; }
    static TunnelIdentity none() noexcept { return {.key = 1}; }
    /// Without a branch per field.
    [[gnu::always_inline]] bool operator==(const TunnelIdentity& other) const noexcept {
        return ((local_high ^ other.local_high) | (local_low ^ other.local_low) | (remote_high ^ other.remote_high) |
                (remote_low ^ other.remote_low) | (tail() ^ other.tail())) == 0;
    }
};
static_assert(sizeof(TunnelIdentity) == 40);

/// The low half of an IPv4 address as TunnelIdentity holds it; the high half is 0.
constexpr std::uint64_t mapped(Ip4 address) noexcept {
    return std::uint64_t{0xffff'0000'0000} | address.value;
}

template <class Payload>
using TunnelTable = IdentityTable<TunnelIdentity, Payload>;

}  // namespace peerlane::table
