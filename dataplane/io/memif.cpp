#include "dataplane/io/memif.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace peerlane::dataplane {
namespace {

/// The driver's options, with what it takes where they are not given.
struct Options {
    bool server = false;
    bool abstract = true;
    std::string path = "/run/memif.sock";
};

bool is_memif(const Device& device) {
    return device.is_virtual && device.name.starts_with("net_memif");
}

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

/// Whether a socket of the file system is somebody's. It is asked by a connection of a type that it cannot take: a
/// connection that ends before the greeting would be the end of a DPDK process at the other side.
bool somebody_has(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
    const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) { return true; }
    const bool dead = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
                      (errno == ECONNREFUSED || errno == ENOENT);
    close(probe);
    return !dead;
}

}  // namespace

void clear_dead_socket(const Device& device) {
    const auto found = options(device);
    struct stat file{};
    if (!is_memif(device) || !found.server || found.abstract) { return; }
    if (lstat(found.path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode) || somebody_has(found.path)) { return; }
    unlink(found.path.c_str());
}

}  // namespace peerlane::dataplane
