// (local, remote, key) → tunnel, and the packet inside (RFC 2784 §2, RFC 2890 §2, RFC 6040 §4.2).
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/ecn.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

namespace detail {
/// Checksum over GRE header and payload, with the checksum field as sent (RFC 2784 §2.3).
[[gnu::noinline, gnu::cold]] inline bool gre_checksum_ok(const std::uint8_t* gre, unsigned length) noexcept {
    return fold(sum_words(gre, length)) == 0xffff;
}

/// A GRE packet that says nothing valid: that of others is nobody's business.
[[gnu::noinline, gnu::cold]] inline void refuse_gre(Worker& worker, Burst& burst, std::uint32_t slot,
                                                    Fate why) noexcept {
    const auto& identity = burst.identity[slot];
    const bool opened = burst.sa[slot] != 0;
    const Fate stranger =
        opened ? Fate::unknown_tunnel : judge_stranger(*worker.snapshot, {identity.local_high, identity.local_low});
    const Fate short_of = opened ? Fate::esp_inner_truncated : Fate::outer_truncated;
    burst.end(slot, stranger != Fate::unknown_tunnel ? stranger : why == Fate::truncated ? short_of : why);
}

/// No tunnel has this identity: what was sealed for another tunnel than it claims, what should have been sealed, or a
/// stranger.
[[gnu::noinline, gnu::cold]] inline void refuse_tunnel(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    table::TunnelIdentity identity = burst.identity[slot];
    if (burst.sa[slot] != 0) {
        bump(worker.state.sa_faults[burst.sa[slot] - 1].refused);
        burst.end(slot, Fate::esp_wrong_tunnel);
        return;
    }
    identity.sa = kAnySa;
    if (const auto* entry = worker.snapshot->tunnel_table.find(identity)) {
        burst.tunnel[slot] = entry->payload.tunnel;
        burst.end(slot, Fate::clear_refused);
        return;
    }
    burst.end(slot, judge_stranger(*worker.snapshot, {identity.local_high, identity.local_low}));
}
}  // namespace detail

/// Reads the GRE header: l3 and left become the inner packet's, type the protocol; completes identity and hashes it.
inline void parse_gre(Worker& worker, Burst& burst) noexcept {
    const auto& table = worker.snapshot->tunnel_table;
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint8_t* header = burst.l3[slot];
        const unsigned length = burst.gre_length[slot];
        const auto& gre = *reinterpret_cast<const Gre*>(header);
        const unsigned flags = gre.flags.get();
        const bool keyed = (flags & Gre::kKey) != 0;
        const bool summed = (flags & Gre::kChecksum) != 0;
        const unsigned size = 4U + (summed ? 4U : 0U) + (keyed ? 4U : 0U) + ((flags & Gre::kSequence) != 0 ? 4U : 0U);
        if ((flags & Gre::kMustBeZero) != 0 || size > length || summed) [[unlikely]] {
            const bool malformed = (flags & Gre::kMustBeZero) != 0;
            if (malformed || size > length || !detail::gre_checksum_ok(header, length)) {
                const Fate why = malformed       ? Fate::gre_bad_header
                                 : size > length ? Fate::truncated
                                                 : Fate::gre_bad_checksum;
                return detail::refuse_gre(worker, burst, slot, why);
            }
        }
        table::TunnelIdentity& identity = burst.identity[slot];
        identity.set_tail(keyed ? reinterpret_cast<const Be32*>(header + (summed ? 8 : 4))->get() : 0, keyed,
                          burst.sa[slot]);
        burst.hash[slot] = table.hash(identity);
        table.prefetch_index(burst.hash[slot]);
        burst.type[slot] = gre.protocol.get();
        burst.l3[slot] += size;
        burst.left[slot] = static_cast<std::uint16_t>(length - size);
    });
    burst.sweep();
}

/// Finds the tunnel; all of the identity must match. From here on every fate is charged to a circuit.
inline void find_tunnel(Worker& worker, Burst& burst) noexcept {
    const auto& table = worker.snapshot->tunnel_table;
    using Entry = table::TunnelTable<TunnelPayload>::Entry;
    const Entry* entries[kBurst];
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        entries[slot] = table.candidate(burst.hash[slot]);
        rte_prefetch0(entries[slot]);
    });
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const Entry* entry = entries[slot];
        if (entry == nullptr || entry->identity != burst.identity[slot]) [[unlikely]] {
            detail::refuse_tunnel(worker, burst, slot);
            return;
        }
        burst.tunnel[slot] = entry->payload.tunnel;
        burst.routes4[slot] = entry->payload.routes4;
        burst.routes6[slot] = entry->payload.routes6;
        burst.clamp_mtu[slot] = entry->payload.clamp_mtu;
        rte_prefetch0(entry->payload.routes4);
    });
    burst.sweep();
}

/// Verifies the inner packet and gives it the congestion marks of the outer one.
inline void gre_decap(Worker& worker, Burst& burst) noexcept {
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const unsigned type = burst.type[slot];
        std::uint8_t* l3 = burst.l3[slot];
        const unsigned version = burst.left[slot] == 0 ? 0 : l3[0] >> 4U;
        if (version != (type == ether::kIpv4 ? 4U : 6U) || (type != ether::kIpv4 && type != ether::kIpv6))
            [[unlikely]] {
            burst.end(slot, burst.left[slot] == 0 ? Fate::truncated : Fate::gre_protocol);
            return;
        }
        parse_ip_slot<false>(*worker.snapshot, burst, slot, 0xffff, false);
        if (burst.fate[slot] != Fate::live) [[unlikely]] { return; }
        const std::uint8_t inner_tos = version == 4 ? l3[1] : reinterpret_cast<const Ipv6*>(l3)->traffic_class();
        const std::uint8_t ecn = ecn_decapsulate(inner_tos, burst.outer_tos[slot]);
        if (ecn == (inner_tos & ip::kEcnMask)) [[likely]] { return; }
        if (ecn == kEcnDrop) {
            burst.end(slot, Fate::ecn_mismatch);
        } else if (version == 4) {
            set_ecn(*reinterpret_cast<Ipv4*>(l3), ecn);
        } else {
            set_ecn(*reinterpret_cast<Ipv6*>(l3), ecn);
        }
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
