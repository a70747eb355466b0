// What the state file of an edge looks like: lines for a person, sealed by a digest for the machine.
//
//     peerlane sa-state 1
//     saved_ns 1767225600000000000
//     fingerprint way number sequence packets bytes age_ns
//     000102030405060708090a0b0c0d0e0f in 8193 4711 4711 301504 86400000000000
//     000102030405060708090a0b0c0d0e0f out 0 65536 4242 271488 86400000000000
//     sha256 (64 hex digits)
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "dataplane/tables/sa_memory.hpp"

namespace peerlane::dataplane {

struct SaState {
    Nanoseconds saved = 0;  // wall clock, since 1970
    SaMemory memory;
};

/// One line for each record: the cipher key's fingerprint, `out` or `in`, lane or SPI, and the record's numbers, all
/// decimal. A state has exactly one text.
std::string to_text(const SaMemory& memory, Nanoseconds saved);

/// The state, or what is wrong with the text and in which line. Nothing but what to_text() makes is taken.
std::expected<SaState, std::string> parse_sa_state(std::string_view text);

}  // namespace peerlane::dataplane
