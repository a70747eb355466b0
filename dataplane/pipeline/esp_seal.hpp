// Clear GRE → ESP (RFC 4303): headers, sequence numbers and nonces of the whole burst, then one crypto pass. A packet
// of a protected tunnel comes here as gre_encap made it, and leaves sealed or not at all.
#pragma once

#include <rte_prefetch.h>

#include "dataplane/pipeline/gre_encap.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/ipsec/esp.hpp"

namespace peerlane::dataplane {

/// Octets before the inner packet that sealing may write: delivery IP and GRE, IV and ESP header, and a whole template.
inline constexpr unsigned kSealedHeadroom = 40 + 8 + 16 + kEspHeader + sizeof(TunnelHeader);
/// Octets of headroom where the edge begins a packet that it makes itself.
inline constexpr unsigned kOwnHeadroom = 192;
static_assert(kOwnHeadroom >= kSealedHeadroom);

namespace detail {

/// The SA in use may send no more: the one after it, or the end of the packet.
[[gnu::noinline, gnu::cold]] inline const ipsec::SaOut* next_sa(Worker& worker, Burst& burst, std::uint32_t slot,
                                                                const ipsec::SaOut* sa, std::uint32_t length) noexcept {
    const auto* all = worker.snapshot->sas_out[worker.index].data();
    Fate why = Fate::no_lane;
    for (;; sa = &all[sa->next]) {
        if (sa->key != nullptr) {
            ipsec::SaState& state = worker.state.sa_states[sa->state];
            ipsec::SaFaults& faults = worker.state.sa_faults[sa->state];
            if (relaxed(state.life) != 0) { ipsec::begin_life(state, faults, burst.now); }
            if (ipsec::may_send(state, length, burst.now)) { return sa; }
            const auto limit = read(state.sequence_limit);
            const bool last = limit == ipsec::last_sequence((sa->flags & ipsec::SaOut::kEsn) != 0);
            why = state.sequence < limit ? Fate::sa_expired
                  : last                 ? Fate::sequence_exhausted
                                         : Fate::sequence_not_reserved;
            if (sa->next == ipsec::kNoSa) { bump(faults.expired); }
        }
        if (sa->next == ipsec::kNoSa) { break; }
    }
    burst.end(slot, why);
    return nullptr;
}

/// The checksum of a UDP header over IPv6, which must not be 0 (RFC 768, RFC 8200 §8.1).
[[gnu::noinline, gnu::cold]] inline void sum_udp(std::uint8_t* l3, unsigned length) noexcept {
    auto& ip = *reinterpret_cast<Ipv6*>(l3);
    auto& udp = *reinterpret_cast<Udp*>(l3 + sizeof(Ipv6));
    const auto rest = length - static_cast<unsigned>(sizeof(Ipv6));
    udp.checksum.set(0);
    const std::uint64_t sum = sum_words(ip.source_high.octets, 32) + sum_words(l3 + sizeof(Ipv6), rest) +
                              __builtin_bswap16(static_cast<std::uint16_t>(rest)) + (std::uint32_t{ip::kUdp} << 8U);
    const auto checksum = static_cast<std::uint16_t>(~fold(sum));
    const std::uint16_t sent = checksum == 0 ? 0xffff : checksum;
    std::memcpy(udp.checksum.octets, &sent, 2);
}

/// Copies the last `length` octets of a template, 32 .. 64, to where they end at `end`. What is before them stays cold.
[[gnu::always_inline]] inline void copy_header(const TunnelHeader& header, unsigned length,
                                               std::uint8_t* end) noexcept {
    constexpr unsigned kHalf = sizeof(TunnelHeader) / 2;
    const std::uint8_t* from = header.octets.data() + sizeof(TunnelHeader);
    std::memcpy(end - length, from - length, kHalf);
    std::memcpy(end - kHalf, from - kHalf, kHalf);
}

/// Seals `slots`, which are of protected tunnels, and numbers them in this order.
inline void seal_slots(Worker& worker, Burst& burst, const std::uint8_t* slots, std::uint32_t protects) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const TunnelInfo* tunnels = snapshot.tunnels.data();
    const TunnelHeader* headers = snapshot.esp_headers.data();
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    ipsec::SaState* states = worker.state.sa_states.data();
    const Nanoseconds now = burst.now;
    std::uint32_t count = 0;
    bool sums = false;
    for (std::uint32_t k = 0; k < protects; ++k) {
        const std::uint32_t slot = slots[k];
        const std::uint32_t index = burst.tunnel[slot];
        const ipsec::SaOut* sa = &all[index];
        rte_mbuf* mbuf = burst.mbuf[slot];
        auto* frame = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
        std::uint8_t* payload = frame + sa->skip;
        const std::uint32_t length = mbuf->data_len - std::uint32_t{sa->skip};
        if (sa->key == nullptr || !ipsec::may_send(states[sa->state], length, now)) [[unlikely]] {
            sa = next_sa(worker, burst, slot, sa, length);
            if (sa == nullptr) { continue; }
        }
        const std::uint32_t tail = ipsec::tail_octets(*sa, length);
        if (rte_pktmbuf_tailroom(mbuf) < tail) [[unlikely]] {
            burst.end(slot, Fate::no_tailroom);
            continue;
        }
        ipsec::prefetch_key(*sa->key);
        const std::uint8_t* delivery = frame + sizeof(ether::Header);
        std::uint8_t tos = (tunnels[index].flags & TunnelInfo::kOuterV6) == 0
                               ? delivery[1]
                               : reinterpret_cast<const Ipv6*>(delivery)->traffic_class();
        if ((sa->flags & ipsec::SaOut::kFixedDscp) != 0) {
            tos = static_cast<std::uint8_t>(sa->dscp | (tos & ip::kEcnMask));
        }
        const unsigned header_length = sa->header_length;
        const unsigned flags = sa->flags;
        const unsigned whole = header_length + kEspHeader + sa->iv + length + tail;
        const std::uint16_t header_sum = sa->header_sum;
        std::uint8_t* header =
            ipsec::prepare_seal(*sa, states[sa->state], payload, length, worker.crypto, worker.jobs[count++]);
        copy_header(headers[index], header_length, header);
        std::uint8_t* start = header - header_length;
        const unsigned outer_length = whole - static_cast<unsigned>(sizeof(ether::Header));
        const bool six = (flags & ipsec::SaOut::kOuterV6) != 0;
        complete_outer(start + sizeof(ether::Header), six, tos, outer_length, header_sum);
        if ((flags & ipsec::SaOut::kUdp) != 0) [[unlikely]] {
            auto& udp = *reinterpret_cast<Udp*>(header - sizeof(Udp));
            udp.length.set(static_cast<std::uint16_t>(whole - header_length + sizeof(Udp)));
            sums |= six;
        }
        set_frame(mbuf, start, whole);
    }
    worker.crypto.seal({worker.jobs, count});
    if (sums) [[unlikely]] {
        for (std::uint32_t k = 0; k < protects; ++k) {
            const std::uint32_t slot = slots[k];
            const ipsec::SaOut& sa = all[burst.tunnel[slot]];
            if (burst.fate[slot] != Fate::live || (sa.flags & ipsec::SaOut::kUdp) == 0) { continue; }
            if ((sa.flags & ipsec::SaOut::kOuterV6) == 0) { continue; }
            auto* l3 = rte_pktmbuf_mtod(burst.mbuf[slot], std::uint8_t*) + sizeof(ether::Header);
            sum_udp(l3, burst.mbuf[slot]->data_len - static_cast<unsigned>(sizeof(ether::Header)));
        }
    }
}

/// Whether the packet leaves by a protected tunnel.
[[gnu::always_inline]] inline bool is_protected(const Snapshot& snapshot, const Burst& burst,
                                                std::uint32_t slot) noexcept {
    const std::uint32_t index = burst.tunnel[slot];
    return index != kNowhere && (snapshot.tunnels[index].flags & TunnelInfo::kProtected) != 0;
}

}  // namespace detail

/// Fetches what is known early of an SA, and the end of the packet, behind which trailer and ICV go. A walk of its own,
/// so that an edge without IPsec does not pay.
inline void expect_seal(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    if (snapshot.sas_out.empty()) [[likely]] { return; }
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    const TunnelHeader* headers = snapshot.esp_headers.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const std::uint32_t index = burst.tunnel[slot];
        if (index == kNowhere) [[unlikely]] { return; }
        rte_prefetch0(&all[index]);
        rte_prefetch0(&headers[index]);
        rte_prefetch0(burst.l3[slot] + burst.length[slot]);
    });
}

inline void esp_seal(Worker& worker, Burst& burst) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    if (snapshot.sas_out.empty()) [[likely]] { return; }
    const ipsec::SaOut* all = snapshot.sas_out[worker.index].data();
    std::uint8_t slots[kBurst];
    std::uint32_t protects = 0;
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        if (!detail::is_protected(snapshot, burst, slot)) { return; }
        slots[protects++] = static_cast<std::uint8_t>(slot);
        rte_prefetch0(&worker.state.sa_states[all[burst.tunnel[slot]].state]);
    });
    detail::seal_slots(worker, burst, slots, protects);
    burst.sweep();
}

}  // namespace peerlane::dataplane
