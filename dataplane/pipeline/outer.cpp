// The outer packet's unusual cases.
#include <algorithm>

#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_outer.hpp"
#include "dataplane/pipeline/priority_tags.hpp"
#include "lib/net/extension_headers.hpp"

namespace peerlane::dataplane::detail {
namespace {

bool is_local(const Snapshot& snapshot, Ip6 address) noexcept {
    return std::binary_search(snapshot.local_addresses.begin(), snapshot.local_addresses.end(), address);
}

/// Never a source on any wire. Link-local ones are: their owner is next to the edge.
template <class Address>
bool is_no_source(Address source) noexcept {
    return never_forwarded(source) != nullptr && !is_link_local(source);
}

/// What is behind the outer IP header.
struct Inside {
    std::uint8_t protocol = 0;
    const std::uint8_t* at = nullptr;
    unsigned length = 0;
    bool in_udp = false;
};

constexpr std::uint16_t kEspInUdp = 4500;  // port

/// ESP in UDP (RFC 3948 §2), an IKE message behind the non-ESP marker, or a keepalive. `pseudo` is the sum of the
/// pseudo header, memory order.
Fate judge_udp(Inside& inside, std::uint64_t pseudo, bool six) noexcept {
    if (inside.length < sizeof(Udp)) { return Fate::punted; }
    const auto& udp = *reinterpret_cast<const Udp*>(inside.at);
    if (udp.destination.get() != kEspInUdp) { return Fate::punted; }
    const unsigned length = udp.length.get();
    if (length < sizeof(Udp) || length > inside.length) { return Fate::outer_truncated; }
    const bool summed = udp.checksum.get() != 0;
    const auto sum = pseudo + __builtin_bswap16(static_cast<std::uint16_t>(length)) + (std::uint32_t{ip::kUdp} << 8U);
    // Over IPv6 there is no leaving it out (RFC 8200 §8.1).
    if (summed ? fold(sum + sum_words(inside.at, length)) != 0xffff : six) { return Fate::outer_bad_checksum; }
    const auto* data = inside.at + sizeof(Udp);
    const auto octets = static_cast<unsigned>(length - sizeof(Udp));
    if (octets == 1 && data[0] == 0xff) { return Fate::nat_keepalive; }
    if (octets >= sizeof(Be32) && reinterpret_cast<const Be32*>(data)->get() == 0) { return Fate::punted; }
    inside = {ip::kEsp, data, octets, true};
    return Fate::live;
}

/// Behind an Authentication Header, which nobody here verifies: a tunnel's packet is refused.
Fate judge_authenticated(const Snapshot& snapshot, const Inside& inside) noexcept {
    const bool tunnel = inside.protocol == ip::kGre || (inside.protocol == ip::kEsp && !snapshot.sas.empty());
    return tunnel ? Fate::extension_header : Fate::punted;
}

Fate judge_inside(const Snapshot& snapshot, Inside& inside, std::uint64_t pseudo, bool six) noexcept {
    if (inside.protocol == ip::kGre) { return inside.length < sizeof(Gre) ? Fate::outer_truncated : Fate::live; }
    if (snapshot.sas.empty()) { return Fate::punted; }
    if (inside.protocol == ip::kEsp) { return Fate::live; }
    return inside.protocol == ip::kUdp ? judge_udp(inside, pseudo, six) : Fate::punted;
}

/// A piece of a packet for the edge itself, `inside` what is behind the IP headers. Tunnels' packets are not put
/// together; all else is for the system to. Of UDP only the first piece tells.
Fate judge_fragment(const Snapshot& snapshot, const Inside& inside, bool first) noexcept {
    if (inside.protocol == ip::kGre) { return Fate::outer_fragment; }
    if (snapshot.sas.empty()) { return Fate::punted; }
    const auto* const spi = reinterpret_cast<const Be32*>(inside.at + sizeof(Udp));
    const bool in_udp = inside.protocol == ip::kUdp && first && inside.length >= sizeof(Udp) + sizeof(Be32) &&
                        reinterpret_cast<const Udp*>(inside.at)->destination.get() == kEspInUdp && spi->get() != 0;
    return inside.protocol == ip::kEsp || in_udp ? Fate::outer_fragment : Fate::punted;
}

Fate judge_outer4(const Snapshot& snapshot, const std::uint8_t* l3, unsigned left, unsigned mtu,
                  Inside& inside) noexcept {
    if (left < sizeof(Ipv4)) { return Fate::outer_truncated; }
    const auto& header = *reinterpret_cast<const Ipv4*>(l3);
    const unsigned header_length = header.header_length();
    const unsigned total = header.total_length.get();
    if (header.version_ihl >> 4U != 4 || header_length < sizeof(Ipv4) || total < header_length) {
        return Fate::outer_bad_header;
    }
    if (total > left) { return Fate::outer_truncated; }
    if (!ipv4_checksum_ok(l3, header_length / 4U)) { return Fate::outer_bad_checksum; }
    const Ip4 destination{header.destination.get()};
    if (is_multicast(destination)) { return Fate::multicast; }
    if (!is_local(snapshot, {0, table::mapped(destination)})) { return Fate::not_for_us; }
    if (total > mtu) { return Fate::oversize; }
    if (is_no_source(Ip4{header.source.get()})) { return Fate::martian; }
    inside = {header.protocol, l3 + header_length, total - header_length};
    if (header.is_fragment()) { return judge_fragment(snapshot, inside, header.fragment_offset() == 0); }
    if (inside.protocol == ip::kAuthentication) {
        const auto upper = walk_extension_headers(inside.protocol, inside.at, inside.length);
        return upper.cut ? Fate::outer_truncated : judge_authenticated(snapshot, {.protocol = upper.protocol});
    }
    return judge_inside(snapshot, inside, sum_words(header.source.octets, 8), false);
}

Fate judge_outer6(const Snapshot& snapshot, const std::uint8_t* l3, unsigned left, unsigned mtu,
                  Inside& inside) noexcept {
    if (left < sizeof(Ipv6)) { return Fate::outer_truncated; }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned total = static_cast<unsigned>(sizeof(Ipv6)) + header.payload_length.get();
    if (header.version_class_flow.get() >> 28U != 6) { return Fate::outer_bad_header; }
    if (is_mapped(header.source_high, header.source_low) ||
        is_mapped(header.destination_high, header.destination_low)) {
        return Fate::outer_bad_header;
    }
    if (total > left) { return Fate::outer_truncated; }
    const Ip6 destination{header.destination_high.get(), header.destination_low.get()};
    const bool to_link = is_link_local(destination);
    if (is_neighbour_discovery(header, left)) { return total > mtu ? Fate::oversize : Fate::punted; }
    if (is_multicast(destination)) { return Fate::multicast; }
    if (!to_link && !is_local(snapshot, destination)) { return Fate::not_for_us; }
    if (total > mtu) { return Fate::oversize; }
    if (is_no_source(Ip6{header.source_high.get(), header.source_low.get()})) { return Fate::martian; }
    if (is_jumbogram(header, left)) { return Fate::jumbogram; }
    if (to_link) { return Fate::punted; }
    inside = {header.next_header, l3 + sizeof(Ipv6), header.payload_length.get()};
    if (is_extension_header(inside.protocol)) [[unlikely]] {
        const auto upper = upper_layer(header, total);
        inside = {upper.protocol, l3 + upper.offset, total - upper.offset};
        if (upper.cut) { return Fate::outer_truncated; }
        if (upper.endless || upper.refused) { return Fate::extension_header; }
        if (upper.authenticated) { return judge_authenticated(snapshot, inside); }
        if (upper.fragment) { return judge_fragment(snapshot, inside, !upper.later); }
    }
    return judge_inside(snapshot, inside, sum_words(header.source_high.octets, 32), true);
}

}  // namespace

Fate judge_headers(std::uint8_t protocol, const std::uint8_t* at, unsigned length, bool first,
                   unsigned& skipped) noexcept {
    const auto upper = walk_extension_headers(protocol, at, length, first);
    if (upper.cut && first) { return Fate::esp_inner_truncated; }
    const bool taken = upper.known() && !upper.refused && !upper.fragment && !upper.authenticated;
    if (!taken || upper.protocol != ip::kGre) { return first ? Fate::esp_inner_bad : Fate::esp_next_header; }
    skipped += upper.offset;
    return Fate::live;
}

bool may_reply_to(const Snapshot& snapshot, Ip6 source) noexcept {
    const auto four = static_cast<std::uint32_t>(source.low);
    const bool no_source = source == Ip6{0, table::mapped(Ip4{four})} ? is_no_source(Ip4{four}) : is_no_source(source);
    return !no_source && !is_local(snapshot, source);
}

Fate judge_stranger(const Snapshot& snapshot, Ip6 destination) noexcept {
    const auto four = static_cast<std::uint32_t>(destination.low);
    if (destination == Ip6{0, table::mapped(Ip4{four})} && is_multicast(Ip4{four})) { return Fate::multicast; }
    return is_local(snapshot, destination) ? Fate::unknown_tunnel : Fate::not_for_us;
}

namespace {
Fate judge_outer(const Snapshot& snapshot, const PortInfo& port, const std::uint8_t* frame, unsigned length,
                 Inside& inside) noexcept {
    if (length < sizeof(ether::Header)) { return Fate::runt; }
    const auto type = reinterpret_cast<const ether::Header*>(frame)->type.get();
    const auto* l3 = frame + sizeof(ether::Header);
    const auto left = static_cast<unsigned>(length - sizeof(ether::Header));
    std::uint8_t octets[8]{};
    std::memcpy(octets, frame, 6);
    const std::uint64_t destination = load_mac(octets);
    if ((destination & 1U) != 0) {
        if (type == ether::kArp) { return Fate::punted; }
        const bool six = type == ether::kIpv6 && left >= sizeof(Ipv6);
        return six && is_neighbour_discovery(*reinterpret_cast<const Ipv6*>(l3), left) ? Fate::punted : Fate::multicast;
    }
    if (((destination ^ port.mac) & port.mac_mask) != 0) { return Fate::not_for_us; }
    switch (type) {
        case ether::kIpv4:
            return judge_outer4(snapshot, l3, left, port.mtu, inside);
        case ether::kIpv6:
            return judge_outer6(snapshot, l3, left, port.mtu, inside);
        case ether::kArp:
            return Fate::punted;
        default:
            return Fate::outer_not_ip;
    }
}
}  // namespace

void parse_unusual(Worker& worker, Burst& burst, std::uint32_t slot, std::uint8_t* frame, unsigned length) noexcept {
    if (length > sizeof(ether::Header) && ether::is_tpid(reinterpret_cast<const ether::Header*>(frame)->type.get()) &&
        take_out_priority_tags(*burst.mbuf[slot]) != 0) {
        frame = rte_pktmbuf_mtod(burst.mbuf[slot], std::uint8_t*);
        length = burst.mbuf[slot]->data_len;
    }
    Inside inside;
    const Fate fate = judge_outer(*worker.snapshot, worker.snapshot->ports[burst.port], frame, length, inside);
    if (fate != Fate::live) {
        burst.end(slot, fate);
        burst.answers |= fate == Fate::punted;
        return;
    }
    const auto* l3 = frame + sizeof(ether::Header);
    if (l3[0] >> 4U == 4) {
        const auto& four = *reinterpret_cast<const Ipv4*>(l3);
        set_addresses(burst.identity[slot], four);
        burst.outer_tos[slot] = four.tos;
    } else {
        const auto& six = *reinterpret_cast<const Ipv6*>(l3);
        set_addresses(burst.identity[slot], six);
        burst.outer_tos[slot] = six.traffic_class();
    }
    burst.l3[slot] = frame + (inside.at - frame);
    burst.gre_length[slot] = static_cast<std::uint16_t>(inside.length);
    burst.in_udp[slot] = inside.in_udp;
    if (inside.protocol == ip::kEsp) { burst.esp[burst.esp_count++] = static_cast<std::uint8_t>(slot); }
}

}  // namespace peerlane::dataplane::detail
