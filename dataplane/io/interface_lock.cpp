#include "dataplane/io/interface_lock.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace peerlane::dataplane {
namespace {

struct Name {
    sockaddr_un address{};
    socklen_t length = 0;

    explicit Name(unsigned index) {
        const auto text = fmt::format("peerlane/interface/{}", index);
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, text.data(), text.size());  // the first byte stays 0: abstract
        length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    }
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

steer::File open_socket() {
    return steer::File(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

std::optional<InterfaceHolder> holder_of(unsigned index) {
    const auto socket = open_socket();
    const Name name(index);
    if (!socket) { return std::nullopt; }
    if (connect(socket.number(), name.get(), name.length) != 0) {
        // So many have asked that no more fit into its queue.
        return errno == EAGAIN ? std::optional(InterfaceHolder{0, true}) : std::nullopt;
    }
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (getsockopt(socket.number(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) { return InterfaceHolder{}; }
    return InterfaceHolder{peer.pid, peer.uid == 0 || peer.uid == geteuid()};
}

steer::File take_interface(unsigned index) {
    auto socket = open_socket();
    const Name name(index);
    const bool taken =
        socket && bind(socket.number(), name.get(), name.length) == 0 && listen(socket.number(), SOMAXCONN) == 0;
    return taken ? std::move(socket) : steer::File();
}

std::string say_holder(const std::string& interface, const InterfaceHolder& holder) {
    return fmt::format("interface {} is taken: another edge runs on it{}", interface,
                       holder.process == 0 ? "" : fmt::format(" (process {})", holder.process));
}

}  // namespace peerlane::dataplane
