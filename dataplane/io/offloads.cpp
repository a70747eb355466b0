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

/// Whether it is the outermost tag that is taken off. The system's is; of NICs, DPDK does not say, and the inner one of
/// two could be another customer's only one. Drivers that move what stands before the tag save nothing.
bool takes_outermost(std::string_view driver) {
    return driver == "net_af_packet";
}

}  // namespace

Offloads choose_offloads(const rte_eth_dev_info& info, std::string_view driver, bool core, unsigned rx_queues) {
    Offloads offloads;
    // net_tap sums in software, the payload too.
    offloads.checksums = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0 && driver != "net_tap";
    offloads.may_strip = (info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_QINQ_STRIP)) != 0;
    offloads.strip = !core && takes_outermost(driver) && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
    // What a virtual machine or a container sends by veth, tap or a bridge has met no device yet.
    offloads.unfinished = driver == "net_af_packet" || driver == "net_af_xdp" || driver == "net_virtio_user";
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
