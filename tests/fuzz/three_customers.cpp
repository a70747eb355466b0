// The configuration behind a Bench.
#include <fmt/format.h>

#include "config/load.hpp"
#include "tests/fuzz/bench.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

constexpr const char* kLocal6 = "2001:db8:ffff::1";
constexpr const char* kRemote6 = "2001:db8:cafe::7";

std::string network_text(const BenchTunnel& tunnel) {
    auto text = fmt::format(
        "          - {{ name: n{0}, prefixes: [10.{1}.0.0/16, \"fd00:{1}::/48\"],\n"
        "              tunnel: {{ local: \"{2}\", remote: \"{3}\"{4}{5} }}",
        tunnel.number, 100 + tunnel.number, tunnel.six ? kLocal6 : kLocal,
        tunnel.six ? kRemote6 : kRemote[tunnel.sealed ? 1 : 0], tunnel.key ? fmt::format(", key: {}", *tunnel.key) : "",
        tunnel.number % 3 == 1 ? ", mss_clamp: true" : ", inner_df: ignore");
    if (tunnel.sealed) {
        text += fmt::format(
            ",\n              ipsec: {{ mode: {}, suite: {}, outbound: {{ spi: {}, key: \"{}\" }}, "
            "inbound: {{ spi: {}, key: \"{}\" }} }}",
            tunnel.transport ? "transport" : "tunnel", row(tunnel.suite).name, bench_spi(tunnel, true),
            hex_key(tunnel.suite, bench_key(tunnel, true).number), bench_spi(tunnel, false),
            hex_key(tunnel.suite, bench_key(tunnel, false).number));
    }
    return text + " }\n";
}

std::string text_of(bool learnt) {
    auto text =
        fmt::format(R"(edge: {{ workers: 2 }}
ports:
  access0: {{ role: access, mtu: {}, mac: "{}", service_tpid: 0x88a8 }}
  core0: {{ role: core, mtu: 1500, mac: "{}", address: {}/24, gateway: 192.0.2.254,
           address6: "{}/64", gateway6: "2001:db8:ffff::fe"{} }}
  access1: {{ role: access, mtu: {}, mac: "{}", service_tpid: 0x9100 }}
customers:
)",
                    kAccessMtu[0], kPortMac[0], kPortMac[1], kLocal, kLocal6,
                    learnt ? "" : fmt::format(", gateway_mac: \"{}\"", kGatewayMac), kAccessMtu[1], kPortMac[2]);
    const std::string pair =
        "subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }\n"
        "        subnets6: { primary: \"fd00:172::/126\", secondary: \"fd00:172::4/126\" }";
    const std::string single = "subnet: 172.16.0.0/30\n        subnet6: \"fd00:172::/126\"";
    const std::string ways[] = {"links: { primary: access0, secondary: access1 }\n      service_vlan: 100",
                                "port: access0", "port: access1\n      service_vlan: 200"};
    for (unsigned customer = 0; customer < kThree; ++customer) {
        text += fmt::format(R"(  - name: c{0}
    circuits:
    - name: x
      {1}
      bandwidth: {2}
      accounting: {3}
      peerings:
      - type: private
        vlan: {4}
        {5}
        {6}
        customer_prefixes: [10.0.0.0/16, "fd00:10::/48"]
        virtual_networks:
)",
                            customer, ways[customer], customer == 1 ? "8 Mbps\n      burst: 9000 B" : "1 Gbps",
                            customer == 1 ? "l2" : "l3", customer == 1 ? 300 : 10, customer == 0 ? pair : single,
                            learnt ? "" : fmt::format("customer_mac: \"02:00:00:00:0{}:01\"", customer + 1));
        for (const auto& tunnel : bench_tunnels()) {
            if (tunnel.customer == customer) { text += network_text(tunnel); }
        }
    }
    return text;
}

}  // namespace

std::span<const BenchTunnel> bench_tunnels() {
    static const BenchTunnel all[] = {
        {0, false, 0x0f0f'0001, false, false, EspSuite::aes_gcm_128, 0},
        {0, true, 0x0f0f'0006, false, false, EspSuite::aes_gcm_128, 1},
        {0, false, 0x3c3c'0001, true, false, EspSuite::aes_gcm_128, 2},
        {0, true, 0x3c3c'0006, true, true, EspSuite::aes_cbc_128_hmac_sha256_128, 3},
        {1, false, 0x5a5a'0008, false, false, EspSuite::aes_gcm_128, 4},
        {1, false, 0x6969'0008, true, true, EspSuite::chacha20_poly1305, 5},
        {2, false, std::nullopt, false, false, EspSuite::aes_gcm_128, 6},
        {2, true, 0x7878'0003, true, false, EspSuite::aes_gcm_256, 7},
    };
    return all;
}

EspKey bench_key(const BenchTunnel& tunnel, bool outbound) {
    return {tunnel.suite, 20 + 2 * tunnel.number + (outbound ? 0U : 1U), false};
}
std::uint32_t bench_spi(const BenchTunnel& tunnel, bool outbound) {
    return (outbound ? 0x1000U : 0x2000U) + tunnel.number;
}

test::Packet bench_delivery(const BenchTunnel& tunnel, const test::Packet& ip) {
    test::Packet packet;
    if (tunnel.six) {
        packet.ip6(kRemote6, kLocal6);
    } else {
        packet.ip4(kRemote[tunnel.sealed ? 1 : 0], kLocal);
    }
    return packet.gre(tunnel.key).then(ip);
}

const config::Model& three_customers(bool learnt) {
    const auto load = [](bool without_macs) {
        auto loaded = config::load_text(text_of(without_macs), "three.yaml");
        for (const auto& finding : loaded.findings) {
            require(finding.severity != config::Finding::Severity::error, "{}: {}", finding.where, finding.what);
        }
        return std::move(loaded.model);
    };
    static const config::Model known = load(false);
    static const config::Model unknown = load(true);
    return learnt ? unknown : known;
}

}  // namespace peerlane::fuzz
