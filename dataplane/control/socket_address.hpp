// A path as a Unix socket's address.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// Throws Failure where the path does not fit.
inline sockaddr_un socket_address(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& text = path.native();
    if (text.empty() || text.size() >= sizeof(address.sun_path)) {
        throw Failure("socket " + text,
                      "a socket's path is 1 to " + std::to_string(sizeof(address.sun_path) - 1) + " octets long",
                      "set edge.socket to a shorter path");
    }
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
}

}  // namespace peerlane::dataplane
