// The floor: the least this job can cost. Tables made for one purpose, a loop in which nothing is separate, and none of
// the product's code, so that the product is measured against something it did not write. What it gives up: IPv6, more
// than 32 ranges to a VRF, bursts above 500 MB, more than one port a side, and any say in why a packet was dropped.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/base/esp_suite.hpp"
#include "perf/pipeline/huge_vector.hpp"

namespace peerlane::perf {

/// What both sides are built from, as plain data.
struct FloorSpec {
    Mac access_mac, core_mac, gateway_mac;
    std::uint16_t access_mtu = 0, core_mtu = 0;
    std::uint8_t access_port = 0, core_port = 0;
    std::uint16_t service_tpid = 0;
    Ip4 local;                      // of every tunnel
    Prefix4 subnet;                 // of every link
    Ip4 edge;                       // our address in it
    std::uint64_t rate = 0;         // bit/s of every circuit
    std::uint64_t burst = 0;        // octets
    std::uint8_t overhead = 0;      // octets of accounting beyond the IP length
    std::optional<EspSuite> suite;  // of every tunnel; tunnel mode
    struct Circuit {
        std::uint16_t service_vlan = 0, vlan = 0;
        Mac customer_mac;
        Ip4 remote;
        std::uint32_t key = 0;
        std::vector<Prefix4> customer, cloud;
        std::uint32_t spi_out = 0, spi_in = 0;
        std::vector<std::uint8_t> key_out, key_in;  // as configured, with salt or authentication key
    };
    std::vector<Circuit> circuits;
};

inline constexpr unsigned kFloorRanges = 32;

/// One VRF in three lines: where each range begins, and what is there. Both look-ups of a packet read the same keys.
struct alignas(64) FloorVrf {
    std::uint32_t first[kFloorRanges];
    std::uint16_t value[kFloorRanges];
};
inline constexpr unsigned kFloorAccept = 0x8000;
inline constexpr unsigned kFloorKind = 0x6000;
inline constexpr unsigned kFloorTunnel = 0x2000;
inline constexpr unsigned kFloorCustomer = 0x4000;
inline constexpr unsigned kFloorSpecial = 0x6000;
inline constexpr unsigned kFloorIndex = 0x1fff;

/// A circuit in one direction: its bucket, what fills it and, towards the customer, the link header. One line.
struct alignas(64) FloorCircuit {
    std::uint64_t level, at;  // 1/(8·10⁹) octet, ns
    std::uint64_t rate, depth;
    std::uint32_t fill;  // time from empty to full in 1024 ns, rounded up
    std::uint16_t mtu;
    std::uint8_t overhead;
    std::uint8_t port;
    std::uint8_t unused[2];
    std::uint8_t header[22];
};
static_assert(sizeof(FloorCircuit) == 64 && offsetof(FloorCircuit, header) == 42);

/// A tunnel towards the cloud: counters and header. One line; the copied part does not overlap the counters, whose
/// recent stores would hold it up.
struct alignas(64) FloorTunnel {
    std::uint64_t packets, bytes;
    std::uint16_t mtu;
    std::uint16_t sum;  // of the IP header without length, TOS and checksum, memory order
    std::uint8_t port;
    std::uint8_t unused;
    std::uint8_t header[42];
};
static_assert(sizeof(FloorTunnel) == 64 && offsetof(FloorTunnel, header) == 22);

/// Four tunnels by (local, remote, key), addresses and key as in the packet.
struct alignas(64) FloorBucket {
    struct Entry {
        std::uint32_t local, remote, key, index;
    } entry[4];
};

struct FloorTally {
    std::uint64_t packets, bytes;
};

struct FloorPort {
    std::uint64_t received, sent, dropped;
};

struct FloorEsp;  // floor_esp.hpp
enum class FloorWay : std::uint8_t { clear, aead, cbc };

struct Floor {
    explicit Floor(const FloorSpec& spec);

    std::uint64_t access_mac, core_mac;  // first six octets, little-endian
    unsigned access_mtu, core_mtu;
    struct Span {
        std::uint32_t base;
        std::uint16_t first, count;
    };
    HugeVector<Span> service;                 // by S-VID
    HugeVector<std::uint16_t> ids;            // 0: nobody; the first answers what is outside a span
    HugeVector<FloorVrf> vrfs;                // by id
    HugeVector<FloorCircuit> to_cloud;        // by id
    HugeVector<FloorCircuit> to_customer;     // by id
    HugeVector<FloorTunnel> tunnels;          // by id
    HugeVector<FloorTally> tallies_customer;  // by id
    HugeVector<FloorBucket> buckets;
    std::uint64_t hash_factor = 0;
    unsigned hash_shift = 0;
    FloorWay way = FloorWay::clear;
    std::shared_ptr<FloorEsp> esp;     // unless clear
    std::array<FloorPort, 2> ports{};  // 0: access, 1: core
};

/// One burst of at most 64 packets. The packets are changed in place; out_port says where each goes, 0xff: dropped.
void floor_to_cloud(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
                    std::uint8_t* out_port) noexcept;
void floor_to_customer(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
                       std::uint8_t* out_port) noexcept;

}  // namespace peerlane::perf
