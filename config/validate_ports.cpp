// Rules for the edge and its ports.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/validate.hpp"

namespace peerlane::config {
namespace {

bool is_of_the_link(Ip4) {
    return false;
}
bool is_of_the_link(Ip6 address) {
    return address.high >> 54U == 0xfe80U >> 6U;
}

/// The gateway is a neighbour: in the port's subnet, or link-local.
template <class Prefix_, class Address>
void check_gateway(const Check& check, const Port& port, const std::optional<Prefix_>& own,
                   const std::optional<Address>& gateway, std::string_view address_key, std::string_view gateway_key) {
    if (!gateway) return;
    const Place place = check.sources.at(port.place, gateway_key);
    if (!own) {
        if (!check.sources.field(port.place, address_key))
            check.report.error(place, fmt::format("{}: port {} has no `{}`", gateway_key, port.name, address_key),
                               fmt::format("add `{}`: the edge's address with its prefix length", address_key));
        return;
    }
    if (*gateway == own->address) {
        check.report.error(place, fmt::format("{}: {} is the edge's own address", gateway_key, to_string(*gateway)),
                           "write the address of the next hop");
    } else if (!contains(*own, *gateway) && !is_of_the_link(*gateway)) {
        const Prefix_ network{first_address(*own), own->length};
        check.report.error(place,
                           fmt::format("{}: {} is not in {}, the subnet of port {}", gateway_key, to_string(*gateway),
                                       to_string(network), port.name),
                           fmt::format("write an address in {}, or correct `{}`", to_string(network), address_key));
    }
}

/// What one driver carries and how it could be more.
struct FrameLimit {
    std::uint32_t mtu;
    std::string more;
};

/// Some drivers lose what is longer without a word.
std::optional<FrameLimit> frame_limit(const Port& port) {
    const std::string& device = port.device;
    // A buffer is at most a page of 4096 octets; what is in front of the packet and behind it in one takes 796.
    if (device.starts_with("net_af_xdp")) return FrameLimit{3300, "use net_af_packet or a device that DPDK drives"};
    if (!device.starts_with("net_af_packet")) return std::nullopt;
    // In a frame of its ring, 80 octets before the packet are the kernel's and Ethernet's, and the inner tag is part of
    // what it takes for the packet.
    constexpr std::uint32_t kFrame = 2048, kStep = 1024;
    const std::uint32_t before = 80 + (port.role == Role::access ? 4 : 0);
    const auto at = device.find(",framesz=");
    const bool given = at != std::string::npos;
    const auto frame = given ? std::strtoul(device.c_str() + at + 9, nullptr, 10) : kFrame;
    const auto enough = (port.mtu + before + kStep - 1) / kStep * kStep;
    return FrameLimit{static_cast<std::uint32_t>(frame > before ? frame - before : 0),
                      fmt::format("{} ,framesz={},blocksz={} {} the device", given ? "write" : "append", enough,
                                  4 * enough, given ? "in" : "to")};
}

/// What starts no port, or one that the rules for its driver miss.
void check_device(const Check& check, const Port& port) {
    const Place place = check.sources.at(port.place, "device");
    if (port.device.starts_with("eth_")) {
        check.report.error(place, fmt::format("device: `{}` is an old name", port.device),
                           fmt::format("write net_{}", port.device.substr(4)));
    }
    if (port.device.starts_with("net_virtio_user") && port.device.find(",server=1") != std::string::npos) {
        check.report.error(place,
                           "device: as a server, net_virtio_user lets the edge wait for its peer before it starts",
                           "leave out server=1, or write net_vhost0,iface=... in its place");
    }
    constexpr std::uint32_t kLargestFrame = 16'384;  // a buffer has to hold one
    const auto at = port.device.find(",framesz=");
    if (at == std::string::npos || !port.device.starts_with("net_af_packet")) return;
    if (std::strtoul(port.device.c_str() + at + 9, nullptr, 10) > kLargestFrame) {
        check.report.error(place, fmt::format("device: framesz is more than {}", kLargestFrame),
                           fmt::format("write framesz={} or less", kLargestFrame));
    }
}

/// The system takes the outer tag off, and the driver does not say which TPID it had.
void warn_of_tpid_not_heard(const Check& check, const Port& port) {
    if (!port.device.starts_with("net_af_packet")) return;
    for (const auto& [key, tpid] :
         {std::pair{"service_tpid", port.service_tpid}, std::pair{"single_tpid", port.single_tpid}})
        if (tpid == kHeardTpid)
            check.report.warning(
                check.sources.at(port.place, key),
                fmt::format("{}: net_af_packet does not tell which TPID a frame had: 0x8100 is sent", key),
                "write the TPID that the other side uses, or use net_af_xdp");
}

void check_frame_limit(const Check& check, const Port& port) {
    const auto limit = frame_limit(port);
    if (!limit || port.mtu <= limit->mtu) return;
    const auto driver = port.device.substr(0, port.device.find_first_of("0123456789,"));
    check.report.error(check.sources.at(port.place, "mtu"),
                       fmt::format("mtu: {} is more than {} carries", port.mtu, driver),
                       fmt::format("write mtu: {} or less, or {}", limit->mtu, limit->more));
}

/// What two ports cannot share, as it is said and as it is compared.
struct Resource {
    std::string what;
    std::string key;
};

std::string option_of(const std::string& device, std::string_view name) {
    const auto at = device.find(fmt::format(",{}=", name));
    if (at == std::string::npos) return {};
    const auto start = at + name.size() + 2;
    return device.substr(start, device.find(',', start) - start);
}

std::vector<Resource> resources_of(const std::string& device) {
    auto name = device.substr(0, device.find(','));
    if (!name.starts_with("net_") && std::ranges::count(name, ':') == 1) name = "0000:" + name;  // a PCI address
    std::vector<Resource> found{{"device `" + name + "`", name}};
    if (!name.starts_with("net_")) return found;
    const auto file = option_of(device, "tx_pcap");
    if (!file.empty()) found.push_back({"capture `" + file + "`", "tx_pcap=" + file});
    const auto interface = option_of(device, "iface");
    const bool socket = name.starts_with("net_vhost");
    if (!interface.empty())
        found.push_back({(socket ? "socket `" : "interface `") + interface + "`", "iface=" + interface});
    if (!name.starts_with("net_memif")) return found;
    const auto path = option_of(device, "socket");
    const auto number = option_of(device, "id");
    found.push_back(
        {fmt::format("socket `{}` with id {}", path.empty() ? "/run/memif.sock" : path, number.empty() ? "0" : number),
         fmt::format("memif={}#{}", path, number)});
    return found;
}

/// Each would take the other's frames, or DPDK refuses the second.
void check_resources(const Check& check, const Port& port, Seen<std::string>& seen) {
    const Place place = check.sources.at(port.place, "device");
    for (const auto& one : resources_of(port.device)) {
        const Place* first = seen.find_or_add(one.key, place);
        if (first == nullptr) continue;
        check.report.error(place, fmt::format("device: {} is the same as at {}", one.what, check.report.where(*first)),
                           "give each port its own");
        return;
    }
}

/// No two ports with one value of a key.
template <class Key>
void check_unique(const Check& check, const Port& port, std::string_view key, const Key& value, Seen<Key>& seen) {
    const Place place = check.sources.at(port.place, key);
    if (const Place* first = seen.find_or_add(value, place))
        check.report.error(place, fmt::format("{}: the same as at {}", key, check.report.where(*first)),
                           "give each port its own");
}

}  // namespace

void validate_edge(const Check& check) {
    const Edge& edge = check.model.edge;
    if (check.model.places.contains("edge.read_socket") && edge.read_socket == edge.socket)
        check.report.error(check.model.places.at("edge.read_socket"),
                           fmt::format("read_socket: {} is the `socket` too", in_quotes(edge.socket)),
                           "write another path, or leave `read_socket` out");
    const Cursor cores = Cursor{&check.sources.trees.front(), 0}.find("edge").find("cores");
    if (!cores || cores.kind() != Kind::sequence) return;
    std::size_t good = 0;
    std::set<std::string_view> seen;
    for (Cursor item = cores.first(); item; item = item.next()) {
        if (item.kind() == Kind::bad) continue;
        ++good;
        if (!seen.insert(item.text()).second)
            check.report.error(item.place(), fmt::format("cores: {} is given twice", item.text()),
                               "give each worker a core of its own");
    }
    if (good == cores.node().size && good != edge.workers && check.edge_is_good("workers"))
        check.report.error(cores.place(), fmt::format("cores: {} for {} workers", good, edge.workers),
                           "write one core per worker, or leave `cores` out");
}

void validate_ports(const Check& check, const LoadOptions& options) {
    Seen<std::string> devices;
    Seen<Prefix> addresses;
    Seen<std::array<std::uint8_t, 6>> macs;
    for (const Port& port : check.model.ports) {
        check_gateway(check, port, port.address, port.gateway, "address", "gateway");
        check_gateway(check, port, port.address6, port.gateway6, "address6", "gateway6");
        if (!port.device.empty()) check_resources(check, port, devices);
        check_device(check, port);
        check_frame_limit(check, port);
        warn_of_tpid_not_heard(check, port);
        if (port.mac) check_unique(check, port, "mac", port.mac->octets, macs);
        if (port.address) check_unique(check, port, "address", Prefix{Prefix4{port.address->address, 32}}, addresses);
        if (port.address6)
            check_unique(check, port, "address6", Prefix{Prefix6{port.address6->address, 128}}, addresses);
        if (options.live && !check.sources.field(port.place, "device"))
            check.report.error(port.place, fmt::format("port {} has no `device`", port.name),
                               "add `device`: a PCI address or a DPDK device string");
    }
}

}  // namespace peerlane::config
