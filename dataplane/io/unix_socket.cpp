#include "dataplane/io/unix_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

sockaddr_un address_of(const SocketName& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t before = name.abstract ? 1 : 0;
    std::copy_n(name.path.begin(), std::min(name.path.size(), sizeof(address.sun_path) - 1 - before),
                address.sun_path + before);
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

/// 0: it is none.
std::uint64_t connection_of(int file) {
    sockaddr_un peer{};
    socklen_t length = sizeof(peer);
    struct stat state{};
    const bool is = getpeername(file, reinterpret_cast<sockaddr*>(&peer), &length) == 0 && peer.sun_family == AF_UNIX;
    return is && fstat(file, &state) == 0 ? state.st_ino : 0;
}

/// visit(file) for each open file until it returns true. False: the system does not say which there are.
template <class Visit>
bool each_file(Visit visit) {
    std::error_code error;
    for (fs::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) {
        const auto number = entry->path().filename().string();
        int file = -1;
        std::from_chars(number.data(), number.data() + number.size(), file);
        if (visit(file)) { break; }
    }
    return !error;
}

}  // namespace

std::optional<Listener> find_listener(const SocketName& name) {
    if (name.abstract) { return find_abstract(name.path); }
    if (!somebody_listens(name.path)) { return std::nullopt; }
    struct stat file{};
    if (stat(name.path.c_str(), &file) != 0) { return Listener{}; }
    return Listener{file.st_ino, file.st_mtim.tv_sec * 1'000'000'000LL + file.st_mtim.tv_nsec};
}

std::vector<std::uint64_t> connections() {
    std::vector<std::uint64_t> all;
    each_file([&](int file) {
        if (const auto one = connection_of(file); one != 0) { all.push_back(one); }
        return false;
    });
    return all;
}

bool is_connected(std::uint64_t connection) {
    bool is = false;
    const bool known = each_file([&](int file) {
        if (connection_of(file) != connection) { return false; }
        pollfd state{file, 0, 0};
        is = poll(&state, 1, 0) == 0;
        return true;
    });
    return is || !known;
}

}  // namespace peerlane::dataplane
