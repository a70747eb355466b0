// Addresses of the edge that the system has too: both would answer for them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/model.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// An address of an interface of the system.
struct SystemAddress {
    std::string interface;
    Ip6 address;  // IPv4 mapped
};

/// Those there are now.
std::vector<SystemAddress> system_addresses();

/// The interfaces that carry `interface`, one below the other, itself first: "contoso", "pl-access0". Read from /sys.
std::vector<std::string> carriers_of(const std::string& interface);

/// What is wrong with them, a warning each. The core's addresses, those of tunnels among them, are the edge's on every
/// interface, since Linux answers ARP for any of its addresses by any of its interfaces. Those of customers' links are
/// the edge's on their port's interface, and on VLANs of it; elsewhere they may be anybody's. On a port's tap, and
/// VLANs of it, the system is to have them (docs/operations.md, Local delivery).
std::vector<Failure> shared_with_system(
    const config::Model& model, const std::vector<SystemAddress>& addresses = system_addresses(),
    const std::function<std::vector<std::string>(const std::string&)>& carriers = carriers_of);

}  // namespace peerlane::dataplane
