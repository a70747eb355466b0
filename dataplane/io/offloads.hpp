// What a device does for us, chosen when its port starts; the rest is done in software.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace peerlane::dataplane {

struct Offloads {
    bool unfinished = false;  // frames may come with what Linux leaves to a device (pipeline/unfinished.hpp)
    bool checksums = false;   // of received IPv4 headers are verified
    bool strip = false;       // the outer tag is taken off received frames
    bool may_strip = false;   // the device knows how to, and might although it is not asked
    std::uint64_t rss = 0;    // RTE_ETH_RSS_…: what packets are spread by; 0: not spread
    std::string used;         // for a person: "rx_checksum, vlan_strip, rss inner ip"
    std::string in_software;  // "rx_checksum, tx_checksum, vlan_strip, vlan_insert"
    bool operator==(const Offloads&) const = default;
};

/// `driver` may say that it can what it does in software itself. `core`: packets are tunnels; they are spread by what
/// is in them, where the device looks so deep.
Offloads choose_offloads(const rte_eth_dev_info& info, std::string_view driver, bool core, unsigned rx_queues);

/// Spread by the outer headers only.
void spread_by_outer(Offloads& offloads);

}  // namespace peerlane::dataplane
