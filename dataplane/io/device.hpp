// `device:` of a port: what DPDK is to be told about it.
#pragma once

#include <string>
#include <string_view>

namespace peerlane::dataplane {

struct Device {
    bool is_virtual = false;  // made by a DPDK driver (net_af_packet0,iface=…), not found on a bus
    std::string arguments;    // for DPDK: the device with its options
    std::string name;         // as rte_eth_dev_get_port_by_name() knows it; a PCI address has its domain
};

/// Throws Failure, `where` naming the port, for what cannot be a device: nothing, or the name of a network interface.
Device parse_device(std::string_view text, const std::string& where);

}  // namespace peerlane::dataplane
