// The cipher suites of ESP, one row each. What a suite is called, how long its parts are and how it pads: nothing else
// in the tree says so again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peerlane {

enum class EspSuite : std::uint8_t {
    aes_gcm_128,
    aes_gcm_256,
    aes_cbc_128_hmac_sha256_128,
    aes_cbc_256_hmac_sha256_128,
    chacha20_poly1305
};

/// Lengths in octets.
struct EspSuiteRow {
    std::string_view name;  // in the configuration
    std::uint8_t cipher_key;
    std::uint8_t salt;                // part of the nonce, behind the cipher key in the key material; 0: none
    std::uint8_t authentication_key;  // behind the cipher key in the key material; 0: the cipher authenticates
    std::uint8_t iv;                  // in every packet, before the ciphertext
    std::uint8_t block;               // the ciphertext is a multiple of this (RFC 4303 §2.4), a power of two
    std::uint8_t icv;                 // behind the ciphertext
    bool counter_mode;                // a nonce used twice betrays both packets

    /// What the configuration gives: cipher key, then salt or authentication key.
    [[nodiscard]] constexpr unsigned material() const noexcept {
        return unsigned{cipher_key} + salt + authentication_key;
    }
};

inline constexpr std::array<EspSuiteRow, 5> kEspSuites{{
    {"aes-gcm-128", 16, 4, 0, 8, 4, 16, true},                      // RFC 4106
    {"aes-gcm-256", 32, 4, 0, 8, 4, 16, true},                      // RFC 4106
    {"aes-cbc-128-hmac-sha256-128", 16, 0, 32, 16, 16, 16, false},  // RFC 3602, RFC 4868
    {"aes-cbc-256-hmac-sha256-128", 32, 0, 32, 16, 16, 16, false},  // RFC 3602, RFC 4868
    {"chacha20-poly1305", 32, 4, 0, 8, 4, 16, true},                // RFC 7634
}};

constexpr const EspSuiteRow& row(EspSuite suite) noexcept {
    return kEspSuites[static_cast<std::size_t>(suite)];
}

/// ESP header and trailer: SPI and sequence number before, pad length and next header behind (RFC 4303 §2).
inline constexpr unsigned kEspHeader = 8;
inline constexpr unsigned kEspTrailer = 2;

/// Octets from the SPI to the end of the ICV around `payload` octets of plaintext.
constexpr unsigned esp_sealed(EspSuite suite, unsigned payload) noexcept {
    const auto& s = row(suite);
    const unsigned text = (payload + kEspTrailer + s.block - 1U) & ~(s.block - 1U);
    return kEspHeader + s.iv + text + s.icv;
}
/// The longest plaintext that fits into `octets` from the SPI to the end of the ICV; 0 if none does.
constexpr unsigned esp_fits(EspSuite suite, unsigned octets) noexcept {
    const auto& s = row(suite);
    const unsigned fixed = kEspHeader + s.iv + s.icv;
    if (octets < fixed + s.block) { return 0; }
    return ((octets - fixed) & ~(s.block - 1U)) - kEspTrailer;
}

}  // namespace peerlane
