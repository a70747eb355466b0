// ESP → clear GRE (RFC 4303 §3.4): (scope, SPI) → SA, replay check, one crypto pass over the burst, replay commit,
// padding, and in tunnel mode the delivery header. What comes out goes on to parse_gre with the number of its SA.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/ipsec/esp.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/ecn.hpp"
#include "lib/net/extension_headers.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

namespace detail {

inline Fate fate_of(ipsec::Opening why) noexcept {
    switch (why) {
        case ipsec::Opening::truncated:
            return Fate::esp_truncated;
        case ipsec::Opening::not_blocks:
            return Fate::esp_not_blocks;
        case ipsec::Opening::late:
            return Fate::esp_late;
        case ipsec::Opening::replayed:
            return Fate::esp_replayed;
        default:
            return Fate::sa_expired;
    }
}
inline Fate fate_of(ipsec::Opened why) noexcept {
    switch (why) {
        case ipsec::Opened::bad_icv:
            return Fate::esp_bad_icv;
        case ipsec::Opened::late:
            return Fate::esp_late;
        case ipsec::Opened::replayed:
            return Fate::esp_replayed;
        case ipsec::Opened::expired:
            return Fate::sa_expired;
        case ipsec::Opened::bad_pad_length:
            return Fate::esp_bad_pad_length;
        default:
            return Fate::esp_bad_padding;
    }
}

/// Ends the packet, and counts under its SA what tells of an attack, a loss or an end.
[[gnu::noinline, gnu::cold]] inline void refuse_esp(Worker& worker, Burst& burst, std::uint32_t slot,
                                                    std::uint32_t state, Fate why) noexcept {
    ipsec::SaFaults& faults = worker.state.sa_faults[state];
    burst.end(slot, why);
    if (why == Fate::esp_dummy) { return; }
    bump(why == Fate::esp_replayed  ? faults.replayed
         : why == Fate::esp_late    ? faults.late
         : why == Fate::esp_bad_icv ? faults.bad_icv
         : why == Fate::sa_expired  ? faults.expired
                                    : faults.refused);
}

/// The delivery header inside ESP in tunnel mode: identity, outer_tos, l3 and gre_length become its. Fate::live, or
/// what is wrong. What is behind its length is padding against traffic analysis (RFC 4303 §2.7).
[[gnu::always_inline]] inline Fate parse_delivery(Burst& burst, std::uint32_t slot, std::uint8_t* l3, unsigned length,
                                                  unsigned next_header) noexcept {
    table::TunnelIdentity& identity = burst.identity[slot];
    std::uint8_t tos = 0;
    if (next_header == ip::kIpv4) [[likely]] {
        if (length < sizeof(Ipv4) + sizeof(Gre)) [[unlikely]] { return Fate::esp_inner_truncated; }
        const auto& four = *reinterpret_cast<const Ipv4*>(l3);
        const unsigned header_length = four.header_length();
        const unsigned total = four.total_length.get();
        if (four.version_ihl >> 4U != 4 || header_length < sizeof(Ipv4)) [[unlikely]] { return Fate::esp_inner_bad; }
        if (total > length || total < header_length + sizeof(Gre)) [[unlikely]] { return Fate::esp_inner_truncated; }
        if (four.protocol != ip::kGre || four.is_fragment() || !ipv4_checksum_ok(l3, header_length / 4U)) [[unlikely]] {
            return Fate::esp_inner_bad;
        }
        set_addresses(identity, four);
        tos = four.tos;
        burst.l3[slot] = l3 + header_length;
        burst.gre_length[slot] = static_cast<std::uint16_t>(total - header_length);
    } else {
        if (length < sizeof(Ipv6) + sizeof(Gre)) { return Fate::esp_inner_truncated; }
        const auto& six = *reinterpret_cast<const Ipv6*>(l3);
        const unsigned rest = six.payload_length.get();
        unsigned header_length = sizeof(Ipv6);
        if (six.version_class_flow.get() >> 28U != 6) { return Fate::esp_inner_bad; }
        if (rest > length - sizeof(Ipv6)) { return Fate::esp_inner_truncated; }
        if (six.next_header != ip::kGre) [[unlikely]] {
            const Fate fate = judge_headers(six.next_header, l3 + sizeof(Ipv6), rest, true, header_length);
            if (fate != Fate::live) { return is_jumbogram(six, length) ? Fate::jumbogram : fate; }
        }
        if (sizeof(Ipv6) + rest < header_length + sizeof(Gre)) { return Fate::esp_inner_truncated; }
        if (is_mapped(six.source_high, six.source_low) || is_mapped(six.destination_high, six.destination_low)) {
            return Fate::esp_inner_bad;
        }
        set_addresses(identity, six);
        tos = six.traffic_class();
        burst.l3[slot] = l3 + header_length;
        burst.gre_length[slot] = static_cast<std::uint16_t>(sizeof(Ipv6) + rest - header_length);
    }
    // Congestion that the ESP packet met goes into the delivery header before that is taken off (RFC 6040 §4.2).
    const std::uint8_t ecn = ecn_decapsulate(tos, burst.outer_tos[slot]);
    if (ecn == kEcnDrop) [[unlikely]] { return Fate::ecn_mismatch; }
    burst.outer_tos[slot] = static_cast<std::uint8_t>((tos & ~ip::kEcnMask) | ecn);
    return Fate::live;
}

/// What authentic plaintext turns out to be.
[[gnu::always_inline]] inline Fate parse_plaintext(Burst& burst, std::uint32_t slot, const ipsec::SaIn& sa,
                                                   std::uint8_t* text, unsigned length, unsigned next_header) noexcept {
    burst.sa[slot] = sa_number(sa.state);
    if ((sa.flags & ipsec::SaIn::kTransport) == 0) [[likely]] {
        if (next_header == ip::kIpv4 || next_header == ip::kIpv6) [[likely]] {
            return parse_delivery(burst, slot, text, length, next_header);
        }
    } else if (next_header == ip::kGre || next_header == ip::kDestinationOptions) {
        unsigned options = 0;
        if (next_header != ip::kGre) {
            // Only a delivery header of IPv6 has options behind it, inside ESP as the sender likes it (RFC 4303
            // §3.1.1).
            const bool six = burst.identity[slot].local_high != 0 || burst.identity[slot].local_low >> 32U != 0xffff;
            const Fate fate =
                six ? judge_headers(ip::kDestinationOptions, text, length, false, options) : Fate::esp_next_header;
            if (fate != Fate::live) { return fate; }
        }
        if (length < options + sizeof(Gre)) { return Fate::esp_inner_truncated; }
        burst.l3[slot] = text + options;
        burst.gre_length[slot] = static_cast<std::uint16_t>(length - options);
        return Fate::live;
    }
    return next_header == ipsec::kNoNextHeader ? Fate::esp_dummy : Fate::esp_next_header;
}

/// What becomes of ESP that no SA takes, or not this way.
[[gnu::noinline, gnu::cold]] inline void refuse_stranger(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    const auto& identity = burst.identity[slot];
    const Fate fate = judge_stranger(*worker.snapshot, {identity.local_high, identity.local_low});
    burst.end(slot, fate != Fate::unknown_tunnel          ? fate
                    : burst.gre_length[slot] < kEspHeader ? Fate::esp_truncated
                                                          : Fate::esp_unknown_spi);
}

/// Whether the packet came as the SA says it comes. If another worker has the SA, it goes there.
[[gnu::always_inline]] inline bool belongs(Worker& worker, Burst& burst, std::uint32_t slot,
                                           const ipsec::SaIn& sa) noexcept {
    const auto& identity = burst.identity[slot];
    const bool udp = (sa.flags & ipsec::SaIn::kUdp) != 0;
    const auto other = (identity.local_high ^ sa.local_high) | (identity.local_low ^ sa.local_low) |
                       (identity.remote_high ^ sa.remote_high) | (identity.remote_low ^ sa.remote_low);
    if (other != 0 || udp != burst.in_udp[slot] || sa.owner != worker.index) [[unlikely]] {
        if (other != 0) {
            const Fate fate = judge_stranger(*worker.snapshot, {identity.local_high, identity.local_low});
            if (fate != Fate::unknown_tunnel) {
                burst.end(slot, fate);
            } else if (sa.owner != worker.index) {  // whose counts they are
                burst.end(slot, Fate::esp_wrong_tunnel);
            } else {
                refuse_esp(worker, burst, slot, sa.state, Fate::esp_wrong_tunnel);
            }
        } else if (udp != burst.in_udp[slot]) {
            burst.end(slot, Fate::esp_encapsulation);
        } else {
            burst.owner[slot] = sa.owner;
            burst.hands = true;
            burst.end(slot, Fate::handed);
        }
        return false;
    }
    return true;
}

}  // namespace detail

/// Begins with identity holding the outer addresses, l3 and gre_length the ESP packet.
inline void esp_open(Worker& worker, Burst& burst) noexcept {
    const std::uint32_t packets = burst.esp_count;
    if (packets == 0) [[likely]] { return; }
    const Snapshot& snapshot = *worker.snapshot;
    const auto& table = snapshot.sa_table;
    using Entry = table::SaTable<ipsec::SaIn>::Entry;
    const Entry* entries[kBurst];
    table::SaIdentity identities[kBurst];
    std::uint64_t hashes[kBurst];
    for (std::uint32_t k = 0; k < packets; ++k) {
        const std::uint32_t slot = burst.esp[k];
        const bool whole = burst.gre_length[slot] >= kEspHeader;
        identities[k] = {0, whole ? reinterpret_cast<const Be32*>(burst.l3[slot])->get() : 0};
        hashes[k] = table.hash(identities[k]);
        table.prefetch_index(hashes[k]);
        // A short packet's second line and any packet's last one, which the hardware does not expect.
        rte_prefetch0(burst.l3[slot] + RTE_CACHE_LINE_SIZE);
        rte_prefetch0(burst.l3[slot] + burst.gre_length[slot] - 1);
    }
    ipsec::SaState* states = worker.state.sa_states.data();
    ipsec::ReplayRing* rings = worker.state.replay_rings.data();
    const Nanoseconds now = burst.now;
    for (std::uint32_t k = 0; k < packets; ++k) {
        entries[k] = table.candidate(hashes[k]);
        rte_prefetch0(entries[k]);
    }
    for (std::uint32_t k = 0; k < packets; ++k) {
        const std::uint32_t slot = burst.esp[k];
        if (entries[k] == nullptr || entries[k]->identity != identities[k]) [[unlikely]] {
            entries[k] = nullptr;
            detail::refuse_stranger(worker, burst, slot);
            continue;
        }
        const ipsec::SaIn& sa = entries[k]->payload;
        burst.tunnel[slot] = snapshot.sa_tunnels[sa.state];
        const auto low = reinterpret_cast<const Be32*>(burst.l3[slot] + 4)->get();
        rte_prefetch0(&states[sa.state]);
        ipsec::prefetch(rings[sa.state], low);
        ipsec::prefetch_key(*sa.key);
    }

    std::uint8_t order[kBurst];  // of the jobs: index into burst.esp
    std::uint64_t sequences[kBurst];
    std::uint32_t count = 0;
    for (std::uint32_t k = 0; k < packets; ++k) {
        if (entries[k] == nullptr) [[unlikely]] { continue; }
        const std::uint32_t slot = burst.esp[k];
        const ipsec::SaIn& sa = entries[k]->payload;
        if (!detail::belongs(worker, burst, slot, sa)) [[unlikely]] { continue; }
        const auto opening = ipsec::prepare_open(sa, states[sa.state], rings[sa.state], burst.l3[slot],
                                                 burst.gre_length[slot], now, worker.jobs[count], sequences[count]);
        if (opening != ipsec::Opening::ready) [[unlikely]] {
            detail::refuse_esp(worker, burst, slot, sa.state, detail::fate_of(opening));
            continue;
        }
        order[count++] = static_cast<std::uint8_t>(k);
    }
    worker.crypto.open({worker.jobs, count});
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t slot = burst.esp[order[i]];
        const ipsec::SaIn& sa = entries[order[i]]->payload;
        const ipsec::Job& job = worker.jobs[i];
        ipsec::SaState& state = states[sa.state];
        if (relaxed(state.life) != 0 && job.authentic) [[unlikely]] {
            ipsec::begin_life(state, worker.state.sa_faults[sa.state], burst.now);
        }
        std::uint32_t length = 0;
        std::uint8_t next_header = 0;
        const auto opened =
            ipsec::finish_open(sa, states[sa.state], rings[sa.state], job, sequences[i], length, next_header);
        const Fate fate = opened == ipsec::Opened::payload
                              ? detail::parse_plaintext(burst, slot, sa, job.text, length, next_header)
                              : detail::fate_of(opened);
        if (fate != Fate::live) [[unlikely]] { detail::refuse_esp(worker, burst, slot, sa.state, fate); }
    }
    burst.sweep();
}

}  // namespace peerlane::dataplane
