// The other end of protected tunnels, and the cipher keys of both. One cipher key may be configured under AES-GCM or
// under AES-CBC: the suites are told apart here, the keys by a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/esp_suite.hpp"
#include "tests/pipeline/packet.hpp"

namespace peerlane::fuzz {

using test::Octets;

/// Key material as the configuration wants it: the cipher key depends on `number` alone.
Octets material(EspSuite suite, unsigned number);
std::string hex_key(EspSuite suite, unsigned number);

struct EspKey {
    EspSuite suite = EspSuite::aes_gcm_128;
    unsigned number = 0;
    bool esn = false;
};

/// From the SPI to the ICV around `payload`, padded as RFC 4303 §2.4 says.
Octets seal(const EspKey& key, std::uint32_t spi, std::uint64_t sequence, const Octets& payload, unsigned next_header,
            std::uint64_t lane = 0);
/// The same around text that is taken as it is: payload, padding, pad length, next header. Cut to whole blocks.
Octets seal_text(const EspKey& key, std::uint32_t spi, std::uint64_t sequence, Octets text, std::uint64_t lane = 0);

/// The payload and the IV of an ESP packet; nothing if it is not authentic.
struct Opened {
    Octets payload;
    std::uint64_t iv = 0;  // of counter modes
};
std::optional<Opened> open_esp(const EspKey& key, const std::uint8_t* esp, std::size_t size,
                               std::uint32_t sequence_high = 0);

}  // namespace peerlane::fuzz
