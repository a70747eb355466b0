// What stands in the way of steering on an interface; asked before anything is started, and by the preflight.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lib/base/address.hpp"

namespace peerlane::steer {

struct Problem {
    bool fatal = true;  // false: it runs, but may not do what is wanted
    std::string what;   // names the interface
    std::string remedy;
};

/// Looks at the kernel, the capabilities of this process, the interface and its offloads; changes nothing. Of
/// `addresses` (IPv4 mapped), those of a core port that are the edge's own, none may be the system's on the same
/// interface: the system would never see a packet to it again.
std::vector<Problem> steering_needs(const std::string& interface, bool access, std::span<const Ip6> addresses = {});

/// What the interface does to received frames, or leaves to the edge, that makes them longer than a packet may be:
/// merging (GRO, LRO), and at the other end of a veth pair segmentation that is left to the device. Never fatal.
std::vector<Problem> offload_needs(const std::string& interface);

/// Of steering_needs(), the last alone.
std::vector<Problem> shared_addresses(const std::string& interface, std::span<const Ip6> addresses);

}  // namespace peerlane::steer
