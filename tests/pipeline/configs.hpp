// The configurations and packets that most cases are about.
#pragma once

#include "tests/pipeline/edge.hpp"

namespace peerlane::test {

/// A pair over two access ports (the second with a smaller MTU and another TPID), a single-tagged circuit of another
/// customer with the same addresses, tunnels of every kind, no MACs of our own: any unicast MAC is accepted.
inline constexpr std::string_view kPair = R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1500, address: 192.0.2.1/24, gateway: 192.0.2.254,
           address6: "2001:db8:ffff::1/64", gateway6: "2001:db8:ffff::fe", gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1300, service_tpid: 0x9100 }
customers:
  - name: contoso
    circuits:
      - name: pair
        links: { primary: access0, secondary: access1 }
        service_vlan: 100
        bandwidth: 1 Gbps
        peerings:
          - type: private
            vlan: 10
            subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }
            subnets6: { primary: "fd00:172::/126", secondary: "fd00:172::4/126" }
            customer_mac: "02:00:00:00:01:01"
            customer_prefixes: [10.0.0.0/16, 10.100.9.0/24, "fd00:10::/48"]
            virtual_networks:
              - name: v4key
                prefixes: [10.100.0.0/16, "fd00:100::/48"]
                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01, mss_clamp: true }
              - name: v4none
                prefixes: [10.101.0.0/16, "fd00:101::/48"]
                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, inner_df: ignore, dscp: 46 }
              - name: v6key
                prefixes: [10.102.0.0/16, "fd00:102::/48", 10.100.7.0/24]
                tunnel: { local: "2001:db8:ffff::1", remote: "2001:db8:cafe::7", key: 0 }
              - name: v6none
                prefixes: [10.103.0.0/16, "fd00:103::/48"]
                tunnel: { local: "2001:db8:ffff::2", remote: "2001:db8:cafe::7" }
  - name: fabrikam
    circuits:
      - name: single
        port: access0
        bandwidth: 1 Gbps
        accounting: l2
        peerings:
          - type: private
            vlan: 100
            subnet: 172.16.0.0/30
            subnet6: "fd00:172::/126"
            customer_mac: "02:00:00:00:02:02"
            customer_prefixes: [10.0.0.0/16, "fd00:10::/48"]
            virtual_networks:
              - name: prod
                prefixes: [0.0.0.0/0, "::/0"]
                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 }
)";

inline constexpr const char* kContoso = "contoso/pair";
inline constexpr const char* kFabrikam = "fabrikam/single";

inline constexpr const char* kAccess0Mac = "02:00:00:00:00:00";
inline constexpr const char* kCoreMac = "02:00:00:00:00:01";
inline constexpr const char* kAccess1Mac = "02:00:00:00:00:02";
inline constexpr const char* kGatewayMac = "02:00:00:00:00:fe";
inline constexpr const char* kContosoMac = "02:00:00:00:01:01";
inline constexpr const char* kFabrikamMac = "02:00:00:00:02:02";

/// From contoso's router on the primary link, from fabrikam's.
inline Packet from_contoso(const Packet& ip) {
    return Packet().ether(kAccess0Mac, kContosoMac).tag(100).tag(10).then(ip);
}
inline Packet from_contoso_secondary(const Packet& ip) {
    return Packet().ether(kAccess1Mac, kContosoMac).tag(100, 0x9100).tag(10).then(ip);
}
inline Packet from_fabrikam(const Packet& ip) {
    return Packet().ether(kAccess0Mac, kFabrikamMac).tag(100).then(ip);
}
/// As they arrive at contoso's router, at fabrikam's.
inline Packet at_contoso(const Packet& ip, unsigned priority = 0) {
    return Packet().ether(kContosoMac, kAccess0Mac).tag(100, 0, priority).tag(10, 0, priority).then(ip);
}
inline Packet at_contoso_secondary(const Packet& ip) {
    return Packet().ether(kContosoMac, kAccess1Mac).tag(100, 0x9100).tag(10).then(ip);
}
inline Packet at_fabrikam(const Packet& ip) {
    return Packet().ether(kFabrikamMac, kAccess0Mac).tag(100).then(ip);
}

/// What the edge puts before a packet for a tunnel of kPair; `tos` of the outer header.
inline Packet to_gateway(std::string_view network, unsigned tos, const Packet& ip) {
    Packet outer = Packet().ether(kGatewayMac, kCoreMac);
    if (network == "v6key" || network == "v6none") {
        outer.ip6(network == "v6key" ? "2001:db8:ffff::1" : "2001:db8:ffff::2", "2001:db8:cafe::7").tos(tos);
    } else {
        outer.ip4("192.0.2.1", "198.51.100.7").df().tos(tos);
    }
    if (network == "v4key") { return outer.gre(0x2a01).then(ip); }
    if (network == "v6key" || network == "prod") { return outer.gre(0).then(ip); }
    return outer.gre().then(ip);
}
/// What a cloud gateway sends down the same tunnel; change the outer header before then().
inline Packet outer_from_gateway(std::string_view network) {
    Packet outer = Packet().ether(kCoreMac, kGatewayMac);
    if (network == "v6key" || network == "v6none") {
        outer.ip6("2001:db8:cafe::7", network == "v6key" ? "2001:db8:ffff::1" : "2001:db8:ffff::2");
    } else {
        outer.ip4("198.51.100.7", "192.0.2.1");
    }
    if (network == "v4key") { return outer.gre(0x2a01); }
    if (network == "v6key" || network == "prod") { return outer.gre(0); }
    return outer.gre();
}
inline Packet from_gateway(std::string_view network, const Packet& ip) {
    return outer_from_gateway(network).then(ip);
}

/// The ordinary packet up, and down.
inline Packet up4(std::string_view to = "10.100.0.1", std::string_view from = "10.0.0.1") {
    return Packet().ip4(from, to).udp().payload(100);
}
inline Packet up6(std::string_view to = "fd00:100::1", std::string_view from = "fd00:10::1") {
    return Packet().ip6(from, to).udp().payload(100);
}
inline Packet down4(std::string_view to = "10.0.0.1", std::string_view from = "10.100.0.1") {
    return up4(to, from);
}
inline Packet down6(std::string_view to = "fd00:10::1", std::string_view from = "fd00:100::1") {
    return up6(to, from);
}
/// `packet` with one hop less to live.
inline Packet hop(const Packet& packet, unsigned left = 63) {
    return Packet(packet).ttl(left);
}

inline Output output(std::string_view port, const Packet& packet) {
    return {std::string(port), packet.octets()};
}

/// One packet into a fresh edge: its fate, what comes out, and the circuit that is charged with a drop ("" none).
struct Case {
    const char* name;
    const char* port;
    Packet packet;
    Fate fate;
    std::vector<Output> out;
    const char* circuit = "";
};
void check(const std::vector<Case>& cases, std::string_view yaml = kPair);

}  // namespace peerlane::test
