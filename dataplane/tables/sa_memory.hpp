// What must outlive an edge about its security associations: which sequence numbers, and so which nonces, a key has
// used.
#pragma once

#include <compare>
#include <cstdint>
#include <map>

#include "lib/base/types.hpp"
#include "lib/ipsec/crypto.hpp"

namespace peerlane::dataplane {

/// Whose state it is. What is sent goes by key and lane, never by SPI: the IV is lane ‖ sequence number, and it is the
/// key under which it must not come again. What is received goes by key and SPI.
struct SaKey {
    ipsec::Fingerprint fingerprint{};
    bool outbound = true;
    std::uint32_t number = 0;  // lane, 0 .. 255, or SPI
    auto operator<=>(const SaKey&) const = default;
};

struct SaRecord {
    /// Outbound: the highest sequence number that may have been used. Inbound: the highest that was authenticated.
    std::uint64_t sequence = 0;
    std::uint64_t packets = 0;  // under this key, all runs together
    std::uint64_t bytes = 0;    // of ESP payload
    Nanoseconds age = 0;        // since the first packet under the key, the time between runs included; 0: none yet
    bool operator==(const SaRecord&) const = default;
};

/// Every key ever seen. Nothing is ever taken out.
using SaMemory = std::map<SaKey, SaRecord>;

/// Outbound keys: the highest sequence number that SAs of this run have used which are gone. A key may have had
/// several, one after another: under another kind of cipher it is another SA. No record goes below this. Nothing is
/// taken out.
using SaFloors = std::map<SaKey, std::uint64_t>;

}  // namespace peerlane::dataplane
