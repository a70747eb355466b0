// The configurations between which the stateful target reloads: two customers whose tags, GRE keys and SAs change
// hands, one cipher key under several suites, buckets of two sizes. A byte names one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/types.hpp"
#include "tests/fuzz/peer.hpp"

namespace peerlane::fuzz {

inline constexpr unsigned kAccess0 = 0, kCore = 1, kAccess1 = 2, kPorts = 3;
inline constexpr unsigned kCustomers = 2;  // contoso, fabrikam; both a pair over access0 and access1
inline constexpr unsigned kNobody = 9;
inline constexpr const char* kPortMac[] = {"02:00:00:00:00:00", "02:00:00:00:00:01", "02:00:00:00:00:02"};
inline constexpr const char* kRouterMac[] = {"02:00:00:00:01:01", "02:00:00:00:02:02"};
inline constexpr const char* kGatewayMac = "02:00:00:00:00:fe";
inline constexpr const char* kLocal = "192.0.2.1";
inline constexpr const char* kRemote[] = {"198.51.100.7", "198.51.100.8"};  // protected tunnels, clear ones
inline constexpr unsigned kAccessMtu[] = {1600, 1300};                      // by link

/// What the wire says: which tags, GRE key or SAs. Whose they are is the variant's.
struct Variant {
    std::uint8_t bits = 0;

    static constexpr std::uint8_t kTags = 1, kKeys = 2, kSas = 4, kSuite = 24, kGenerous = 32, kAlone = 64,
                                  kTurned = 128;
    [[nodiscard]] bool has(std::uint8_t bit) const noexcept { return (bits & bit) != 0; }
    [[nodiscard]] unsigned suite() const noexcept { return bits >> 3U & 3U; }  // of set 0

    /// There is such a customer.
    [[nodiscard]] bool there(unsigned customer) const noexcept { return customer == 0 || !has(kAlone); }
    // The customer that has them, kNobody for none; and the other way round.
    [[nodiscard]] unsigned by_tags(unsigned set) const noexcept { return owner(set, has(kTags)); }
    [[nodiscard]] unsigned by_key(unsigned set) const noexcept { return owner(set, has(kKeys)); }
    [[nodiscard]] unsigned by_sas(unsigned set) const noexcept { return owner(set, has(kSas)); }
    [[nodiscard]] unsigned tags_of(unsigned customer) const noexcept { return customer ^ (has(kTags) ? 1U : 0U); }
    [[nodiscard]] unsigned keys_of(unsigned customer) const noexcept { return customer ^ (has(kKeys) ? 1U : 0U); }
    [[nodiscard]] unsigned sas_of(unsigned customer) const noexcept { return customer ^ (has(kSas) ? 1U : 0U); }

    /// What the SAs of a set use, as the edge sends and receives.
    [[nodiscard]] EspKey outbound(unsigned set) const noexcept { return {suite_of(set), number(set, true), esn(set)}; }
    [[nodiscard]] EspKey inbound(unsigned set) const noexcept { return {suite_of(set), number(set, false), esn(set)}; }
    [[nodiscard]] unsigned lanes(unsigned set) const noexcept { return set == 0 && suite() == 3 ? 2 : 1; }

  private:
    [[nodiscard]] unsigned owner(unsigned set, bool swapped) const noexcept {
        const unsigned customer = set ^ (swapped ? 1U : 0U);
        return there(customer) ? customer : kNobody;
    }
    [[nodiscard]] EspSuite suite_of(unsigned set) const noexcept {
        return set == 0 && suite() == 1 ? EspSuite::aes_cbc_128_hmac_sha256_128 : EspSuite::aes_gcm_128;
    }
    [[nodiscard]] bool esn(unsigned set) const noexcept { return set == 0 && suite() == 2; }
    [[nodiscard]] unsigned number(unsigned set, bool out) const noexcept {
        return set * 2U + (out != (set == 0 && has(kTurned)) ? 1U : 2U);
    }
};

constexpr unsigned service_vlan(unsigned tags) noexcept {
    return 100 * (tags + 1);
}
constexpr std::uint32_t gre_key(unsigned set, bool clear) noexcept {
    return (clear ? 0x100U : 0x2a00U) + set;
}
constexpr std::uint32_t spi_out(unsigned set) noexcept {
    return 0x1000U + 0x100U * set;
}
constexpr std::uint32_t spi_in(unsigned set) noexcept {
    return 0x2000U + 0x100U * set;
}

/// A circuit's bucket, or a peering's own, as configured. Bits per second and bytes.
struct BucketSize {
    std::uint64_t rate = 0, burst = 0;
};
BucketSize circuit_bucket(Variant variant, unsigned customer);
std::optional<BucketSize> peering_bucket(Variant variant, unsigned customer);
/// What the accounting adds to an IP packet.
constexpr unsigned overhead(unsigned customer) noexcept {
    return customer == 1 ? 22 : 0;
}

/// The file. `spoiled`: 0 not at all, 1 it cannot be read, 2 it needs a restart.
std::string family_text(Variant variant, unsigned workers, const std::string& state_dir, unsigned spoiled = 0);

}  // namespace peerlane::fuzz
