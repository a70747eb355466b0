#include "dataplane/io/unix_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace peerlane::dataplane {
namespace {

sockaddr_un address_of(const SocketName& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto* start = address.sun_path + (name.abstract ? 1 : 0);
    std::memcpy(start, name.path.data(), std::min(name.path.size(), sizeof(address.sun_path) - 2));
    return address;
}

/// By a connection of a type that no such server takes, so that nobody has to accept it.
bool somebody_listens(const std::string& path) {
    const auto address = address_of({path, false});
    const int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) { return true; }
    const bool nobody = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
                        (errno == ECONNREFUSED || errno == ENOENT);
    close(probe);
    return !nobody;
}

/// A name of another type is not found. The system's table shows '@' for each zero of a name.
std::optional<Listener> find_abstract(const std::string& name) {
    constexpr unsigned kListens = 0x10000;
    std::ifstream table("/proc/net/unix");
    if (!table) { return Listener{}; }
    for (std::string line; std::getline(table, line);) {
        std::istringstream words(line);
        std::string address, users, protocol, flags, type, state, shown;
        Listener found;
        words >> address >> users >> protocol >> flags >> type >> state >> found.inode >> std::ws;
        std::getline(words, shown);
        shown.erase(shown.find_last_not_of('@') + 1);
        if (shown == '@' + name && (std::strtoul(flags.c_str(), nullptr, 16) & kListens) != 0) { return found; }
    }
    return std::nullopt;
}

bool is_connection(int file, const sockaddr_un& server) {
    sockaddr_un peer{};
    socklen_t length = sizeof(peer);
    if (getpeername(file, reinterpret_cast<sockaddr*>(&peer), &length) != 0 || peer.sun_family != AF_UNIX) {
        return false;
    }
    pollfd state{file, 0, 0};
    const bool same = std::memcmp(peer.sun_path, server.sun_path, sizeof(peer.sun_path)) == 0;
    return same && poll(&state, 1, 0) == 0;
}

}  // namespace

std::optional<Listener> find_listener(const SocketName& name) {
    if (name.abstract) { return find_abstract(name.path); }
    if (!somebody_listens(name.path)) { return std::nullopt; }
    struct stat file{};
    if (stat(name.path.c_str(), &file) != 0) { return Listener{}; }
    return Listener{file.st_ino, file.st_ctim.tv_sec * 1'000'000'000LL + file.st_ctim.tv_nsec};
}

bool is_connected_to(const SocketName& name) {
    const auto server = address_of(name);
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
        if (is_connection(std::atoi(entry.path().filename().c_str()), server)) { return true; }
    }
    return false;
}

}  // namespace peerlane::dataplane
