#include "tests/fuzz/family.hpp"

#include <fmt/format.h>

namespace peerlane::fuzz {
namespace {

const char* name_of_suite(EspSuite suite) {
    return row(suite).name.data();
}

/// Two lines, the second indented.
std::string sized(const BucketSize& size, unsigned indent) {
    return fmt::format("bandwidth: {} kbps\n{:{}}burst: {} B", size.rate / 1000, "", indent, size.burst);
}

std::string customer_text(Variant variant, unsigned customer) {
    const unsigned keys = variant.keys_of(customer);
    const unsigned sas = variant.sas_of(customer);
    const auto out = variant.outbound(sas);
    const auto in = variant.inbound(sas);
    const auto own = peering_bucket(variant, customer);
    return fmt::format(
        R"(  - name: c{0}
    circuits:
      - name: pair
        links: {{ primary: access0, secondary: access1 }}
        service_vlan: {1}
        {2}
        accounting: {3}
        peerings:
          - type: private
            vlan: 10
            {4}
            subnets: {{ primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }}
            {5}
            customer_prefixes: [10.0.0.0/16]
            virtual_networks:
              - {{ name: prod, prefixes: [10.100.0.0/16],
                  tunnel: {{ local: {6}, remote: {7}, key: {8} }},
                  ipsec: {{ suite: {9}, esn: {10}, outbound: {{ spi: {11}, key: "{12}", spi_count: {13} }},
                           inbound: {{ spi: {14}, key: "{15}" }} }} }}
              - {{ name: clear, prefixes: [10.101.0.0/16], tunnel: {{ local: {6}, remote: {16}, key: {17} }} }}
)",
        customer, service_vlan(variant.tags_of(customer)), sized(circuit_bucket(variant, customer), 8),
        customer == 1 ? "l2" : "l3", own ? sized(*own, 12) : "",
        customer == 0 ? fmt::format("customer_mac: \"{}\"", kRouterMac[0]) : "", kLocal, kRemote[0],
        gre_key(keys, false), name_of_suite(out.suite), out.esn, spi_out(sas), hex_key(out.suite, out.number),
        variant.lanes(sas), spi_in(sas), hex_key(in.suite, in.number), kRemote[1], gre_key(customer, true));
}

}  // namespace

BucketSize circuit_bucket(Variant variant, unsigned customer) {
    if (variant.has(Variant::kGenerous)) { return {100'000'000, 200'000}; }
    return customer == 0 ? BucketSize{1'000'000, 6'000} : BucketSize{8'000'000, 9'000};
}

std::optional<BucketSize> peering_bucket(Variant variant, unsigned customer) {
    if (customer == 1 || !variant.has(Variant::kGenerous)) { return std::nullopt; }
    return BucketSize{2'000'000, 5'000};
}

std::string family_text(Variant variant, unsigned workers, const std::string& state_dir, unsigned spoiled) {
    auto text = fmt::format(R"(edge: {{ name: e1, workers: {}, state_dir: "{}" }}
ports:
  access0: {{ role: access, device: net_null0, mtu: {}, mac: "{}", service_tpid: 0x88a8 }}
  core0: {{ role: core, device: net_null1, mtu: {}, mac: "{}", address: {}/24, gateway: 192.0.2.254,
           gateway_mac: "{}" }}
  access1: {{ role: access, device: net_null2, mtu: {}, mac: "{}", service_tpid: 0x9100 }}
customers:
)",
                            workers, state_dir, kAccessMtu[0], kPortMac[0], spoiled == 2 ? 1400 : 1500, kPortMac[1],
                            kLocal, kGatewayMac, kAccessMtu[1], kPortMac[2]);
    for (unsigned customer = 0; customer < kCustomers; ++customer) {
        if (variant.there(customer)) { text += customer_text(variant, customer); }
    }
    return spoiled == 1 ? text + "  - name: [\n" : text;
}

}  // namespace peerlane::fuzz
