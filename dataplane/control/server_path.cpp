#include "dataplane/control/server_path.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dataplane/control/socket_address.hpp"
#include "dataplane/io/unix_socket.hpp"

namespace peerlane::dataplane {

std::optional<Failure> server_obstacle(const std::filesystem::path& path) {
    const auto where = "socket " + path.native();
    try {
        static_cast<void>(socket_address(path));
    } catch (const Failure& failure) { return failure; }
    const auto directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    struct stat found{};
    if (stat(directory.c_str(), &found) != 0) {
        return Failure(where, "cannot listen: " + directory.native() + ": " + std::strerror(errno),
                       "mkdir -p " + directory.native() + ", or set edge.socket to another path");
    }
    if (access(directory.c_str(), W_OK | X_OK) != 0) {
        return Failure(where, "cannot listen: " + directory.native() + " is not writable",
                       "let this user write there, or set edge.socket to another path");
    }
    if (lstat(path.c_str(), &found) != 0) { return std::nullopt; }
    if (!S_ISSOCK(found.st_mode)) {
        return Failure(where, "there is a file of another kind", "remove it, or set edge.socket to another path");
    }
    if (find_listener({path.native(), false})) {
        return Failure(where, "another edge answers there", "stop it, or give this edge an edge.socket of its own");
    }
    return std::nullopt;
}

}  // namespace peerlane::dataplane
