#include "lib/steer/needs.hpp"

#include <linux/capability.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "lib/steer/file.hpp"
#include "lib/steer/interface.hpp"
#include "lib/steer/steering.hpp"

namespace peerlane::steer {
namespace {

struct Capability {
    unsigned bit;
    const char* name;
};
constexpr Capability kNeeded[] = {
    {CAP_NET_ADMIN, "CAP_NET_ADMIN"},  // attaching the program, the interface's MTU
    {CAP_NET_RAW, "CAP_NET_RAW"},      // AF_XDP sockets
    {CAP_BPF, "CAP_BPF"},              // loading the program
};

std::uint64_t effective_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (syscall(SYS_capget, &header, data.data()) != 0) { return 0; }
    return data[0].effective | std::uint64_t{data[1].effective} << 32U;
}

void capabilities(std::vector<Problem>& found) {
    std::string names;
    const auto mine = effective_capabilities();
    for (const auto& one : kNeeded) {
        const bool part = one.bit == CAP_BPF && (mine >> CAP_SYS_ADMIN & 1U) != 0;
        if ((mine >> one.bit & 1U) == 0 && !part) { names += (names.empty() ? "" : " ") + std::string(one.name); }
    }
    if (!names.empty()) {
        found.push_back(
            {true, "XDP needs " + names, "run as root, or AmbientCapabilities=" + names + " in the unit file"});
    }
    // The sockets' buffers are locked memory.
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if ((mine >> CAP_IPC_LOCK & 1U) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        found.push_back({true, "XDP needs CAP_IPC_LOCK, or no limit of locked memory",
                         "run as root, or LimitMEMLOCK=infinity in the unit file"});
    }
}

void kernel(std::vector<Problem>& found) {
    const File socket(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (socket || errno != EAFNOSUPPORT) { return; }
    found.push_back(
        {true, "this kernel has no AF_XDP sockets", "a kernel with CONFIG_XDP_SOCKETS=y, or use net_af_packet"});
}

/// True when the rest can be asked.
bool program(std::vector<Problem>& found, const std::string& interface) {
    const unsigned index = if_nametoindex(interface.c_str());
    if (index == 0) {
        found.push_back({true, "there is no interface `" + interface + "`", "ip link shows those there are"});
        return false;
    }
    if (!is_ethernet(interface)) {
        found.push_back(
            {true, "interface " + interface + " is not Ethernet", "name an Ethernet interface with iface="});
        return false;
    }
    const auto there = attached(index);
    if (!there) {
        found.push_back({true, "interface " + interface + " does not say whether it has an XDP program", kElse});
        return false;
    }
    if (there->program != 0) {
        std::string what = "interface " + interface + " has an XDP program already (number ";
        what += std::to_string(there->program);
        if (!there->name.empty()) { what += ", `" + there->name + "`"; }
        what += ')';
        std::string remedy = "end that edge, or name another interface with iface=";
        if (there->name == kProgram) {
            what += ": another edge runs on it";
        } else {
            remedy = "take it off with `ip link set dev " + interface;
            remedy += " xdp off` if nobody needs it, name another interface, or use net_af_packet";
        }
        found.push_back({true, std::move(what), std::move(remedy)});
    }
    return true;
}

/// Some drivers stop it by themselves when a program is attached.
void tags(std::vector<Problem>& found, const std::string& interface, bool access) {
    const auto offload = tag_offload(interface);
    if (!offload.customer && !offload.service) { return; }
    found.push_back({false,
                     "interface " + interface + " takes VLAN tags out of received frames before XDP sees them: " +
                         (access ? "none would be a peering's" : "those of other VLANs would count as untagged"),
                     "ethtool -K " + interface +
                         " rxvlan off rx-vlan-stag-hw-parse off; for veth also, at its other "
                         "end, txvlan off tx-vlan-stag-hw-insert off"});
}

Problem shared(const std::string& interface, const std::string& address) {
    return {true, "interface " + interface + " has the edge's own address " + address + " in the system",
            "ip address del " + address + " dev " + interface +
                ", or give the edge an address of its own: what is for it never reaches the system"};
}

}  // namespace

std::vector<Problem> shared_addresses(const std::string& interface, std::span<const Ip6> addresses) {
    std::vector<Problem> found;
    for (const auto& address : addresses_of(interface)) {
        if (std::ranges::find(addresses, address) == addresses.end()) { continue; }
        const bool is4 = address.high == 0 && address.low >> 32U == 0xffff;
        const auto text = is4 ? to_string(Ip4{static_cast<std::uint32_t>(address.low)}) : to_string(address);
        found.push_back(shared(interface, text));
    }
    return found;
}

std::vector<Problem> offload_needs(const std::string& interface) {
    const auto list = [](const std::vector<std::string>& words, const char* between) {
        std::string all;
        for (const auto& word : words) { all += (all.empty() ? "" : between) + word; }
        return all;
    };
    std::vector<Problem> found;
    if (const auto merged = merging(interface); !merged.empty()) {
        found.push_back({false,
                         "interface " + interface + " merges received packets (" + list(merged, ", ") +
                             "): those longer than the MTU are dropped as super_frame",
                         "ethtool -K " + interface + " " + list(merged, " off ") + " off"});
    }
    const auto peer = veth_peer(interface);
    if (!peer.is_veth) { return found; }
    if (peer.name.empty()) {
        found.push_back(
            {false,
             "the other end of " + interface +
                 " is in another network namespace: if it leaves TCP "
                 "segmentation to the device, as Linux does by itself, those packets are dropped as super_frame",
             "there, ethtool -K its interface tso off gso off"});
    } else if (const auto left = segmentation(peer.name); !left.empty()) {
        found.push_back({false,
                         "interface " + peer.name + ", the other end of " + interface +
                             ", leaves segmentation to the device (" + list(left, ", ") +
                             "): packets longer than the MTU are dropped as super_frame",
                         "ethtool -K " + peer.name + " " + list(left, " off ") + " off"});
    }
    return found;
}

std::vector<Problem> steering_needs(const std::string& interface, bool access, std::span<const Ip6> addresses) {
    std::vector<Problem> found;
    capabilities(found);
    kernel(found);
    if (!program(found, interface)) { return found; }
    tags(found, interface, access);
    for (auto& one : shared_addresses(interface, addresses)) { found.push_back(std::move(one)); }
    return found;
}

}  // namespace peerlane::steer
