// Where a frame from the edge went, read without a header of the product.
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/traffic.hpp"
#include "tests/fuzz/wire.hpp"

namespace peerlane::fuzz {
namespace {

/// An ICMP error or an echo reply, not what customers sent.
bool is_reply(std::span<const std::uint8_t> ip) {
    return ip.size() > 20 && ip[0] >> 4U == 4 && ip[9] == 1 && ip[20] != 8;
}

Exit judge_access(unsigned port, std::span<const std::uint8_t> frame, Variant variant) {
    Exit exit;
    constexpr std::size_t kBehindTags = 22;
    const unsigned wanted = port == kAccess0 ? 0x88a8 : 0x9100;
    if (at16(frame, 12) != wanted || at16(frame, 16) != 0x8100 || frame.size() < kBehindTags) { return exit; }
    const unsigned vlan = at16(frame, 14) & 0xfffU;
    for (unsigned tags = 0; tags < kCustomers; ++tags) {
        if (vlan == service_vlan(tags) && (at16(frame, 18) & 0xfffU) == 10) { exit.customer = variant.by_tags(tags); }
    }
    exit.kind = Exit::Kind::customer;
    exit.known = exit.customer != kNobody;
    exit.link = port == kAccess0 ? Link::primary : Link::secondary;
    const auto ip = frame.subspan(kBehindTags);
    exit.reply = is_reply(ip);
    exit.length = at16(ip, 2);
    exit.mark = mark_in(ip);
    return exit;
}

/// GRE in IPv4, as it stands in clear or came out of ESP.
void judge_tunnel(Exit& exit, std::span<const std::uint8_t> delivery, Variant variant, unsigned sas) {
    const bool sealed = exit.kind == Exit::Kind::protected_tunnel;
    constexpr std::size_t kInner = 28;
    require(delivery.size() > kInner && delivery[0] == 0x45 && delivery[9] == 47 && at16(delivery, 20) == 0x2000,
            "what left for a tunnel is not GRE with a key");
    const auto key = at32(delivery, 24);
    for (unsigned set = 0; set < kCustomers; ++set) {
        if (!sealed && key == gre_key(set, true) && variant.there(set)) { exit.customer = set; }
        if (key == gre_key(set, false)) {
            require(sealed, "GRE key {:#x} of a protected tunnel left in clear", key);
            if (variant.by_sas(sas) == variant.by_key(set)) { exit.customer = variant.by_key(set); }
        }
    }
    exit.known = exit.customer != kNobody;
    const auto inner = delivery.subspan(kInner);
    exit.reply = is_reply(inner);
    exit.length = at16(inner, 2);
    exit.mark = mark_in(inner);
}

}  // namespace

Exit Traffic::judge(unsigned port, std::span<const std::uint8_t> frame, Variant variant) {
    if (port != kCore) { return judge_access(port, frame, variant); }
    Exit exit;
    if (at16(frame, 12) != 0x0800 || frame.size() < 34) { return exit; }
    const auto ip = frame.subspan(14);
    if (ip[9] == 47) {
        exit.kind = Exit::Kind::clear_tunnel;
        judge_tunnel(exit, ip, variant, 0);
        return exit;
    }
    if (ip[9] != 50) {
        require(!mark_in(ip), "a customer's packet left the core port without a tunnel");
        return exit;
    }
    exit.kind = Exit::Kind::protected_tunnel;
    const auto esp = ip.subspan(20);
    const auto spi = at32(esp, 0);
    for (unsigned set = 0; set < kCustomers; ++set) {
        if (spi < spi_out(set) || spi >= spi_out(set) + variant.lanes(set)) { continue; }
        const auto key = variant.outbound(set);
        const auto opened = open_esp(key, esp.data(), esp.size());
        require(opened.has_value(), "SPI {:#x} is not sealed under its key", spi);
        exit.key = key.number;
        exit.counter_mode = row(key.suite).counter_mode;
        exit.iv = opened->iv;
        judge_tunnel(exit, opened->payload, variant, set);
        return exit;
    }
    require(false, "SPI {:#x} is not the configuration's", spi);
    return exit;
}

}  // namespace peerlane::fuzz
