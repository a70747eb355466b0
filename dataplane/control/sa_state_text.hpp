// What the state file of an edge looks like: lines for a person, sealed by a digest for the machine.
//
//     peerlane sa-state 2
//     saved_ns 1767225600000000000
//     generation 17
//     boot 00112233445566778899aabbccddeeff
//     up_ns 86400000000000
//     fingerprint way number sequence packets bytes age_ns
//     000102030405060708090a0b0c0d0e0f in 8193 4711 4711 301504 86400000000000
//     000102030405060708090a0b0c0d0e0f out 0 65536 4242 271488 86400000000000
//     sha256 (64 hex digits)
//
// Version 1 had no generation, boot and up_ns; it is read, for an edge that was brought up to date.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "dataplane/control/elapsed.hpp"
#include "dataplane/tables/sa_memory.hpp"

namespace peerlane::dataplane {

/// Which one of all that were saved, and when by the machine's own count.
struct Saving {
    std::uint64_t generation = 0;  // one more than the one before; 0: version 1, which does not say
    BootId boot{};
    Nanoseconds up = 0;
    bool operator==(const Saving&) const = default;
};

struct SaState {
    Nanoseconds saved = 0;  // wall clock, since 1970
    SaMemory memory;
    Saving saving{};
};

/// One line for each record: the cipher key's fingerprint, `out` or `in`, lane or SPI, and the record's numbers, all
/// decimal. A state has exactly one text.
std::string to_text(const SaMemory& memory, Nanoseconds saved, const Saving& saving = {});

/// The state, or what is wrong with the text and in which line. Nothing but what to_text() makes is taken.
std::expected<SaState, std::string> parse_sa_state(std::string_view text);

}  // namespace peerlane::dataplane
