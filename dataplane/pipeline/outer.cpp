// The outer packet's unusual cases.
#include <algorithm>

#include "dataplane/pipeline/parse_ip.hpp"
#include "dataplane/pipeline/parse_outer.hpp"

namespace peerlane::dataplane::detail {
namespace {

bool is_local(const Snapshot& snapshot, Ip6 address) noexcept {
    return std::binary_search(snapshot.local_addresses.begin(), snapshot.local_addresses.end(), address);
}

bool is_mapped(const Be64& high, const Be64& low) noexcept {
    return high.get() == 0 && low.get() >> 32U == 0xffff;
}

bool is_multicast4(std::uint32_t address) noexcept {
    return address >> 28U == 14 || address == 0xffffffffU;
}

Fate judge_outer4(const Snapshot& snapshot, const std::uint8_t* l3, unsigned left, unsigned mtu) noexcept {
    if (left < sizeof(Ipv4)) { return Fate::outer_truncated; }
    const auto& header = *reinterpret_cast<const Ipv4*>(l3);
    const unsigned header_length = header.header_length();
    const unsigned total = header.total_length.get();
    if (header.version_ihl >> 4U != 4 || header_length < sizeof(Ipv4) || total < header_length) {
        return Fate::outer_bad_header;
    }
    if (total > left) { return Fate::outer_truncated; }
    if (!ipv4_checksum_ok(l3, header_length / 4U)) { return Fate::outer_bad_checksum; }
    if (total > mtu) { return Fate::oversize; }
    const auto destination = header.destination.get();
    if (is_multicast4(destination)) { return Fate::multicast; }
    if (header.is_fragment()) { return Fate::outer_fragment; }
    if (!is_local(snapshot, {0, table::mapped(Ip4{destination})})) { return Fate::not_for_us; }
    if (header.protocol != ip::kGre) { return Fate::punted; }
    return total - header_length < sizeof(Gre) ? Fate::outer_truncated : Fate::live;
}

Fate judge_outer6(const Snapshot& snapshot, const std::uint8_t* l3, unsigned left, unsigned mtu) noexcept {
    constexpr std::uint8_t kFragmentHeader = 44;
    if (left < sizeof(Ipv6)) { return Fate::outer_truncated; }
    const auto& header = *reinterpret_cast<const Ipv6*>(l3);
    const unsigned total = static_cast<unsigned>(sizeof(Ipv6)) + header.payload_length.get();
    if (header.version_class_flow.get() >> 28U != 6) { return Fate::outer_bad_header; }
    // In the tunnel table a mapped address means IPv4; on the wire it means nothing good (RFC 4942 §2.2).
    if (is_mapped(header.source_high, header.source_low) ||
        is_mapped(header.destination_high, header.destination_low)) {
        return Fate::outer_bad_header;
    }
    if (total > left) { return Fate::outer_truncated; }
    if (total > mtu) { return Fate::oversize; }
    if (is_neighbour_discovery(header, left)) { return Fate::punted; }
    if (header.destination_high.octets[0] == 0xff) { return Fate::multicast; }
    if (header.next_header == kFragmentHeader) { return Fate::outer_fragment; }
    if (!is_local(snapshot, {header.destination_high.get(), header.destination_low.get()})) { return Fate::not_for_us; }
    if (header.next_header != ip::kGre) { return Fate::punted; }
    return header.payload_length.get() < sizeof(Gre) ? Fate::outer_truncated : Fate::live;
}

}  // namespace

bool may_reply_to(const Snapshot& snapshot, Ip6 source) noexcept {
    const auto four = static_cast<std::uint32_t>(source.low);
    if (source == Ip6{0, table::mapped(Ip4{four})}) { return !kMartian4[four >> 24U] && !is_local(snapshot, source); }
    const bool martian =
        source.high >> 56U == 0xff || source.high >> 54U == 0x3fa || (source.high == 0 && source.low <= 1);
    return !martian && !is_local(snapshot, source);
}

Fate judge_stranger(const Snapshot& snapshot, Ip6 destination) noexcept {
    const auto four = static_cast<std::uint32_t>(destination.low);
    if (destination == Ip6{0, table::mapped(Ip4{four})} && is_multicast4(four)) { return Fate::multicast; }
    return is_local(snapshot, destination) ? Fate::unknown_tunnel : Fate::not_for_us;
}

Fate judge_outer(const Snapshot& snapshot, const PortInfo& port, const std::uint8_t* frame, unsigned length) noexcept {
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
            return judge_outer4(snapshot, l3, left, port.mtu);
        case ether::kIpv6:
            return judge_outer6(snapshot, l3, left, port.mtu);
        case ether::kArp:
            return Fate::punted;
        default:
            return Fate::outer_not_ip;
    }
}

}  // namespace peerlane::dataplane::detail
