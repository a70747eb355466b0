#include "perf/pipeline/scenario.hpp"

#include <fmt/format.h>

#include <cstring>
#include <iterator>
#include <random>
#include <stdexcept>

#include "perf/pipeline/floor_esp.hpp"
#include "perf/pipeline/floor_steps.hpp"

namespace peerlane::perf {
namespace {

Prefix4 prefix(const char* text) {
    return parse_prefix4(text).value();
}
Ip4 address(const char* text) {
    return parse_ip4(text).value();
}

void put16(std::uint8_t* at, unsigned value) {
    store(at, __builtin_bswap16(static_cast<std::uint16_t>(value)));
}
void put32(std::uint8_t* at, std::uint32_t value) {
    store(at, __builtin_bswap32(value));
}
void put_ethernet(std::uint8_t* at, const Mac& destination, const Mac& source, unsigned type) {
    std::memcpy(at, destination.octets.data(), 6);
    std::memcpy(at + 6, source.octets.data(), 6);
    put16(at + 12, type);
}
struct Ip {
    Ip4 source, destination;
    unsigned total, protocol, tos, ttl, id;
    bool dont_fragment;
};
void put_ip(std::uint8_t* at, const Ip& ip) {
    std::memset(at, 0, 20);
    at[0] = 0x45;
    at[1] = static_cast<std::uint8_t>(ip.tos);
    put16(at + 2, ip.total);
    put16(at + 4, ip.id);
    put16(at + 6, ip.dont_fragment ? 0x4000 : 0);
    at[8] = static_cast<std::uint8_t>(ip.ttl);
    at[9] = static_cast<std::uint8_t>(ip.protocol);
    put32(at + 12, ip.source.value);
    put32(at + 16, ip.destination.value);
    store(at + 10, static_cast<std::uint16_t>(~folded(header_sum(at))));
}

std::string list(const std::vector<Prefix4>& prefixes) {
    std::string text;
    for (const auto& one : prefixes) { text += (text.empty() ? "" : ", ") + to_string(one); }
    return text;
}

}  // namespace

FloorSpec make_spec(unsigned circuits, std::optional<EspSuite> suite) {
    if (circuits == 0 || circuits > 4094) { throw std::invalid_argument("circuits: 1 .. 4094, as there are S-VIDs"); }
    FloorSpec spec;
    spec.access_mac = parse_mac("02:00:00:00:0a:01").value();
    spec.core_mac = parse_mac("02:00:00:00:0c:01").value();
    spec.gateway_mac = parse_mac("02:00:00:00:0c:fe").value();
    spec.access_mtu = 1600;
    spec.core_mtu = 9000;
    spec.access_port = 0;
    spec.core_port = 1;
    spec.service_tpid = 0x8100;
    spec.local = address("192.0.2.1");
    spec.subnet = prefix("172.16.0.0/30");
    spec.edge = address("172.16.0.2");
    spec.rate = 100'000'000'000;
    spec.burst = 250'000'000;
    spec.suite = suite;
    std::mt19937_64 keys(0x6b657973);
    const auto key = [&] {
        std::vector<std::uint8_t> octets(row(*suite).material());
        for (auto& octet : octets) { octet = static_cast<std::uint8_t>(keys()); }
        return octets;
    };
    for (unsigned i = 0; i < circuits; ++i) {
        FloorSpec::Circuit circuit;
        circuit.service_vlan = static_cast<std::uint16_t>(1 + i);
        circuit.vlan = static_cast<std::uint16_t>(1 + i * 37 % 4094);
        circuit.customer_mac = Mac{{2, 0, 0, 1, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}};
        circuit.remote = offset(address("198.18.0.0"), 1 + i % 1000);
        circuit.key = 0x2a00'0000U + i * 7;
        for (const char* text : {"10.0.0.0/16", "10.2.0.0/16", "10.4.0.0/20", "10.6.128.0/24", "192.168.8.0/22"}) {
            circuit.customer.push_back(prefix(text));
        }
        for (const char* text :
             {"10.100.0.0/16", "10.102.0.0/16", "10.104.16.0/20", "10.106.7.0/24", "172.20.0.0/16"}) {
            circuit.cloud.push_back(prefix(text));
        }
        if (suite) {
            circuit.spi_out = 0x1001 + i;
            circuit.spi_in = 0x2001'0000 + i;
            circuit.key_out = key();
            circuit.key_in = key();
        }
        spec.circuits.push_back(std::move(circuit));
    }
    return spec;
}

std::string configuration_text(const FloorSpec& spec) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "ports:\n  access0: {{ role: access, device: net_null0, mtu: {}, mac: \"{}\" }}\n",
                   spec.access_mtu, to_string(spec.access_mac));
    fmt::format_to(out,
                   "  core0: {{ role: core, device: net_null1, mtu: {}, mac: \"{}\", address: {}/24, gateway: {},\n"
                   "    gateway_mac: \"{}\" }}\ncustomers:\n",
                   spec.core_mtu, to_string(spec.core_mac), to_string(spec.local), to_string(offset(spec.local, 253)),
                   to_string(spec.gateway_mac));
    for (std::size_t i = 0; i < spec.circuits.size(); ++i) {
        const auto& circuit = spec.circuits[i];
        fmt::format_to(out,
                       "  - name: customer{0}\n    circuits:\n      - name: circuit{0}\n        port: access0\n"
                       "        service_vlan: {1}\n        bandwidth: {2} Gbps\n        burst: {3} kB\n"
                       "        peerings:\n          - type: private\n            vlan: {4}\n            subnet: {5}\n"
                       "            customer_mac: \"{6}\"\n            customer_prefixes: [{7}]\n"
                       "            virtual_networks:\n              - name: network\n                prefixes: [{8}]\n"
                       "                tunnel: {{ local: {9}, remote: {10}, key: {11} }}\n",
                       i, circuit.service_vlan, spec.rate / 1'000'000'000, spec.burst / 1000, circuit.vlan,
                       to_string(spec.subnet), to_string(circuit.customer_mac), list(circuit.customer),
                       list(circuit.cloud), to_string(spec.local), to_string(circuit.remote), circuit.key);
        if (!spec.suite) { continue; }
        fmt::format_to(out,
                       "                ipsec: {{ suite: {}, outbound: {{ spi: {}, key: \"{:02x}\" }},\n"
                       "                         inbound: {{ spi: {}, key: \"{:02x}\" }}, replay_window: {} }}\n",
                       row(*spec.suite).name, circuit.spi_out, fmt::join(circuit.key_out, ""), circuit.spi_in,
                       fmt::join(circuit.key_in, ""), kFloorWindow);
    }
    return text;
}

Images make_images(const FloorSpec& spec, Direction direction, unsigned size, unsigned count) {
    constexpr unsigned kMixture[] = {64, 64, 64, 64, 64, 64, 64, 576, 576, 576, 576, 1'420};
    std::mt19937_64 random(0x5eed + size);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    const auto host = [&](const std::vector<Prefix4>& prefixes) {
        const auto& one = prefixes[below(prefixes.size())];
        return offset(first_address(one), static_cast<std::uint32_t>(below(std::uint64_t{1} << (32U - one.length))));
    };
    const bool to_cloud = direction == Direction::to_cloud;
    Images images;
    if (size != kImix && (size < 28 || size > spec.access_mtu)) { throw std::invalid_argument("sizes: 28 .. 1600"); }
    for (unsigned n = 0; n < count; ++n) {
        Image image{};
        const auto chosen = below(spec.circuits.size());
        const auto& circuit = spec.circuits[chosen];
        const unsigned inner_octets = size != kImix ? size : kMixture[below(std::size(kMixture))];
        const auto customer = host(circuit.customer);
        const auto cloud = host(circuit.cloud);
        const Mac neighbour{{2, 0, 0, 9, 9, static_cast<std::uint8_t>(below(256))}};
        Ip inner{to_cloud ? customer : cloud,
                 to_cloud ? cloud : customer,
                 inner_octets,
                 17,
                 static_cast<unsigned>(below(256)),
                 2 + static_cast<unsigned>(below(254)),
                 static_cast<unsigned>(below(65536)),
                 below(2) == 0};
        auto* at = image.octets;
        std::uint8_t tos = 0;
        if (to_cloud) {
            put_ethernet(at, spec.access_mac, neighbour, spec.service_tpid);
            put16(at + 14, circuit.service_vlan);
            put16(at + 16, 0x8100);
            put16(at + 18, circuit.vlan);
            put16(at + 20, 0x0800);
            at += 22;
        } else {
            // The other end copied the TOS octet; now and then the network marked congestion.
            const bool marked = below(64) == 0 && (inner.tos & 3U) != 0;
            tos = static_cast<std::uint8_t>(inner.tos | (marked ? 3U : 0U));
            put_ethernet(at, spec.core_mac, neighbour, 0x0800);
            put_ip(at + 14,
                   {circuit.remote, spec.local, inner_octets + 28, 47, spec.suite ? inner.tos : tos, 60, 0, true});
            put16(at + 34, 0x2000);
            put16(at + 36, 0x0800);
            put32(at + 38, circuit.key);
            at += 42;
        }
        put_ip(at, inner);
        images.image.push_back(image);
        images.frame_octets.push_back(static_cast<std::uint16_t>(inner_octets + (to_cloud ? 22 : 42)));
        images.circuit.push_back(static_cast<std::uint16_t>(chosen));
        images.tos.push_back(tos);
    }
    return images;
}

}  // namespace peerlane::perf
