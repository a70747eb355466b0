// A server in a directory of the test's own, and clients that never wait: both run in the same thread.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>

#include "dataplane/control/server.hpp"
#include "dataplane/control/socket_address.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane::test_server {

struct Place {
    const peerlane::test::OwnDirectory own{"server"};
    const std::filesystem::path directory = own.path();
    [[nodiscard]] std::filesystem::path socket() const { return directory / "edge.sock"; }
};

/// A client that never waits: the server runs in the same thread.
struct Client {
    int file = -1;
    explicit Client(const std::filesystem::path& path) : file(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
        const auto address = socket_address(path);
        EXPECT_EQ(connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
    ~Client() { close(file); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void say(std::string_view text) const {
        ASSERT_EQ(send(file, text.data(), text.size(), MSG_NOSIGNAL), text.size());
    }
    /// What has come; `ended` says that the server has closed.
    std::string hear(bool* ended = nullptr) const {
        std::string all;
        char piece[4096];
        for (;;) {
            const auto got = recv(file, piece, sizeof(piece), 0);
            if (got <= 0) {
                if (ended != nullptr) { *ended = got == 0 || errno == ECONNRESET; }
                return all;
            }
            all.append(piece, static_cast<std::size_t>(got));
        }
    }
};

inline Reply echo(std::string_view request, const Peer& /*peer*/) {
    return {'<' + std::string(request) + '>'};
}

}  // namespace peerlane::dataplane::test_server
