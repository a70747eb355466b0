#include "tests/property/edges.hpp"

#include <algorithm>

namespace peerlane::test {
namespace {

constexpr std::uint8_t kMagic[] = {0xd1, 0x57, 0x1a, 0xc7, 0x1e, 0x5e, 0xed, 0x99};

template <class T>
const T& one_of(Random& random, const std::vector<T>& list) {
    return list[below(random, list.size())];
}

std::string tunnel_yaml(Random& random, const Tunnel& tunnel) {
    std::string text = "{ local: \"" + tunnel.local + "\", remote: \"" + tunnel.remote + "\"";
    if (tunnel.key) { text += ", key: " + std::to_string(*tunnel.key); }
    if (one_in(random, 3)) { text += ", mss_clamp: true"; }
    if (one_in(random, 3)) { text += ", inner_df: ignore"; }
    if (one_in(random, 4)) { text += ", dscp: " + std::to_string(below(random, 64)); }
    return text + " }";
}

}  // namespace

RandomEdge random_edge(Random& random) {
    RandomEdge edge;
    const bool own_macs = one_in(random, 3);
    const auto mac = [&](int port) {
        return own_macs ? ", mac: \"02:00:00:00:00:0" + std::to_string(port) + "\"" : "";
    };
    const auto mtu = [&] { return std::to_string(std::vector{1300, 1500, 1600, 4000}[below(random, 4)]); };
    edge.yaml = "ports:\n  access0: { role: access, mtu: " + mtu() + mac(0) +
                " }\n  access1: { role: access, mtu: " + mtu() + mac(1) +
                ", service_tpid: 0x9100 }\n  core0: { role: core, mtu: " + std::to_string(1400 + below(random, 400)) +
                mac(2) +
                ", address: 192.0.2.1/24, address6: \"2001:db8:ffff::1/64\", gateway_mac: \"02:00:00:00:00:fe\" "
                "}\ncustomers:\n";
    const auto tenants = 2 + below(random, 10);
    for (std::size_t i = 0; i < tenants; ++i) {
        Tenant tenant;
        const bool pair = one_in(random, 3);
        const bool stacked = !one_in(random, 3);
        // Single tags and S-VIDs share numbers with other tenants' C-VIDs.
        const auto outer = static_cast<unsigned>(10 + i);
        const auto inner = stacked ? static_cast<unsigned>(10 + below(random, 12)) : 0U;
        const std::string first = one_in(random, 2) ? "access0" : "access1";
        tenant.attachments.push_back({first, outer, inner});
        if (pair) { tenant.attachments.push_back({first == "access0" ? "access1" : "access0", outer, inner}); }
        std::string ports = "port: " + first;
        if (pair) { ports = "links: { primary: " + first + ", secondary: " + tenant.attachments[1].port + " }"; }
        const std::string subnets = pair ? "subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }, subnets6: { "
                                           "primary: \"fd00:172::/126\", secondary: \"fd00:172::4/126\" }"
                                         : "subnet: 172.16.0.0/30, subnet6: \"fd00:172::/126\"";
        edge.yaml += "  - name: c" + std::to_string(i) + "\n    circuits:\n      - { name: x, " + ports +
                     (stacked ? ", service_vlan: " + std::to_string(outer) : "") +
                     ", bandwidth: " + (one_in(random, 3) ? "1 Mbps, burst: 9000 B" : "10 Gbps") +
                     ", accounting: " + std::vector{"l3", "l2", "wire"}[below(random, 3)] +
                     ",\n          peerings: [ { type: private, vlan: " + std::to_string(stacked ? inner : outer) +
                     ", " + subnets + (one_in(random, 8) ? "" : ", customer_mac: \"02:00:00:00:01:01\"") +
                     (one_in(random, 5) ? ", bandwidth: 500 kbps, burst: 6000 B" : "") +
                     ", customer_prefixes: [10.0.0.0/16, \"fd00:10::/48\"],\n            virtual_networks: [\n";
        const auto networks = 1 + below(random, 2);
        for (std::size_t n = 0; n < networks; ++n) {
            const bool six = one_in(random, 3);
            Tunnel tunnel{six ? "2001:db8:ffff::1" : "192.0.2.1", six ? "2001:db8:cafe::7" : "198.51.100.7",
                          std::nullopt};
            // One without a key beside another tenant's with key 0, twice; keys are neighbours of each other.
            const auto number = i * 2 + n;
            if (number == 3 || number == 4) { tunnel.remote.back() = '8'; }
            if (number == 5) { tunnel.local.back() = '2'; }
            if (number == 2 || number == 4) {
                tunnel.key = 0;
            } else if (number != 0 && number != 3 && number != 5) {
                tunnel.key = static_cast<std::uint32_t>(number);
            }
            tenant.tunnels.push_back(tunnel);
            const std::string net = std::to_string(100 + n);
            edge.yaml += "              { name: n" + std::to_string(n) + ", prefixes: [10." + net +
                         ".0.0/16, \"fd00:" + net + "::/48\"], tunnel: " + tunnel_yaml(random, tunnel) + " },\n";
        }
        edge.yaml += "            ] } ] }\n";
        edge.tenants.push_back(std::move(tenant));
    }
    return edge;
}

std::optional<std::size_t> owner(const RandomEdge& edge, const std::string& port, const Octets& frame, bool sent) {
    const auto at16 = [&](std::size_t at) {
        return at + 1 < frame.size() ? static_cast<unsigned>(frame[at] << 8U | frame[at + 1]) : 0U;
    };
    const auto is_tpid = [](unsigned type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; };
    if (port != "core0") {
        Attachment seen{port, 0, 0};
        if (!is_tpid(at16(12))) { return std::nullopt; }
        seen.outer = at16(14) & 0xfffU;
        if (at16(16) == 0x8100) { seen.inner = at16(18) & 0xfffU; }
        for (std::size_t i = 0; i < edge.tenants.size(); ++i) {
            const auto& list = edge.tenants[i].attachments;
            if (std::find(list.begin(), list.end(), seen) != list.end()) { return i; }
        }
        return std::nullopt;
    }
    const bool six = at16(12) == 0x86dd;
    const std::size_t width = six ? 16 : 4;
    const std::size_t addresses = six ? 14 + 8 : 14 + 12;
    const std::size_t gre = six ? 14 + 40 : 14 + (frame.size() > 14 ? frame[14] & 15U : 0U) * 4U;
    if (frame.size() < gre + 4) { return std::nullopt; }
    if (frame[six ? 14 + 6 : 14 + 9] != 47) { return std::nullopt; }
    const Octets source(frame.begin() + static_cast<std::ptrdiff_t>(addresses),
                        frame.begin() + static_cast<std::ptrdiff_t>(addresses + width));
    const Octets destination(frame.begin() + static_cast<std::ptrdiff_t>(addresses + width),
                             frame.begin() + static_cast<std::ptrdiff_t>(addresses + 2 * width));
    const bool keyed = (frame[gre] & 0x20U) != 0;
    const std::size_t at = gre + ((frame[gre] & 0x80U) != 0 ? 8 : 4);
    const std::uint32_t key = at16(at) << 16U | at16(at + 2);
    for (std::size_t i = 0; i < edge.tenants.size(); ++i) {
        for (const auto& tunnel : edge.tenants[i].tunnels) {
            const auto local = address(tunnel.local);
            const auto remote = address(tunnel.remote);
            if ((sent ? source : destination) != local || (sent ? destination : source) != remote) { continue; }
            if (tunnel.key.has_value() == keyed && (!keyed || *tunnel.key == key)) { return i; }
        }
    }
    return std::nullopt;
}

std::optional<std::uint32_t> mark_of(const Octets& frame) {
    const auto found = std::search(frame.begin(), frame.end(), std::begin(kMagic), std::end(kMagic));
    if (frame.end() - found < static_cast<std::ptrdiff_t>(sizeof kMagic + 4)) { return std::nullopt; }
    std::uint32_t mark = 0;
    for (int i = 0; i < 4; ++i) { mark = mark << 8U | found[static_cast<std::ptrdiff_t>(sizeof kMagic) + i]; }
    return mark;
}

Octets right_frame(Random& random, const RandomEdge& edge, std::size_t tenant, bool from_cloud, std::uint32_t mark) {
    const Tenant& who = edge.tenants[tenant];
    const bool six = one_in(random, 2);
    std::string customer =
        six ? "fd00:10::" + std::to_string(1 + below(random, 9)) : "10.0.0." + std::to_string(1 + below(random, 250));
    const auto network = below(random, who.tunnels.size() + (one_in(random, 10) ? 1 : 0));
    std::string cloud = six ? "fd00:10" + std::to_string(network) + "::1" : "10.10" + std::to_string(network) + ".0.1";
    if (one_in(random, 12)) { (from_cloud ? customer : cloud) = six ? "fd00:172::2" : "172.16.0.2"; }
    if (one_in(random, 12)) { (from_cloud ? customer : cloud) = six ? "fd00:172::5" : "172.16.0.5"; }
    const auto& from = from_cloud ? cloud : customer;
    const auto& to = from_cloud ? customer : cloud;
    Packet ip;
    if (six) {
        ip.ip6(from, to);
    } else {
        ip.ip4(from, to).id(static_cast<unsigned>(below(random, 65536)));
        if (one_in(random, 3)) { ip.df(); }
        if (one_in(random, 9)) { ip.options({148, 4, 0, 0, 1, 7, 3, 4}); }
        if (one_in(random, 9)) { ip.fragment(static_cast<unsigned>(below(random, 65536)) & 0x3fffU); }
    }
    ip.tos(static_cast<unsigned>(below(random, 256)))
        .ttl(one_in(random, 9) ? static_cast<unsigned>(below(random, 3)) : 64);
    if (one_in(random, 4)) {
        ip.tcp(2, {2, 4, static_cast<std::uint8_t>(below(random, 256)), 0});
    } else if (one_in(random, 4)) {
        six ? ip.icmp6(128) : ip.icmp(8);
    } else {
        ip.udp();
    }
    Octets payload(std::begin(kMagic), std::end(kMagic));
    for (int shift = 24; shift >= 0; shift -= 8) {
        payload.push_back(static_cast<std::uint8_t>(mark >> static_cast<unsigned>(shift)));
    }
    payload.resize(payload.size() + (one_in(random, 4) ? below(random, 1600) : below(random, 90)), 0x33);
    ip.payload(payload);
    if (from_cloud) {
        const Tunnel& tunnel = one_of(random, who.tunnels);
        Packet frame = Packet().ether("02:00:00:00:00:02", "02:00:00:00:00:fe");
        if (tunnel.local.find(':') != std::string::npos) {
            frame.ip6(tunnel.remote, tunnel.local);
        } else {
            frame.ip4(tunnel.remote, tunnel.local);
        }
        frame.tos(static_cast<unsigned>(below(random, 256))).gre(tunnel.key);
        if (one_in(random, 5)) { frame.gre_checksum(); }
        if (one_in(random, 5)) { frame.gre_sequence(static_cast<std::uint32_t>(random())); }
        return frame.then(ip).octets();
    }
    const Attachment& at = who.attachments[0];
    Packet frame = Packet()
                       .ether(at.port == "access0" ? "02:00:00:00:00:00" : "02:00:00:00:00:01", "02:00:00:00:01:01")
                       .tag(at.outer);
    if (at.inner != 0) { frame.tag(at.inner); }
    return frame.then(ip).octets();
}

void mutate(Random& random, Octets& frame) {
    const auto anywhere = [&] {
        return below(random, one_in(random, 2) ? std::min<std::size_t>(frame.size(), 80) : frame.size());
    };
    for (auto times = 1 + below(random, 3); times != 0 && !frame.empty(); --times) {
        switch (below(random, 7)) {
            case 0:
                frame[anywhere()] ^= static_cast<std::uint8_t>(1U << below(random, 8));
                break;
            case 1:
                frame[anywhere()] = static_cast<std::uint8_t>(random());
                break;
            case 2:
                frame.resize(anywhere());
                break;
            case 3:
                frame.resize(frame.size() + below(random, 200), static_cast<std::uint8_t>(random()));
                break;
            case 4: {  // a length, an EtherType, flags: two octets that mean something
                const auto at = anywhere() & ~std::size_t{1};
                if (at + 1 < frame.size()) {
                    frame[at] = static_cast<std::uint8_t>(one_in(random, 2) ? 0 : 0xff),
                    frame[at + 1] = static_cast<std::uint8_t>(random());
                }
                break;
            }
            case 5: {  // octets lost or doubled: the rest moves
                const auto at = static_cast<std::ptrdiff_t>(anywhere());
                const auto size = static_cast<std::ptrdiff_t>(
                    std::min<std::size_t>(1 + below(random, 8), frame.size() - static_cast<std::size_t>(at)));
                if (one_in(random, 2)) {
                    frame.erase(frame.begin() + at, frame.begin() + at + size);
                } else {
                    const Octets twice(frame.begin() + at, frame.begin() + at + size);
                    frame.insert(frame.begin() + at, twice.begin(), twice.end());
                }
                break;
            }
            default:
                for (auto& octet : frame) {
                    if (one_in(random, 40)) { octet = static_cast<std::uint8_t>(random()); }
                }
        }
    }
}

}  // namespace peerlane::test
