#include "dataplane/io/memif.hpp"

#include <rte_alarm.h>
#include <rte_ethdev.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <semaphore>
#include <string>

namespace peerlane::dataplane {
namespace {

/// The driver's options, with what it takes where they are not given.
struct Options {
    bool server = false;
    bool abstract = true;
    std::string path = "/run/memif.sock";
};

Options options(const Device& device) {
    Options found;
    std::size_t start = 0;
    while (start < device.arguments.size()) {
        const auto end = std::min(device.arguments.find(',', start), device.arguments.size());
        const auto one = device.arguments.substr(start, end - start);
        if (one == "role=server" || one == "role=master") { found.server = true; }
        if (one == "socket-abstract=no") { found.abstract = false; }
        if (one.starts_with("socket=")) { found.path = one.substr(std::strlen("socket=")); }
        start = end + 1;
    }
    return found;
}

/// Whether somebody listens. It is asked by a connection of a type that a memif server cannot take: one that ends
/// before the greeting would be the end of a DPDK process at the other side. The driver gives an abstract name all the
/// room there is.
bool somebody_listens(const Options& options) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t start = options.abstract ? 1 : 0;
    std::memcpy(address.sun_path + start, options.path.data(),
                std::min(options.path.size(), sizeof(address.sun_path) - 1 - start));
    const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) { return true; }
    const bool nobody = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
                        (errno == ECONNREFUSED || errno == ENOENT);
    close(probe);
    return !nobody;
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

void clear_dead_socket(const Device& device) {
    const auto found = options(device);
    struct stat file{};
    if (!is_memif(device) || !found.server || found.abstract) { return; }
    if (lstat(found.path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode) || somebody_listens(found)) { return; }
    unlink(found.path.c_str());
}

bool is_memif(const Device& device) {
    return device.is_virtual && device.name.starts_with("net_memif");
}

bool is_memif_client(const Device& device) {
    return is_memif(device) && !options(device).server;
}

void close_memif(std::uint16_t port) noexcept {
    Closing closing{port};
    if (rte_eal_alarm_set(1, stop_and_close, &closing) != 0) { return stop_and_close(&closing); }
    closing.done.acquire();
}

std::optional<Reconnection::Listener> Reconnection::find(const Device& device) {
    const auto found = options(device);
    if (!somebody_listens(found)) { return std::nullopt; }
    struct stat file{};
    if (found.abstract || stat(found.path.c_str(), &file) != 0) { return Listener{}; }
    return Listener{file.st_ino, file.st_ctim.tv_sec * 1'000'000'000LL + file.st_ctim.tv_nsec};
}

bool Reconnection::due(const Device& device, bool up, Nanoseconds now) {
    const bool started = std::exchange(first_, false);
    if (std::exchange(was_up_, up) || up) {
        tried_.reset();
        return false;
    }
    listener_ = find(device);
    if (!listener_) { tried_.reset(); }
    if (started) {  // the driver is connecting
        tried_ = listener_;
        tried_at_ = now;
    }
    if (!listener_ || (tried_ == listener_ && now - tried_at_ < kPatience)) { return false; }
    tried_ = listener_;
    tried_at_ = now;
    return true;
}

}  // namespace peerlane::dataplane
