// The customer's IP packet: what is unusual about it, and what becomes of it.
#include "dataplane/pipeline/parse_ip.hpp"
#include "lib/net/extension_headers.hpp"
#include "lib/net/ndisc.hpp"

namespace peerlane::dataplane::detail {
namespace {

bool is_own(std::uint32_t value) noexcept {
    return value == route::make(route::Kind::special, static_cast<std::uint32_t>(route::Special::local));
}

/// A packet that is for the edge itself, and may be answered.
Fate deliver(Burst& burst, std::uint32_t slot, unsigned total) noexcept {
    burst.length[slot] = static_cast<std::uint16_t>(total);
    burst.answers = true;
    return judge_delivery(burst, slot);
}

}  // namespace

Fate judge_delivery(const Burst& burst, std::uint32_t slot) noexcept {
    const auto* l3 = burst.l3[slot];
    if (l3[0] >> 4U != 6) { return Fate::punted; }
    const auto upper = upper_layer(*reinterpret_cast<const Ipv6*>(l3), burst.length[slot]);
    return upper.known() && !upper.refused ? Fate::punted : Fate::extension_header;
}

bool is_neighbour_discovery(const Ipv6& header, unsigned left) noexcept {
    if (left < sizeof(Ipv6) + 1 || header.next_header != ip::kIcmp6 || header.hop_limit != 255) { return false; }
    const auto type = reinterpret_cast<const std::uint8_t*>(&header)[sizeof(Ipv6)];
    return type >= 133 && type <= 137;
}

Fate judge_ipv4(const Burst& burst, std::uint32_t slot, unsigned limit, bool customer) noexcept {
    const auto* l3 = burst.l3[slot];
    const unsigned left = burst.left[slot];
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
    const Ip4 source{header.source.get()};
    const Ip4 destination{header.destination.get()};
    if (is_multicast(destination)) { return Fate::multicast; }
    const bool from_never = never_forwarded(source) != nullptr;
    const bool to_never = never_forwarded(destination) != nullptr;
    if (!from_never && !to_never) { return Fate::live; }
    // A link's subnet may be of link-local addresses: what the customer's router sends from there to the edge itself is
    // not forwarded. guard and route see to it.
    const bool near = (!from_never || (customer && is_link_local(source))) && (!to_never || is_link_local(destination));
    return near && is_own(table::find(burst.routes4[slot], destination)) ? Fate::live : Fate::martian;
}

Fate judge_ipv6(const Snapshot& snapshot, Burst& burst, std::uint32_t slot, unsigned limit, bool customer) noexcept {
    const auto* l3 = burst.l3[slot];
    const unsigned left = burst.left[slot];
    burst.length[slot] = 0;
    if (left < sizeof(Ipv6)) { return Fate::truncated; }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned total = static_cast<unsigned>(sizeof(Ipv6)) + header.payload_length.get();
    if (header.version_class_flow.get() >> 28U != 6) { return Fate::bad_header; }
    if (total > left) { return Fate::truncated; }
    if (total > limit) { return Fate::oversize; }
    if (is_jumbogram(header, left)) { return Fate::jumbogram; }
    const Ip6 source{header.source_high.get(), header.source_low.get()};
    const Ip6 destination{header.destination_high.get(), header.destination_low.get()};
    const bool from_never = never_forwarded(source) != nullptr;
    const bool martian = from_never || never_forwarded(destination) != nullptr;
    if (customer && martian && is_neighbour_discovery(header, left)) { return Fate::punted; }
    if (is_multicast(destination)) { return Fate::multicast; }
    if (!martian) { return Fate::live; }
    if (!customer || (from_never && !is_link_local(source))) { return Fate::martian; }
    // Valid on this link only: for the edge itself, or for whoever listens at its tap.
    if (is_link_local(destination)) {
        const bool ours = destination == link_local(snapshot.ports[burst.port].mac_address);
        return ours ? deliver(burst, slot, total) : Fate::punted;
    }
    return is_own(table::find(burst.routes6[slot], destination)) ? deliver(burst, slot, total) : Fate::martian;
}

Fate judge_other(const std::uint8_t* l3, unsigned left, unsigned type) noexcept {
    if (type == kGroupMac) {
        const unsigned real = reinterpret_cast<const Be16*>(l3 - 2)->get();
        if (real == ether::kArp) { return Fate::punted; }
        const bool six = real == ether::kIpv6 && left >= sizeof(Ipv6);
        return six && is_neighbour_discovery(*reinterpret_cast<const Ipv6*>(l3), left) ? Fate::punted : Fate::multicast;
    }
    return type == ether::kArp ? Fate::punted : Fate::not_ip;
}

}  // namespace peerlane::dataplane::detail
