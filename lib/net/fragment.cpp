#include "lib/net/fragment.hpp"

#include <algorithm>

#include "lib/net/checksum.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kCopied = 0x80;

// Copies the options that belong into every fragment to `out` (may be null: only measure); returns their padded length.
unsigned copied_options(const Ipv4& packet, std::uint8_t* out) noexcept {
    const auto* options = reinterpret_cast<const std::uint8_t*>(&packet);
    const unsigned end = packet.header_length();
    unsigned length = 0;
    for (unsigned at = sizeof(Ipv4); at < end && options[at] != 0;) {
        if (options[at] == 1) {
            ++at;
            continue;
        }
        const unsigned size = at + 1 < end ? options[at + 1] : 0;
        if (size < 2 || at + size > end) { break; }
        if ((options[at] & kCopied) != 0) {
            if (out != nullptr) { std::memcpy(out + length, options + at, size); }
            length += size;
        }
        at += size;
    }
    const unsigned padded = (length + 3U) & ~3U;
    if (out != nullptr) { std::memset(out + length, 0, padded - length); }
    return padded;
}

void finish_header(Ipv4& header, unsigned header_length, unsigned payload, std::uint16_t fragment) noexcept {
    header.version_ihl = static_cast<std::uint8_t>(0x40U | header_length / 4U);
    header.total_length.set(static_cast<std::uint16_t>(header_length + payload));
    header.fragment.set(fragment);
    ipv4_set_checksum(header);
}

}  // namespace

FragmentPlan plan_fragments(const Ipv4& packet, unsigned length, unsigned mtu) noexcept {
    const unsigned header = packet.header_length();
    FragmentPlan plan;
    plan.later_header = static_cast<unsigned>(sizeof(Ipv4)) + copied_options(packet, nullptr);
    plan.first_payload = (mtu - header) & ~7U;
    plan.later_payload = (mtu - plan.later_header) & ~7U;
    const unsigned payload = length - header;
    if (length <= mtu) {
        plan.pieces = 1;
        plan.first_payload = payload;
        return plan;
    }
    plan.pieces = 1;
    for (unsigned left = payload - plan.first_payload; left != 0; ++plan.pieces) {
        // The last piece may fill the MTU to the octet.
        left -= left <= mtu - plan.later_header ? left : plan.later_payload;
    }
    return plan;
}

unsigned write_fragment(std::uint8_t* out, const Ipv4& packet, unsigned length, const FragmentPlan& plan,
                        unsigned index) noexcept {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet);
    const unsigned start = plan.first_payload + (index - 1) * plan.later_payload;
    const unsigned rest = length - packet.header_length() - start;
    const bool last = index + 1 == plan.pieces;
    const unsigned payload = last ? rest : plan.later_payload;
    auto& header = *reinterpret_cast<Ipv4*>(out);
    std::memcpy(&header, &packet, sizeof(Ipv4));
    copied_options(packet, out + sizeof(Ipv4));
    std::memcpy(out + plan.later_header, octets + packet.header_length() + start, payload);
    const unsigned original = packet.fragment.get();
    const unsigned more = last ? original & Ipv4::kMoreFragments : std::uint32_t{Ipv4::kMoreFragments};
    finish_header(header, plan.later_header, payload,
                  static_cast<std::uint16_t>(more | ((original & Ipv4::kOffsetMask) + start / 8U)));
    return plan.later_header + payload;
}

unsigned cut_first_fragment(Ipv4& packet, const FragmentPlan& plan) noexcept {
    const unsigned header = packet.header_length();
    finish_header(packet, header, plan.first_payload,
                  static_cast<std::uint16_t>((packet.fragment.get() & Ipv4::kOffsetMask) | Ipv4::kMoreFragments));
    return header + plan.first_payload;
}

}  // namespace peerlane
