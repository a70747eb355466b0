#include "dataplane/io/interface.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace peerlane::dataplane {

namespace {

/// To ask about interfaces with.
int any_socket() {
    static const steer::File socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return socket.number();
}

/// False: there can be none of such a name.
bool name_it(ifreq& request, const std::string& name) {
    if (name.empty() || name.size() >= sizeof(request.ifr_name)) { return false; }
    std::memcpy(request.ifr_name, name.data(), name.size());
    return true;
}

}  // namespace

Interface look_at_interface(const std::string& name) {
    Interface found;
    ifreq request{};
    if (!name_it(request, name) || ioctl(any_socket(), SIOCGIFINDEX, &request) != 0) { return found; }
    found.index = static_cast<unsigned>(request.ifr_ifindex);
    if (ioctl(any_socket(), SIOCGIFFLAGS, &request) == 0) {
        const auto flags = static_cast<unsigned>(request.ifr_flags);
        found.set_up = (flags & IFF_UP) != 0;
        found.up = found.set_up && (flags & IFF_RUNNING) != 0;
    }
    if (ioctl(any_socket(), SIOCGIFMTU, &request) == 0) { found.mtu = static_cast<unsigned>(request.ifr_mtu); }
    return found;
}

bool set_mtu_of_interface(const std::string& name, unsigned mtu) {
    ifreq request{};
    if (!name_it(request, name)) { return false; }
    request.ifr_mtu = static_cast<int>(mtu);
    return ioctl(any_socket(), SIOCSIFMTU, &request) == 0;
}

void forget_socket_errors(unsigned index) {
    std::error_code none;
    std::filesystem::directory_iterator open("/proc/self/fd", none);
    for (; !none && open != std::filesystem::directory_iterator(); open.increment(none)) {
        const std::string name = open->path().filename();  // a number
        int file = -1;
        std::from_chars(name.data(), name.data() + name.size(), file);
        sockaddr_ll address{};
        socklen_t size = sizeof(address);
        if (getsockname(file, reinterpret_cast<sockaddr*>(&address), &size) != 0) { continue; }
        if (address.sll_family != AF_PACKET || address.sll_ifindex != static_cast<int>(index)) { continue; }
        int error = 0;
        size = sizeof(error);
        getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size);  // it is gone when it is read
    }
}

std::string interface_name(unsigned index) {
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

steer::File listen_to_groups(unsigned index, bool everything) {
    steer::File socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: it receives nothing itself
    packet_mreq wanted{};
    wanted.mr_ifindex = static_cast<int>(index);
    wanted.mr_type = everything ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI;
    const int error = setsockopt(socket.number(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, sizeof(wanted));
    return error == 0 ? std::move(socket) : steer::File();
}

}  // namespace peerlane::dataplane
