// Who listens at a Unix socket, and whether this process is connected to it: asked of the system, without a word to
// whoever is there.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace peerlane::dataplane {

struct SocketName {
    std::string path;       // or an abstract name
    bool abstract = false;  // unix(7): no file, only a name
};

/// Differs between two sockets that have one name after another.
struct Listener {
    std::uint64_t inode = 0;
    std::int64_t since = 0;  // ns; of a file
    auto operator<=>(const Listener&) const = default;
};

/// Who listens there, if somebody does.
std::optional<Listener> find_listener(const SocketName& name);

/// Whether a file of this process is a connection to that server, which the server has not closed; accepted or not.
bool is_connected_to(const SocketName& name);

}  // namespace peerlane::dataplane
