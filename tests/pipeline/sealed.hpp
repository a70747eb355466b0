// Protected tunnels for tests: an edge's configuration, and the other end of its tunnel, which seals whatever it is
// told to. Keys and ciphers are the product's (that they are right is checked against others elsewhere); header, IV,
// trailer and nonce are said again here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dataplane/tables/sa_memory.hpp"
#include "lib/base/esp_suite.hpp"
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {

inline constexpr EspSuite kSuites[] = {EspSuite::aes_gcm_128, EspSuite::aes_gcm_256,
                                       EspSuite::aes_cbc_128_hmac_sha256_128, EspSuite::aes_cbc_256_hmac_sha256_128,
                                       EspSuite::chacha20_poly1305};

/// Key material as the configuration wants it, told apart by `mark`.
Octets key_of(EspSuite suite, unsigned mark);

/// One security association as both ends know it.
struct Association {
    EspSuite suite = EspSuite::aes_gcm_128;
    std::uint32_t spi = 0;
    unsigned mark = 0;  // of its key
    bool esn = false;
    unsigned lane = 0;
    unsigned count = 1;  // lanes, on as many SPIs

    /// Its name in an edge's memory.
    [[nodiscard]] dataplane::SaKey out() const;
    [[nodiscard]] dataplane::SaKey in() const;
};

/// What is behind the payload; by default the least padding, 1, 2, 3 …
struct Trailer {
    std::optional<Octets> padding;
    std::optional<unsigned> pad_length;  // as said
};

/// From the SPI to the ICV. With the default padding any payload will do, else text must come out in whole blocks.
Octets seal(const Association& sa, std::uint64_t sequence, const Octets& payload, unsigned next_header,
            const Trailer& trailer = {});

struct Unsealed {
    std::uint32_t spi = 0;
    std::uint32_t sequence = 0;  // as in the header
    Octets iv;
    Octets payload;
    unsigned next_header = 0;
    unsigned pad_length = 0;

    /// A counter-mode IV as a number.
    [[nodiscard]] std::uint64_t number() const {
        std::uint64_t value = 0;
        for (const auto octet : iv) { value = value << 8U | octet; }
        return value;
    }
};
/// Nothing if it is not authentic, or its padding is not 1, 2, 3 … and the least there can be.
std::optional<Unsealed> unseal(const Association& sa, const Octets& esp, std::uint32_t sequence_high = 0);

/// How ESP gets from gateway to gateway.
struct Path {
    std::string local = "192.0.2.1";
    std::string remote = "198.51.100.7";
    bool udp = false;  // in UDP, port 4500 (RFC 3948)
    unsigned tos = 0;
};
/// The frame an edge should make around `esp`, and the one that the other end sends.
Packet sealed_frame(const Path& path, const Octets& esp);
Packet frame_from_peer(const Path& path, const Octets& esp);
/// The ESP packet in a frame from the edge, found by protocol 50 or UDP port 4500; empty if there is none.
Octets esp_in(const Octets& frame);

/// The GRE tunnel `prod` of vpn_edge() and how it is protected.
struct Vpn {
    bool transport = false;
    EspSuite suite = EspSuite::aes_gcm_128;
    bool esn = false;
    bool udp = false;
    bool tunnel6 = false;                    // family of the GRE tunnel
    bool outer6 = false;                     // family of the ESP packet; transport mode has the tunnel's
    std::vector<Association> outbound = {};  // as made by own() if empty
    std::vector<Association> inbound = {};
    std::string more = {};  // further settings: ", esn: true"
    bool clear = false;     // no ipsec at all

    [[nodiscard]] Association own(bool out) const;
    [[nodiscard]] Path path() const;
    /// The delivery header and GRE around `ip`, up or down. `tos` is the delivery header's.
    [[nodiscard]] Packet delivery(bool up, const Packet& ip, unsigned tos = 0) const;
    /// What ESP carries of the delivery: all of it, or what is behind its IP header.
    [[nodiscard]] Octets payload(const Packet& delivery) const;
    [[nodiscard]] unsigned next_header() const;
    /// A frame of the other end, down the tunnel, around `ip`.
    [[nodiscard]] Packet down(std::uint64_t sequence, const Packet& ip, const Association* sa = nullptr) const;
};

/// Every kind of protection there is, and what to call it.
std::vector<Vpn> every_kind();
std::string title(const Vpn& vpn);

/// Contoso's circuit with three tunnels: `prod` (10.100/16) as told, `clear` (10.101/16, remote 198.51.100.8, key 1),
/// and `other` (10.102/16, remote 198.51.100.9, key 2, AES-CBC-256, SPIs 0x1f01 and 0x2f01).
std::string vpn_edge(const Vpn& vpn, const std::string& circuit = "bandwidth: 1 Gbps");
inline constexpr Association kOtherOut{EspSuite::aes_cbc_256_hmac_sha256_128, 0x1f01, 81};
inline constexpr Association kOtherIn{EspSuite::aes_cbc_256_hmac_sha256_128, 0x2f01, 82};

}  // namespace peerlane::test
