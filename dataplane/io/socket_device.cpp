#include "dataplane/io/socket_device.hpp"

#include <rte_alarm.h>
#include <rte_ethdev.h>
#include <rte_vhost.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <semaphore>
#include <string>
#include <string_view>
#include <utility>

namespace peerlane::dataplane {
namespace {

bool is_a(const Device& device, const char* driver) {
    return device.is_virtual && device.name.starts_with(driver);
}

/// The driver's options, with what it takes where they are not given.
SocketEnd options(const Device& device) {
    SocketEnd found;
    if (is_memif(device)) { found.socket = {"/run/memif.sock", true}; }
    if (is_a(device, "net_vhost")) { found.server = true; }
    found.key = is_memif(device) ? "socket=" : found.server ? "iface=" : "path=";
    std::size_t start = 0;
    while (start < device.arguments.size()) {
        const auto end = std::min(device.arguments.find(',', start), device.arguments.size());
        const auto one = device.arguments.substr(start, end - start);
        if (one == "role=server" || one == "role=master") { found.server = true; }  // memif
        if (one == "socket-abstract=no") { found.socket.abstract = false; }
        if (one == "client=1") { found.server = false; }  // vhost
        if (one == "server=1") { found.server = true; }   // virtio-user
        if (one.starts_with(found.key)) { found.socket.path = one.substr(found.key.size()); }
        start = end + 1;
    }
    return found;
}

struct Closing {
    std::uint16_t port;
    std::binary_semaphore done{0};
};

void stop_and_close(void* argument) {
    auto& closing = *static_cast<Closing*>(argument);
    rte_eth_dev_stop(closing.port);
    rte_eth_dev_close(closing.port);
    closing.done.release();
}

}  // namespace

std::optional<SocketEnd> socket_end(const Device& device) {
    const bool has = is_memif(device) || is_a(device, "net_vhost") || is_a(device, "net_virtio_user");
    return has ? std::optional(options(device)) : std::nullopt;
}

void clear_dead_socket(const Device& device) {
    const auto found = options(device);
    struct stat file{};
    const bool known = is_memif(device) || is_a(device, "net_vhost");
    if (!known || !found.server || found.socket.abstract) { return; }
    const auto* path = found.socket.path.c_str();
    if (lstat(path, &file) == 0 && S_ISSOCK(file.st_mode) && !find_listener(found.socket)) { unlink(path); }
}

bool is_memif(const Device& device) {
    return is_a(device, "net_memif");
}

bool connects_once(const Device& device) {
    const auto found = options(device);
    // A path there may also be the kernel's own backend.
    const bool virtio = is_a(device, "net_virtio_user") && !found.socket.path.starts_with("/dev/vhost");
    return (is_memif(device) || virtio) && !found.server;
}

std::optional<std::string> deserted_socket(const Device& device) {
    const auto found = options(device);
    return connects_once(device) && !find_listener(found.socket) ? std::optional(found.socket.path) : std::nullopt;
}

std::string remedy_for_deserted(const Device& device) {
    return "start the server there first, or let the edge be it: " +
           (is_memif(device) ? "role=server" : "net_vhost0,iface=" + options(device).socket.path);
}

void refuse_offloads(const Device& device) {
    if (!is_a(device, "net_vhost")) { return; }
    // Virtio 1.2 §5.1.3: CSUM, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO.
    constexpr std::uint64_t kFeatures = 1U << 0U | 1U << 11U | 1U << 12U | 1U << 13U | 1U << 14U;
    rte_vhost_driver_disable_features(options(device).socket.path.c_str(), kFeatures);
}

void close_on_its_thread(std::uint16_t port) noexcept {
    Closing closing{port};
    if (rte_eal_alarm_set(1, stop_and_close, &closing) != 0) { return stop_and_close(&closing); }
    closing.done.acquire();
}

NewConnection::NewConnection(const Device& device) : expected_(connects_once(device)) {
    if (expected_) { before_ = connections(); }
}

std::uint64_t NewConnection::find() const {
    if (!expected_) { return 0; }
    for (const auto one : connections()) {
        if (std::ranges::find(before_, one) == before_.end()) { return one; }
    }
    return 0;
}

bool Reconnection::due(const Device& device, std::uint64_t connection, bool up, Nanoseconds now) {
    const bool started = std::exchange(first_, false);
    const bool was_up = std::exchange(was_up_, up);
    waits_ = false;
    if (up || was_up) { tried_.reset(); }
    if (up) { return false; }
    listener_ = find_listener(options(device).socket);
    if (was_up) { return false; }
    if (started) {  // the driver is connecting
        tried_ = listener_;
        tried_at_ = now;
    }
    if (!listener_) { return false; }
    if (tried_ == listener_) {
        waits_ = connection != 0 && is_connected(connection);
        if (waits_ || now - tried_at_ < kPatience) { return false; }
    }
    tried_ = listener_;
    tried_at_ = now;
    return true;
}

const char* Reconnection::reason() const noexcept {
    if (!listener_) { return "no server listens"; }
    return waits_ ? "the server does not answer" : "";
}

}  // namespace peerlane::dataplane
