// IPv4 (RFC 791, RFC 1812 §5.2.2) and IPv6 (RFC 8200 §3) headers: versions, lengths, checksum, addresses that are never
// forwarded.
#pragma once

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"
#include "lib/net/never_forwarded.hpp"

namespace peerlane::dataplane {

namespace detail {

/// Which way an IPv4 packet with something unusual goes; Fate::live if it is unusual but right (options). `limit` and
/// `customer` as parse_ip_slot() has them.
[[gnu::cold]] Fate judge_ipv4(const Burst& burst, std::uint32_t slot, unsigned limit, bool customer) noexcept;

/// The same for IPv6. Also sets length: what is punted and may be answered has one.
[[gnu::cold]] Fate judge_ipv6(const Snapshot& snapshot, Burst& burst, std::uint32_t slot, unsigned limit,
                              bool customer) noexcept;

/// What becomes of an IP packet for the edge itself: its extension headers may be none that it takes.
[[gnu::cold]] Fate judge_delivery(const Burst& burst, std::uint32_t slot) noexcept;

/// Frames that are neither IPv4 nor IPv6 to one of our MACs: ARP and neighbour discovery go to local delivery.
[[gnu::cold]] Fate judge_other(const std::uint8_t* l3, unsigned left, unsigned type) noexcept;

/// True for neighbour discovery (RFC 4861 §6.1, §7.1: ICMPv6 133 .. 137 that crossed no router).
bool is_neighbour_discovery(const Ipv6& header, unsigned left) noexcept;

}  // namespace detail

/// Verifies the packet at l3 of one slot and fills length, source and destination, and its place in v4 or v6. `limit`
/// is the longest packet allowed; `customer` says whether local link traffic may be met. `kVouched`: the packet is the
/// one that the device may have verified.
template <bool kVouched>
[[gnu::always_inline]] inline void parse_ip_slot(const Snapshot& snapshot, Burst& burst, std::uint32_t slot,
                                                 unsigned limit, bool customer) noexcept {
    const std::uint8_t* l3 = burst.l3[slot];
    const unsigned left = burst.left[slot];
    const unsigned type = burst.type[slot];
    if (type == ether::kIpv4) [[likely]] {
        if (left < sizeof(Ipv4)) [[unlikely]] {
            burst.end(slot, Fate::truncated);
            return;
        }
        const auto& header = *reinterpret_cast<const Ipv4*>(l3);
        const unsigned total = header.total_length.get();
        const std::uint32_t source = header.source.get();
        const std::uint32_t destination = header.destination.get();
        const bool usual = header.version_ihl == 0x45 && total >= sizeof(Ipv4) && total <= left && total <= limit &&
                           ((kVouched && device_vouches(*burst.mbuf[slot])) || ipv4_checksum_ok(l3, 5)) &&
                           !kLookCloser4[source >> 24U] && !kLookCloser4[destination >> 24U];
        if (!usual) [[unlikely]] {
            const Fate fate = detail::judge_ipv4(burst, slot, limit, customer);
            if (fate != Fate::live) {
                burst.end(slot, fate);
                return;
            }
        }
        burst.length[slot] = static_cast<std::uint16_t>(total);
        burst.source4[slot] = source;
        burst.destination4[slot] = destination;
        burst.v4[burst.v4_count++] = static_cast<std::uint8_t>(slot);
        return;
    }
    if (type != ether::kIpv6) [[unlikely]] {
        burst.length[slot] = 0;
        burst.end(slot, detail::judge_other(l3, left, type));
        return;
    }
    if (left < sizeof(Ipv6)) [[unlikely]] {
        burst.end(slot, Fate::truncated);
        return;
    }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned total = static_cast<unsigned>(sizeof(Ipv6)) + header.payload_length.get();
    const Ip6 source{header.source_high.get(), header.source_low.get()};
    const Ip6 destination{header.destination_high.get(), header.destination_low.get()};
    // A payload of no length may be that of a jumbogram.
    const bool usual = l3[0] >> 4U == 6 && total != sizeof(Ipv6) && total <= left && total <= limit &&
                       is_plain_unicast(source.high) && is_plain_unicast(destination.high);
    if (!usual) [[unlikely]] {
        const Fate fate = detail::judge_ipv6(snapshot, burst, slot, limit, customer);
        if (fate != Fate::live) {
            burst.end(slot, fate);
            return;
        }
    }
    burst.length[slot] = static_cast<std::uint16_t>(total);
    burst.source6[slot] = source;
    burst.destination6[slot] = destination;
    burst.v6[burst.v6_count++] = static_cast<std::uint8_t>(slot);
}

namespace detail {
template <bool kVouched>
[[gnu::always_inline]] inline void parse_ip_as(Worker& worker, Burst& burst) noexcept {
    const Attachment* attachments = worker.snapshot->attachments.data();
    const unsigned limit = worker.snapshot->ports[burst.port].mtu;
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const Attachment& attachment = attachments[burst.attachment[slot]];
        burst.routes4[slot] = attachment.routes4;
        burst.routes6[slot] = attachment.routes6;
        rte_prefetch0(attachment.routes4);
        rte_prefetch0(&worker.state.circuit_buckets[attachment.bucket]);
        parse_ip_slot<kVouched>(*worker.snapshot, burst, slot, limit, true);
    });
    burst.sweep();
}

/// Out of line, so that ports whose device verifies nothing pay nothing.
[[gnu::noinline]] inline void parse_vouched_ip(Worker& worker, Burst& burst) noexcept {
    parse_ip_as<true>(worker, burst);
}
}  // namespace detail

/// to_cloud: the customer's packet, no longer than its port's MTU. Also takes the VRF from the attachment.
inline void parse_ip(Worker& worker, Burst& burst) noexcept {
    if (burst.vouched) [[unlikely]] {
        detail::parse_vouched_ip(worker, burst);
    } else {
        detail::parse_ip_as<false>(worker, burst);
    }
}

}  // namespace peerlane::dataplane
