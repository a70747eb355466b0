#include <array>
#include <random>
#include <string>
#include <vector>

#include "lib/table/tunnel_table.hpp"
#include "lib/table/vlan_table.hpp"
#include "perf/micro/clock.hpp"
#include "perf/micro/micro.hpp"

namespace peerlane::perf {
namespace {

using namespace peerlane::table;

constexpr std::size_t kPackets = 16'384;
constexpr std::size_t kBurst = 32;

void measure_vlans(unsigned outers, unsigned inners) {
    std::mt19937_64 random(7);
    std::vector<VlanTable::Entry> entries;
    for (unsigned outer = 0; outer < outers; ++outer) {
        for (unsigned inner = 0; inner < inners; ++inner) {
            entries.push_back({static_cast<std::uint16_t>(outer + 1), static_cast<std::uint16_t>(10 + inner),
                               static_cast<std::uint32_t>(entries.size())});
        }
    }
    const VlanTable table(entries);
    std::vector<VlanTable::Entry> packets;
    for (std::size_t i = 0; i < kPackets; ++i) { packets.push_back(entries[random() % entries.size()]); }
    const auto name = "VLAN, " + std::to_string(outers) + " S-VIDs x " + std::to_string(inners) + " C-VIDs";
    measure(name.c_str(), kPackets, [&] {
        for (auto& packet : packets) { packet.id = table.find(packet.outer, packet.inner); }
        keep(packets[0].id);
    });
}

void measure_tunnels(std::size_t count) {
    using Table = TunnelTable<std::array<std::uint64_t, 3>>;
    std::mt19937_64 random(7);
    std::vector<Table::Entry> entries;
    for (std::size_t i = 0; i < count; ++i) {
        entries.push_back({.identity = {.local_low = mapped(Ip4{0xc000'0201}),
                                        .remote_low = mapped(Ip4{static_cast<std::uint32_t>(0xc633'0000 + (i % 256))}),
                                        .key = static_cast<std::uint32_t>(i),
                                        .has_key = 1},
                           .payload = {i}});
    }
    const Table table(entries);
    std::vector<TunnelIdentity> packets;
    std::vector<std::uint64_t> value(kPackets);
    for (std::size_t i = 0; i < kPackets; ++i) { packets.push_back(entries[random() % count].identity); }
    const auto name = "tunnel, " + std::to_string(count) + " (" + std::to_string(table.bytes() >> 10U) + " KiB)";
    measure((name + ", find").c_str(), kPackets, [&] {
        for (std::size_t i = 0; i < kPackets; ++i) {
            const auto* entry = table.find(packets[i]);
            value[i] = entry != nullptr ? entry->payload[0] : 0;
        }
        keep(value[0]);
    });
    measure((name + ", in steps").c_str(), kPackets, [&] {
        std::uint64_t hash[kBurst];
        const Table::Entry* found[kBurst];
        for (std::size_t at = 0; at < kPackets; at += kBurst) {
            for (std::size_t i = 0; i < kBurst; ++i) {
                hash[i] = table.hash(packets[at + i]);
                table.prefetch_index(hash[i]);
            }
            for (std::size_t i = 0; i < kBurst; ++i) {
                found[i] = table.candidate(hash[i]);
                __builtin_prefetch(found[i]);
            }
            for (std::size_t i = 0; i < kBurst; ++i) {
                const bool match = found[i] != nullptr && found[i]->identity == packets[at + i];
                value[at + i] = match ? found[i]->payload[0] : 0;
            }
        }
        keep(value[0]);
    });
}

}  // namespace

void measure_vlans() {
    measure_vlans(16, 1);
    measure_vlans(4'000, 1);
    measure_vlans(4'000, 3);
}

void measure_tunnels() {
    for (const std::size_t count : {1, 100, 1'000, 4'000, 100'000}) { measure_tunnels(count); }
}

}  // namespace peerlane::perf
