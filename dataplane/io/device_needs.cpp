#include "dataplane/io/device_needs.hpp"

#include <net/if.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "dataplane/io/socket_device.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using Obstacle = std::optional<Failure>;

constexpr std::array<const char*, 9> kDrivers{"net_af_packet",   "net_af_xdp", "net_tap",  "net_memif", "net_vhost",
                                              "net_virtio_user", "net_pcap",   "net_ring", "net_null"};

Obstacle driver_obstacle(const Device& device, const std::string& where) {
    if (std::ranges::any_of(kDrivers, [&](const char* one) { return is_driver(device, one); })) { return {}; }
    std::string all;
    for (const auto* one : kDrivers) { all += (all.empty() ? "" : ", ") + std::string(one); }
    return Failure(where, "there is no driver for `" + device.name + "`",
                   "write one of " + all + ", with a number behind it");
}

/// Of drivers that use an interface of the system. /sys may be that of another network namespace.
Obstacle interface_obstacle(const Device& device, const std::string& where, const std::string& root) {
    const auto name = device_argument(device, "iface");
    if (name.empty()) { return Failure(where, "`" + device.arguments + "` names no interface", "append ,iface=NAME"); }
    const bool there = root.empty() ? if_nametoindex(name.c_str()) != 0 : fs::exists(root + "/sys/class/net/" + name);
    if (there) { return {}; }
    return Failure(where, "there is no interface `" + name + "`", "ip link shows those there are; name it with iface=");
}

Obstacle tap_obstacle(const Device& device, const std::string& where, const std::string& root) {
    if (!fs::exists(root + "/dev/net/tun")) { return Failure(where, "/dev/net/tun is not there", "modprobe tun"); }
    const auto name = device_argument(device, "iface");
    if (name.size() < IFNAMSIZ) { return {}; }
    return Failure(where, "`" + name + "` is too long for the name of an interface",
                   "name one of at most 15 characters with iface=");
}

/// A place where a file is to be made.
Obstacle place_obstacle(const fs::path& path, const std::string& where) {
    const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
    std::error_code none;
    if (!fs::is_directory(directory, none)) {
        return Failure(where, "there is no directory `" + directory.string() + "`", "mkdir -p " + directory.string());
    }
    if (access(directory.c_str(), W_OK | X_OK) == 0) { return {}; }
    return Failure(where, "`" + directory.string() + "` is not writable", "run as its owner, or name another place");
}

Obstacle socket_obstacle(const Device& device, const std::string& where) {
    const auto end = socket_end(device);
    if (!end || end->socket.path.starts_with("/dev/")) { return {}; }  // the kernel's backend
    constexpr auto kLongest = sizeof(sockaddr_un::sun_path) - 1;
    if (end->socket.path.empty()) {
        return Failure(where, "`" + device.arguments + "` names no socket", "append " + end->key + "PATH");
    }
    if (end->socket.path.size() > kLongest) {
        return Failure(where,
                       "the socket's path is " + std::to_string(end->socket.path.size()) + " characters long, and " +
                           std::to_string(kLongest) + " are the most",
                       "name a shorter one with " + end->key);
    }
    if (!end->server) {
        if (const auto deserted = deserted_socket(device)) {
            return Failure(where, "nobody listens at `" + *deserted + "`", remedy_for_deserted(device));
        }
        return {};
    }
    if (find_listener(end->socket)) {
        return Failure(where, "another process listens at `" + end->socket.path + "`",
                       "end it, or name another socket with " + end->key);
    }
    if (end->socket.abstract) { return {}; }
    std::error_code none;
    const auto status = fs::symlink_status(end->socket.path, none);
    if (fs::exists(status) && !fs::is_socket(status)) {
        return Failure(where, "`" + end->socket.path + "` is not a socket",
                       "remove it, or name another place with " + end->key);
    }
    return place_obstacle(end->socket.path, where);
}

Obstacle capture_obstacle(const Device& device, const std::string& where) {
    const auto input = device_argument(device, "rx_pcap");
    if (!input.empty() && access(input.c_str(), R_OK) != 0) {
        return Failure(where, "`" + input + "` cannot be read", "name a readable capture with rx_pcap=");
    }
    const auto output = device_argument(device, "tx_pcap");
    return output.empty() ? Obstacle() : place_obstacle(output, where);
}

}  // namespace

std::string device_argument(const Device& device, const std::string& name) {
    const auto at = device.arguments.find("," + name + "=");
    if (at == std::string::npos) { return {}; }
    const auto start = at + name.size() + 2;
    return device.arguments.substr(start, device.arguments.find(',', start) - start);
}

bool is_driver(const Device& device, const char* driver) {
    return device.is_virtual && device.name.starts_with(driver);
}

Obstacle device_obstacle(const Device& device, const std::string& where, const std::string& root) {
    if (!device.is_virtual) { return {}; }
    if (auto obstacle = driver_obstacle(device, where)) { return obstacle; }
    if (is_driver(device, "net_af_packet") || is_driver(device, "net_af_xdp")) {
        return interface_obstacle(device, where, root);
    }
    if (is_driver(device, "net_tap")) { return tap_obstacle(device, where, root); }
    if (is_driver(device, "net_pcap")) { return capture_obstacle(device, where); }
    return socket_obstacle(device, where);
}

}  // namespace peerlane::dataplane
