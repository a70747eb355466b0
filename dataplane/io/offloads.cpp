#include "dataplane/io/offloads.hpp"

namespace peerlane::dataplane {
namespace {

void describe(Offloads& offloads) {
    offloads.used = offloads.checksums ? "rx_checksum" : "";
    if (offloads.rss != 0) {
        const bool inner = (offloads.rss & RTE_ETH_RSS_LEVEL_MASK) == RTE_ETH_RSS_LEVEL_INNERMOST;
        offloads.used += offloads.used.empty() ? "" : ", ";
        offloads.used += inner ? "rss inner ip" : "rss ip";
    }
    if (offloads.used.empty()) { offloads.used = "none"; }
    offloads.in_software = offloads.checksums ? "" : "rx_checksum, ";
    offloads.in_software += "tx_checksum, vlan_strip, vlan_insert";
}

}  // namespace

Offloads choose_offloads(const rte_eth_dev_info& info, std::string_view driver, bool core, unsigned rx_queues) {
    Offloads offloads;
    // net_tap sums in software, the payload too.
    offloads.checksums = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0 && driver != "net_tap";
    offloads.strips = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
    if (rx_queues > 1) {
        offloads.rss =
            info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_ESP);
        const bool deep = (info.flow_type_rss_offloads & RTE_ETH_RSS_LEVEL_INNERMOST) != 0;
        if (offloads.rss != 0 && core && deep) { offloads.rss |= RTE_ETH_RSS_LEVEL_INNERMOST; }
    }
    describe(offloads);
    return offloads;
}

void spread_by_outer(Offloads& offloads) {
    offloads.rss &= ~RTE_ETH_RSS_LEVEL_MASK;
    describe(offloads);
}

}  // namespace peerlane::dataplane
