// What customers and gateways send, by kind.
#include <algorithm>

#include "tests/fuzz/require.hpp"
#include "tests/fuzz/traffic.hpp"
#include "tests/fuzz/wire.hpp"

namespace peerlane::fuzz {
namespace {

using test::Packet;

constexpr unsigned kIpUdp = 28;

const char* const kSubnetEdge[] = {"172.16.0.2", "172.16.0.6"};    // by link
const char* const kSubnetRouter[] = {"172.16.0.1", "172.16.0.5"};  // by link
constexpr const char* kCustomerHost = "10.0.0.1";
constexpr const char* kSecretHost = "10.100.0.1";
constexpr const char* kClearHost = "10.101.0.1";

Packet tagged(unsigned tags, Link link, const char* router) {
    return Packet()
        .ether(kPortMac[link == Link::primary ? kAccess0 : kAccess1], router)
        .tag(service_vlan(tags), link == Link::primary ? 0x88a8 : 0x9100)
        .tag(10);
}

}  // namespace

unsigned Entry::owner(Variant variant) const noexcept {
    if (!from_cloud) { return variant.by_tags(tags); }
    if (clear_key) { return variant.there(tags) ? tags : kNobody; }
    const unsigned customer = variant.by_key(tags);
    return sealed && variant.by_sas(sas) == customer ? customer : kNobody;
}

std::uint32_t Traffic::remember(const Entry& entry, unsigned length, bool secret, Variant now) {
    Sent sent{entry, length, secret, 0, false};
    if (const auto owner = entry.owner(now); owner != kNobody) { sent.owners = static_cast<std::uint8_t>(1U << owner); }
    all_.push_back(sent);
    return static_cast<std::uint32_t>(all_.size() - 1);
}

/// To the cloud: 0, 1 to a protected network, 2 to a clear one, 3 the same with DF, 4 to 6 to the other link's subnet
/// (6 with DF), 7 a ping of the edge, 8 of a TTL at its end, 9 to nowhere, 10 from a source that is not accepted, 11 to
/// the own link's subnet.
Octets Traffic::from_customer(unsigned tags, Link link, unsigned kind, unsigned size, Variant now) {
    const auto other = link == Link::primary ? 1U : 0U;
    const auto own = 1U - other;
    const char* to = kind < 2 || kind == 8 || kind == 10 ? kSecretHost
                     : kind < 4                          ? kClearHost
                     : kind < 7                          ? kSubnetRouter[other]
                     : kind == 7                         ? kSubnetEdge[own]
                     : kind == 9                         ? "10.99.0.1"
                                                         : kSubnetRouter[own];
    const char* from = kind == 10 ? "11.0.0.1" : kind == 7 ? kSubnetRouter[own] : kCustomerHost;
    Packet ip = Packet().ip4(from, to).id(static_cast<unsigned>(all_.size() & 0xffffU));
    if (kind == 3 || kind == 6) { ip.df(); }
    if (kind == 8) { ip.ttl(1); }
    const unsigned length = std::max(size, kIpUdp + 12U);
    const Entry entry{false, link, false, tags, 0, false};
    const auto mark = remember(entry, length, kind < 2 || kind == 8 || kind == 10, now);
    say("packet {}: from a customer, kind {}, tags {}", mark, kind, tags);
    if (kind == 7) {
        ip.icmp(8);
    } else {
        ip.udp();
    }
    return tagged(tags, link, kRouterMac[tags]).then(ip.payload(marked_payload(mark, length - kIpUdp))).octets();
}

/// From the cloud, of the tunnel with this GRE key: 0 to 2 sealed as it should be (2 to a link's subnet), 3 the sealed
/// frame of before again, 4 with a wrong ICV, 5 sealed under the other set's SA, 6 of a clear tunnel, 7 the same to a
/// link's subnet, 8 clear though it should be sealed, 9 sealed, of a TTL at its end.
Octets Traffic::from_cloud(unsigned set, unsigned kind, unsigned size, Variant now) {
    if (kind == 3 && last_.contains(set)) {
        Sent& before = all_[which(last_[set]).value()];
        if (const auto owner = before.entry.owner(now); owner != kNobody) {
            before.owners |= static_cast<std::uint8_t>(1U << owner);
        }
        return last_[set];
    }
    const bool clear = kind == 6 || kind == 7;
    const bool sealed = !clear && kind != 8;
    const unsigned length = std::max(size, kIpUdp + 12U);
    Packet ip = Packet().ip4(clear ? kClearHost : kSecretHost, kind == 2 || kind == 7 ? kSubnetRouter[size & 1U]
                                                               : size % 3 == 0        ? "10.0.0.7"
                                                                                      : kCustomerHost);
    if (kind == 9) { ip.ttl(1); }
    // The SAs that go with the tunnel now; or the other ones.
    const unsigned customer = clear ? set : now.by_key(set);
    const unsigned sas = customer == kNobody ? set : now.sas_of(customer) ^ (kind == 5 ? 1U : 0U);
    const Entry entry{true, Link::primary, sealed && kind != 4, set, sas, clear};
    const auto mark = remember(entry, length, !clear, now);
    say("packet {}: from the cloud, kind {}, set {}, SAs {}", mark, kind, set, sas);
    ip.udp(1000 + size % 7, 2000).payload(marked_payload(mark, length - kIpUdp));
    const char* remote = kRemote[clear ? 1 : 0];
    Packet delivery = Packet().ip4(remote, kLocal).gre(gre_key(set, clear)).then(ip);
    Packet frame = Packet().ether(kPortMac[kCore], kGatewayMac);
    if (!sealed) { return frame.then(delivery).octets(); }
    const auto key = now.inbound(sas);
    const auto sequence = ++sequences_[key.number];
    if (row(key.suite).counter_mode) { ivs_.emplace_back(key.number, sequence); }
    auto esp = seal(key, spi_in(sas), sequence, delivery.octets(), 4);
    sealed_[std::uint64_t{spi_in(sas)} << 32U | sequence] = mark;
    if (kind == 4) { esp.back() ^= 1U; }
    last_[set] = frame.ip4(remote, kLocal).raw({}, 50).payload(esp).octets();
    return last_[set];
}

std::optional<std::uint32_t> Traffic::which(std::span<const std::uint8_t> frame) const {
    constexpr std::size_t kEsp = 34;
    if (at16(frame, 12) != 0x0800 || frame.size() < kEsp + 8 || frame[23] != 50) { return mark_in(frame); }
    const auto found = sealed_.find(std::uint64_t{at32(frame, kEsp)} << 32U | at32(frame, kEsp + 4));
    return found == sealed_.end() ? std::nullopt : std::optional(found->second);
}

Octets Traffic::arp_reply(unsigned tags, Link link, unsigned router) {
    const auto own = link == Link::primary ? 0U : 1U;
    Octets body{0, 1, 8, 0, 6, 4, 0, 2};
    const auto add = [&](const Octets& more) { body.insert(body.end(), more.begin(), more.end()); };
    const auto macs = Packet().ether(kPortMac[own == 0 ? kAccess0 : kAccess1], kRouterMac[router]).octets();
    add(Octets(macs.begin() + 6, macs.begin() + 12));
    add(test::address(kSubnetRouter[own]));
    add(Octets(macs.begin(), macs.begin() + 6));
    add(test::address(kSubnetEdge[own]));
    return tagged(tags, link, kRouterMac[router]).then(Packet().raw(body, 0x0806)).octets();
}

}  // namespace peerlane::fuzz
