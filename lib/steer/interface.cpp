#include "lib/steer/interface.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "lib/net/headers.hpp"
#include "lib/steer/file.hpp"

namespace peerlane::steer {
namespace {

std::string name_of(std::uint32_t program) {
    const File file(bpf_prog_get_fd_by_id(program));
    if (!file) { return {}; }
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(file.number(), &info, &size) != 0) { return {}; }
    return {info.name, strnlen(info.name, sizeof(info.name))};
}

/// One question of SIOCETHTOOL; `question` begins with its command.
bool ask(const std::string& interface, void* question) {
    const File socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = static_cast<char*>(question);
    return socket && ioctl(socket.number(), SIOCETHTOOL, &request) == 0;
}

/// How many features (ETH_SS_FEATURES) this kernel knows, or counters (ETH_SS_STATS) the interface has.
unsigned count_of(const std::string& interface, unsigned set) {
    alignas(ethtool_sset_info) std::array<std::uint32_t, sizeof(ethtool_sset_info) / 4 + 1> question{};
    auto* const info = reinterpret_cast<ethtool_sset_info*>(question.data());
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = std::uint64_t{1} << set;
    return ask(interface, info) && info->sset_mask != 0 ? question.back() : 0;
}

/// The names of the features that are on. ethtool's structures end in an array of as many as there are.
std::vector<std::string> features(const std::string& interface) {
    const unsigned count = count_of(interface, ETH_SS_FEATURES);
    const unsigned words = (count + 31) / 32;
    if (count == 0) { return {}; }
    std::vector<std::uint32_t> names((sizeof(ethtool_gstrings) + std::size_t{count} * ETH_GSTRING_LEN) / 4 + 1);
    auto* const strings = reinterpret_cast<ethtool_gstrings*>(names.data());
    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_FEATURES;
    strings->len = count;
    std::vector<std::uint32_t> states((sizeof(ethtool_gfeatures) + words * sizeof(ethtool_get_features_block)) / 4);
    auto* const bits = reinterpret_cast<ethtool_gfeatures*>(states.data());
    bits->cmd = ETHTOOL_GFEATURES;
    bits->size = words;
    if (!ask(interface, names.data()) || !ask(interface, states.data())) { return {}; }
    const auto* const text = reinterpret_cast<const char*>(names.data()) + sizeof(ethtool_gstrings);
    std::vector<std::string> on;
    for (unsigned i = 0; i < count; ++i) {
        ethtool_get_features_block block{};
        std::memcpy(&block, states.data() + (sizeof(ethtool_gfeatures) + (i / 32) * sizeof(block)) / 4, sizeof(block));
        if ((block.active >> (i % 32) & 1U) == 0) { continue; }
        const char* const name = text + std::size_t{i} * ETH_GSTRING_LEN;
        on.emplace_back(name, strnlen(name, ETH_GSTRING_LEN));
    }
    return on;
}

/// The number of a veth's other end, in its network namespace: the first of the driver's counters. 0: not told.
unsigned veth_peer_index(const std::string& interface) {
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    const unsigned count = count_of(interface, ETH_SS_STATS);
    if (!ask(interface, &driver) || std::string_view(driver.driver) != "veth" || count == 0) { return 0; }
    std::vector<std::uint64_t> counters(1 + std::size_t{count});  // behind a header of 8 bytes
    auto* const question = reinterpret_cast<ethtool_stats*>(counters.data());
    question->cmd = ETHTOOL_GSTATS;
    question->n_stats = count;
    return ask(interface, question) ? static_cast<unsigned>(counters[1]) : 0;
}

/// Of these features, in ethtool's short words, those that are on.
std::vector<std::string> shorter(const std::string& interface,
                                 std::initializer_list<std::pair<std::string_view, const char*>> wanted) {
    std::vector<std::string> found;
    for (const auto& feature : features(interface)) {
        for (const auto& [name, word] : wanted) {
            if (feature == name && std::ranges::find(found, word) == found.end()) { found.emplace_back(word); }
        }
    }
    return found;
}

}  // namespace

const char* to_text(Mode mode) noexcept {
    switch (mode) {
        case Mode::native:
            return "native";
        case Mode::generic:
            return "generic";
        case Mode::offloaded:
            return "offloaded";
        case Mode::none:
            break;
    }
    return "none";
}

std::optional<Attached> attached(unsigned interface) {
    bpf_xdp_query_opts options{};
    options.sz = sizeof(options);
    if (interface == 0 || bpf_xdp_query(static_cast<int>(interface), 0, &options) != 0) { return {}; }
    Attached found;
    // With several programs (XDP_ATTACHED_MULTI) each mode has its own; the driver's is the one that counts.
    if (options.drv_prog_id != 0) {
        found = {options.drv_prog_id, Mode::native};
    } else if (options.skb_prog_id != 0) {
        found = {options.skb_prog_id, Mode::generic};
    } else if (options.hw_prog_id != 0) {
        found = {options.hw_prog_id, Mode::offloaded};
    }
    if (found.program != 0) { found.name = name_of(found.program); }
    return found;
}

bool take_off_orphan(unsigned interface, const Attached& program, const std::string& name) {
    if (program.name != name) { return false; }
    const File file(bpf_prog_get_fd_by_id(program.program));
    if (!file) { return false; }
    bpf_xdp_attach_opts options{};
    options.sz = sizeof(options);
    options.old_prog_fd = file.number();
    return bpf_xdp_detach(static_cast<int>(interface), 0, &options) == 0;  // EBUSY where it hangs on a bpf_link
}

TagOffload tag_offload(const std::string& interface) {
    TagOffload found;
    for (const auto& feature : features(interface)) {
        found.customer = found.customer || feature == "rx-vlan-hw-parse";
        found.service = found.service || feature == "rx-vlan-stag-hw-parse";
    }
    return found;
}

std::vector<std::string> merging(const std::string& interface) {
    return shorter(interface,
                   {{"rx-gro", "gro"}, {"rx-lro", "lro"}, {"rx-gro-hw", "rx-gro-hw"}, {"rx-gro-list", "rx-gro-list"}});
}

std::vector<std::string> segmentation(const std::string& interface) {
    return shorter(
        interface,
        {{"tx-tcp-segmentation", "tso"}, {"tx-tcp6-segmentation", "tso"}, {"tx-generic-segmentation", "gso"}});
}

Peer veth_peer(const std::string& interface) {
    const unsigned index = veth_peer_index(interface);
    Peer peer{index != 0};
    std::array<char, IF_NAMESIZE> name{};
    if (index == 0 || if_indextoname(index, name.data()) == nullptr) { return peer; }
    // If the pair's other end is in another namespace, this is another interface, and does not point back.
    if (veth_peer_index(name.data()) == if_nametoindex(interface.c_str())) { peer.name = name.data(); }
    return peer;
}

bool is_ethernet(const std::string& interface) {
    const File socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    return socket && ioctl(socket.number(), SIOCGIFHWADDR, &request) == 0 &&
           request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

std::vector<Ip6> addresses_of(const std::string& interface) {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) { return {}; }
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(all, &freeifaddrs);
    std::vector<Ip6> found;
    for (const auto* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || interface != one->ifa_name) { continue; }
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, one->ifa_addr, sizeof(address));
            found.push_back({0, 0xffff'0000'0000U | ntohl(address.sin_addr.s_addr)});
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 address{};
            std::memcpy(&address, one->ifa_addr, sizeof(address));
            Be64 halves[2];
            std::memcpy(halves, &address.sin6_addr, sizeof(halves));
            found.push_back({halves[0].get(), halves[1].get()});
        }
    }
    return found;
}

}  // namespace peerlane::steer
