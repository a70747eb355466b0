#include "dataplane/io/offloads.hpp"

namespace peerlane::dataplane {
namespace {

void describe(Offloads& offloads) {
    const auto list = [](std::string& text, const char* one) { text += (text.empty() ? "" : ", ") + std::string(one); };
    offloads.used.clear();
    offloads.in_software.clear();
    list(offloads.checksums ? offloads.used : offloads.in_software, "rx_checksum");
    list(offloads.in_software, "tx_checksum");
    list(offloads.strip ? offloads.used : offloads.in_software, "vlan_strip");
    list(offloads.in_software, "vlan_insert");
    if (offloads.rss != 0) {
        const bool inner = (offloads.rss & RTE_ETH_RSS_LEVEL_MASK) == RTE_ETH_RSS_LEVEL_INNERMOST;
        list(offloads.used, inner ? "rss inner ip" : "rss ip");
    }
    if (offloads.used.empty()) { offloads.used = "none"; }
}

/// These take off tags by moving what stands before them, as they take sums by adding.
bool works_in_software(std::string_view driver) {
    return driver == "net_tap" || driver == "net_vhost" || driver.starts_with("net_virtio");
}

}  // namespace

Offloads choose_offloads(const rte_eth_dev_info& info, std::string_view driver, bool core, unsigned rx_queues) {
    Offloads offloads;
    const bool itself = !works_in_software(driver);
    offloads.checksums = itself && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
    offloads.may_strip = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
    offloads.strip = itself && !core && offloads.may_strip;
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
