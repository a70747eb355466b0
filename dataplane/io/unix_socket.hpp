// Who listens at a Unix socket, and which connections this process has: asked of the system, without a word to whoever
// is there.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace peerlane::dataplane {

struct SocketName {
    std::string path;       // or an abstract name
    bool abstract = false;  // unix(7): no file, only a name
};

/// Differs between two sockets that have one name after another.
struct Listener {
    std::uint64_t inode = 0;
    std::int64_t since = 0;  // ns; when a file was made
    auto operator<=>(const Listener&) const = default;
};

/// Who listens there, if somebody does.
std::optional<Listener> find_listener(const SocketName& name);

/// The inodes of this process's ends of connections that it has made to Unix sockets.
std::vector<std::uint64_t> connections();

/// Whether this is one of them still, and the server has not closed it; it need not have accepted it. True where the
/// system does not say.
bool is_connected(std::uint64_t connection);

}  // namespace peerlane::dataplane
