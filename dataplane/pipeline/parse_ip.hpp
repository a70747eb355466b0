// IPv4 (RFC 791, RFC 1812 §5.2.2) and IPv6 (RFC 8200 §3) headers: versions, lengths, checksum, addresses that are never
// forwarded.
#pragma once

#include <array>

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/checksum.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// By first octet: IPv4 addresses that no router forwards from or to (RFC 1812 §5.3.7, RFC 6890).
inline constexpr auto kMartian4 = [] {
    std::array<bool, 256> martian{};
    martian[0] = martian[127] = true;
    for (unsigned octet = 224; octet < 256; ++octet) { martian[octet] = true; }
    return martian;
}();

namespace detail {

/// Which way a header with something unusual goes; Fate::live if it is unusual but right (options).
[[gnu::noinline, gnu::cold]] inline Fate judge_ipv4(const std::uint8_t* l3, unsigned left, unsigned limit) noexcept {
    if (left < sizeof(Ipv4)) { return Fate::truncated; }
    const auto& header = *reinterpret_cast<const Ipv4*>(l3);
    const unsigned header_length = header.header_length();
    const unsigned total = header.total_length.get();
    if (header.version_ihl >> 4U != 4 || header_length < sizeof(Ipv4) || total < header_length) {
        return Fate::bad_header;
    }
    if (total > left) { return Fate::truncated; }
    if (!ipv4_checksum_ok(l3, header_length / 4U)) { return Fate::bad_checksum; }
    if (total > limit) { return Fate::oversize; }
    const auto destination = header.destination.get();
    if (destination >> 28U == 14 || destination == 0xffffffffU) { return Fate::multicast; }
    if (kMartian4[header.source.get() >> 24U] || kMartian4[destination >> 24U]) { return Fate::martian; }
    return Fate::live;
}

/// True for neighbour discovery (RFC 4861 §6.1, §7.1: ICMPv6 133 .. 137 that crossed no router).
inline bool is_neighbour_discovery(const Ipv6& header, unsigned left) noexcept {
    if (left < sizeof(Ipv6) + 1 || header.next_header != ip::kIcmp6 || header.hop_limit != 255) { return false; }
    const auto type = reinterpret_cast<const std::uint8_t*>(&header)[sizeof(Ipv6)];
    return type >= 133 && type <= 137;
}

/// RFC 4291 §2.5.6: never forwarded. To one of our MACs such a packet is for us.
constexpr bool is_link_local(std::uint64_t high) noexcept {
    return high >> 54U == 0x3fa;
}

[[gnu::noinline, gnu::cold]] inline Fate judge_ipv6(const std::uint8_t* l3, unsigned left, unsigned limit,
                                                    bool customer) noexcept {
    if (left < sizeof(Ipv6)) { return Fate::truncated; }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned total = static_cast<unsigned>(sizeof(Ipv6)) + header.payload_length.get();
    if (header.version_class_flow.get() >> 28U != 6) { return Fate::bad_header; }
    if (total > left) { return Fate::truncated; }
    if (total > limit) { return Fate::oversize; }
    const auto never = [](std::uint64_t high, std::uint64_t low) {
        return high >> 56U == 0xff || (high == 0 && low <= 1);
    };
    const auto source = header.source_high.get();
    const auto destination = header.destination_high.get();
    const bool group = destination >> 56U == 0xff;
    const bool from_nobody = never(source, header.source_low.get());
    const bool martian = from_nobody || never(destination, header.destination_low.get()) || is_link_local(source) ||
                         is_link_local(destination);
    if (customer && martian && is_neighbour_discovery(header, left)) { return Fate::punted; }
    if (customer && !from_nobody && is_link_local(destination)) { return Fate::punted; }
    return group ? Fate::multicast : martian ? Fate::martian : Fate::live;
}

/// Frames that are neither IPv4 nor IPv6 to one of our MACs: ARP and neighbour discovery go to local delivery.
[[gnu::noinline, gnu::cold]] inline Fate judge_other(const std::uint8_t* l3, unsigned left, unsigned type) noexcept {
    if (type == kGroupMac) {
        const unsigned real = reinterpret_cast<const Be16*>(l3 - 2)->get();
        if (real == ether::kArp) { return Fate::punted; }
        const bool six = real == ether::kIpv6 && left >= sizeof(Ipv6);
        return six && is_neighbour_discovery(*reinterpret_cast<const Ipv6*>(l3), left) ? Fate::punted : Fate::multicast;
    }
    return type == ether::kArp ? Fate::punted : Fate::not_ip;
}

}  // namespace detail

/// Verifies the packet at l3 of one slot and fills length, source and destination, and its place in v4 or v6. `limit`
/// is the longest packet allowed; `customer` says whether local link traffic may be met. `kVouched`: the packet is the
/// one that the device may have verified.
template <bool kVouched>
[[gnu::always_inline]] inline void parse_ip_slot(Burst& burst, std::uint32_t slot, unsigned limit,
                                                 bool customer) noexcept {
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
                           !kMartian4[source >> 24U] && !kMartian4[destination >> 24U];
        if (!usual) [[unlikely]] {
            const Fate fate = detail::judge_ipv4(l3, left, limit);
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
    // Global unicast and unique local addresses begin with 0x01 .. 0xfd; the rest is looked at closely.
    const auto usual_address = [](std::uint64_t high) { return (high >> 56U) - 1U < 0xfdU; };
    const bool usual = l3[0] >> 4U == 6 && total <= left && total <= limit && usual_address(source.high) &&
                       usual_address(destination.high);
    if (!usual) [[unlikely]] {
        const Fate fate = detail::judge_ipv6(l3, left, limit, customer);
        if (fate != Fate::live) {
            burst.length[slot] = 0;
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
        parse_ip_slot<kVouched>(burst, slot, limit, true);
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
