#include "perf/pipeline/floor_tables.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "perf/pipeline/floor_esp.hpp"
#include "perf/pipeline/floor_steps.hpp"

namespace peerlane::perf {
namespace {

std::uint64_t low_octets(const Mac& mac) {
    std::uint64_t value = 0;
    std::memcpy(&value, mac.octets.data(), mac.octets.size());
    return value;
}
void put16(std::uint8_t* at, unsigned value) {
    at[0] = static_cast<std::uint8_t>(value >> 8U);
    at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint32_t value) {
    put16(at, value >> 16U);
    put16(at + 2, value & 0xffffU);
}
void put_macs(std::uint8_t* at, const Mac& destination, const Mac& source) {
    std::copy(destination.octets.begin(), destination.octets.end(), at);
    std::copy(source.octets.begin(), source.octets.end(), at + 6);
}

FloorVrf vrf_of(const FloorSpec& spec, const FloorSpec::Circuit& circuit, unsigned id) {
    struct Piece {
        std::uint32_t first, last;
        unsigned value;
    };
    std::vector<Piece> pieces;
    const auto add = [&](Prefix4 prefix, unsigned value) {
        pieces.push_back({first_address(prefix).value, last_address(prefix).value, value});
    };
    for (const auto& prefix : circuit.customer) { add(prefix, kFloorAccept | kFloorCustomer | id); }
    for (const auto& prefix : circuit.cloud) { add(prefix, kFloorTunnel | id); }
    const auto first = first_address(spec.subnet).value;
    const auto last = last_address(spec.subnet).value;
    for (auto address = first; address <= last; ++address) {
        const bool own = address == spec.edge.value;
        const bool host = address != first && address != last;
        add({{address}, 32}, (own ? 0U : kFloorAccept) | (own || !host ? kFloorSpecial : kFloorCustomer | id));
    }
    std::sort(pieces.begin(), pieces.end(), [](const auto& a, const auto& b) { return a.first < b.first; });

    FloorVrf vrf;
    std::fill(std::begin(vrf.first), std::end(vrf.first), std::numeric_limits<std::uint32_t>::max());
    std::fill(std::begin(vrf.value), std::end(vrf.value), std::uint16_t{0});
    unsigned used = 0;
    const auto put = [&](std::uint32_t from, unsigned value) {
        if (used != 0 && vrf.value[used - 1] == value) { return; }
        if (used == kFloorRanges) { throw std::length_error("the floor has room for 32 ranges in a VRF"); }
        vrf.first[used] = from;
        vrf.value[used++] = static_cast<std::uint16_t>(value);
    };
    std::uint32_t next = 0;
    for (const auto& piece : pieces) {
        if (piece.first != next || used == 0) { put(next, 0); }
        put(piece.first, piece.value);
        next = piece.last + 1;
    }
    put(next, 0);
    return vrf;
}

FloorCircuit circuit_of(const FloorSpec& spec, const FloorSpec::Circuit& circuit) {
    constexpr std::uint64_t kUnits = 8'000'000'000;
    FloorCircuit made{};
    made.rate = spec.rate;
    made.depth = made.level = spec.burst * kUnits;
    if (spec.burst > 500'000'000) { throw std::length_error("the floor's bursts end at 500 MB"); }
    made.fill = static_cast<std::uint32_t>((made.depth / made.rate >> 10U) + 1);
    made.mtu = spec.access_mtu;
    made.overhead = spec.overhead;
    made.port = spec.access_port;
    put_macs(made.header, circuit.customer_mac, spec.access_mac);
    put16(made.header + 12, spec.service_tpid);
    put16(made.header + 14, circuit.service_vlan);
    put16(made.header + 16, 0x8100);
    put16(made.header + 18, circuit.vlan);
    put16(made.header + 20, 0x0800);
    return made;
}

FloorTunnel tunnel_of(const FloorSpec& spec, const FloorSpec::Circuit& circuit) {
    FloorTunnel made{};
    const unsigned room = spec.suite ? esp_fits(*spec.suite, spec.core_mtu - 20U) : spec.core_mtu;
    made.mtu = static_cast<std::uint16_t>(room - 28);
    made.port = spec.core_port;
    put_macs(made.header, spec.gateway_mac, spec.core_mac);
    put16(made.header + 12, 0x0800);
    auto* ip = made.header + 14;
    ip[0] = 0x45;
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 47;
    put32(ip + 12, spec.local.value);
    put32(ip + 16, circuit.remote.value);
    put16(ip + 20, 0x2000);
    put16(ip + 22, 0x0800);
    put32(ip + 24, circuit.key);
    made.sum = folded(header_sum(ip));
    return made;
}

/// Tries factors until no bucket overflows.
void fill_buckets(Floor& floor, const FloorSpec& spec) {
    unsigned bits = 2;
    while ((std::size_t{1} << bits) < spec.circuits.size() * 2) { ++bits; }
    floor.hash_shift = 64 - bits;
    for (std::uint64_t attempt = 1; attempt < 10'000; ++attempt) {
        floor.hash_factor = (attempt * 0x9e37'79b9'7f4a'7c15U) | 1U;
        floor.buckets.assign(std::size_t{1} << bits, FloorBucket{});
        std::vector<unsigned> used(floor.buckets.size(), 0);
        const bool fits = std::all_of(spec.circuits.begin(), spec.circuits.end(), [&](const auto& circuit) {
            const auto index = static_cast<std::uint32_t>(&circuit - spec.circuits.data()) + 1;
            const auto local = __builtin_bswap32(spec.local.value);
            const auto remote = __builtin_bswap32(circuit.remote.value);
            const auto key = __builtin_bswap32(circuit.key);
            const auto at = bucket_of(floor, local, remote, key);
            if (used[at] == 4) { return false; }
            floor.buckets[at].entry[used[at]++] = {local, remote, key, index};
            return true;
        });
        if (fits) { return; }
    }
    throw std::runtime_error("the floor finds no hash for these tunnels");
}

}  // namespace

Floor::Floor(const FloorSpec& spec)
    : access_mac(low_octets(spec.access_mac)),
      core_mac(low_octets(spec.core_mac)),
      access_mtu(spec.access_mtu),
      core_mtu(spec.core_mtu),
      service(4096),
      ids(1) {
    if (spec.circuits.size() >= kFloorIndex) { throw std::length_error("the floor serves 8190 circuits"); }
    // Place 0 of everything serves packets that are dropped in the end.
    vrfs.resize(1);
    to_cloud.resize(1);
    to_customer.resize(1);
    tunnels.resize(1);
    for (const auto& circuit : spec.circuits) {
        const auto id = static_cast<unsigned>(vrfs.size());
        // One C-VID behind an S-VID.
        service[circuit.service_vlan] = {static_cast<std::uint32_t>(ids.size()), circuit.vlan, 1};
        ids.push_back(static_cast<std::uint16_t>(id));
        vrfs.push_back(vrf_of(spec, circuit, id));
        to_cloud.push_back(circuit_of(spec, circuit));
        to_customer.push_back(circuit_of(spec, circuit));
        tunnels.push_back(tunnel_of(spec, circuit));
    }
    tallies_customer.resize(vrfs.size());
    fill_buckets(*this, spec);
    if (!spec.suite) { return; }
    way = row(*spec.suite).authentication_key == 0 ? FloorWay::aead : FloorWay::cbc;
    esp = std::make_shared<FloorEsp>(spec);
}

}  // namespace peerlane::perf
