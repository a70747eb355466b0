#include "dataplane/control/system_addresses.hpp"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include "config/derive.hpp"
#include "dataplane/io/device_needs.hpp"
#include "dataplane/io/steering.hpp"
#include "dataplane/tables/compile_parts.hpp"
#include "lib/net/headers.hpp"
#include "lib/table/tunnel_table.hpp"

namespace peerlane::dataplane {
namespace {

Ip6 mapped4(Ip4 address) {
    return {0, table::mapped(address)};
}

std::string text_of(Ip6 address) {
    const bool is4 = address == mapped4(Ip4{static_cast<std::uint32_t>(address.low)});
    return is4 ? to_string(Ip4{static_cast<std::uint32_t>(address.low)}) : to_string(address);
}

std::set<Ip6> core_addresses(const config::Model& model) {
    std::set<Ip6> own;
    for (const auto& port : model.ports) {
        if (port.address) { own.insert(mapped4(port.address->address)); }
        if (port.address6) { own.insert(port.address6->address); }
    }
    config::each_network(model, [&](const config::VirtualNetwork& network) {
        own.insert(mapped(network.tunnel.local));
        if (network.ipsec) { own.insert(mapped(network.ipsec->local)); }
    });
    return own;
}

/// By index of the port.
std::vector<std::set<Ip6>> link_addresses(const config::Model& model) {
    std::vector<std::set<Ip6>> own(model.ports.size());
    for (const auto& customer : model.customers) {
        for (const auto& circuit : customer.circuits) {
            for (const auto& peering : circuit.peerings) {
                for (std::size_t i = 0; i < circuit.links.size(); ++i) {
                    auto& addresses = own[circuit.links[i].port];
                    const auto& link = peering.links[i];
                    if (link.subnet) { addresses.insert(mapped4(config::edge_address(*link.subnet))); }
                    if (link.subnet6) { addresses.insert(config::edge_address(*link.subnet6)); }
                }
            }
        }
    }
    return own;
}

}  // namespace

std::vector<SystemAddress> system_addresses() {
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) { return {}; }
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(all, &freeifaddrs);
    std::vector<SystemAddress> found;
    for (const auto* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr) { continue; }
        if (one->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, one->ifa_addr, sizeof(address));
            found.push_back({one->ifa_name, mapped4(Ip4{ntohl(address.sin_addr.s_addr)})});
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 address{};
            std::memcpy(&address, one->ifa_addr, sizeof(address));
            Be64 halves[2];
            std::memcpy(halves, &address.sin6_addr, sizeof(halves));
            found.push_back({one->ifa_name, {halves[0].get(), halves[1].get()}});
        }
    }
    return found;
}

std::vector<std::string> carriers_of(const std::string& interface) {
    std::vector<std::string> all{interface};
    constexpr std::size_t kDeepest = 8;
    for (std::size_t next = 0; next < all.size() && all.size() < kDeepest; ++next) {
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net/" + all[next], none)) {
            const auto name = entry.path().filename().string();
            constexpr std::string_view kLower = "lower_";
            if (name.starts_with(kLower)) { all.push_back(name.substr(kLower.size())); }
        }
    }
    return all;
}

std::vector<Failure> shared_with_system(const config::Model& model, const std::vector<SystemAddress>& addresses,
                                        const std::function<std::vector<std::string>(const std::string&)>& carriers) {
    const auto core = core_addresses(model);
    const auto links = link_addresses(model);
    std::vector<Failure> found;
    for (const auto& one : addresses) {
        const auto below = carriers(one.interface);
        const auto runs_over = [&](const std::string& name) {
            return !name.empty() && std::ranges::find(below, name) != below.end();
        };
        const bool tapped = std::ranges::any_of(model.ports, [&](const auto& port) { return runs_over(port.tap); });
        // On a steered interface it is an error, which steering_needs() has said.
        const bool steered = std::ranges::any_of(model.ports, [&](const auto& port) {
            return steered_interface(port.device, port.steering) == one.interface;
        });
        bool shared = !tapped && !steered && core.contains(one.address);
        for (std::size_t i = 0; i < model.ports.size() && !shared; ++i) {
            const auto name = device_argument({true, model.ports[i].device, {}}, "iface");
            shared = !tapped && runs_over(name) && links[i].contains(one.address);
        }
        if (!shared) { continue; }
        found.emplace_back(
            "interface " + one.interface,
            fmt::format("the system has the edge's own address {} there, and answers for it too", text_of(one.address)),
            fmt::format("ip address del {} dev {}, or give the edge an address of its own", text_of(one.address),
                        one.interface));
    }
    return found;
}

}  // namespace peerlane::dataplane
