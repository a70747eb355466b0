// When a port that connects once is opened again: servers that come, go, refuse, or keep the edge waiting.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>

#include "dataplane/io/socket_device.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;

/// A socket, closed with it.
class Socket {
  public:
    explicit Socket(int file) : file_(file) {
        if (file < 0) { throw std::runtime_error("no socket"); }
    }
    ~Socket() { close(file_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket(Socket&&) = delete;
    Socket& operator=(Socket&&) = delete;

    [[nodiscard]] int file() const noexcept { return file_; }

  private:
    int file_;
};

using End = std::unique_ptr<Socket>;

/// With a file for its name, or an abstract one.
class AReconnection : public testing::TestWithParam<bool> {
  public:
    AReconnection() {
        const auto path = (directory_.path() / "memif").string();
        name_.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), name_.sun_path + (GetParam() ? 1 : 0));
        length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size());
        device_ = {
            .is_virtual = true,
            .arguments = "net_memif0,role=client,socket=" + path + ",socket-abstract=" + (GetParam() ? "yes" : "no"),
            .name = "net_memif0"};
    }

    [[nodiscard]] bool due(bool up = false) { return reconnection_.due(device_, up, now_); }
    [[nodiscard]] std::string reason() const { return reconnection_.reason(); }
    void pass(Nanoseconds time) { now_ += time; }

    [[nodiscard]] End listen() const {
        if (!GetParam()) { unlink(name_.sun_path); }
        auto end = make();
        EXPECT_EQ(bind(end->file(), address(), length_), 0);
        EXPECT_EQ(::listen(end->file(), 1), 0);
        return end;
    }
    /// As the driver does.
    [[nodiscard]] End connect() const {
        auto end = make();
        EXPECT_EQ(::connect(end->file(), address(), length_), 0);
        return end;
    }
    [[nodiscard]] static End accept(const Socket& listener) {
        return std::make_unique<Socket>(::accept(listener.file(), nullptr, nullptr));
    }

  private:
    static End make() { return std::make_unique<Socket>(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }
    [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&name_); }

    test::OwnDirectory directory_{"reconnection"};
    sockaddr_un name_{};
    socklen_t length_ = 0;
    Device device_;
    Reconnection reconnection_;
    Nanoseconds now_ = kSecond;
};

INSTANTIATE_TEST_SUITE_P(Names, AReconnection, testing::Bool(),
                         [](const auto& one) { return one.param ? "abstract" : "file"; });

TEST_P(AReconnection, IsDueAtOnceWhenAServerHasCome) {
    EXPECT_FALSE(due());
    EXPECT_EQ(reason(), "no server listens");
    pass(kSecond);
    EXPECT_FALSE(due());
    const auto server = listen();
    pass(kSecond / 10);
    EXPECT_TRUE(due());
    EXPECT_EQ(reason(), "");
    EXPECT_FALSE(due()) << "it counts as made";
}

TEST_P(AReconnection, NeverHangsUpOnAServerThatHasNotAnswered) {
    const auto server = listen();
    const auto connection = connect();
    for (int minute = 0; minute < 10; ++minute) {
        EXPECT_FALSE(due());
        EXPECT_EQ(reason(), "the server does not answer");
        pass(60 * kSecond);
    }
    const auto theirs = accept(*server);
    EXPECT_FALSE(due()) << "it may be about to greet";
    EXPECT_FALSE(due(true));
}

TEST_P(AReconnection, IsDueInAWhileWhenTheServerHasRefused) {
    const auto server = listen();
    {
        const auto connection = connect();
        EXPECT_FALSE(due());
        const auto theirs = accept(*server);
    }
    pass(Reconnection::kPatience - 1);
    EXPECT_FALSE(due());
    EXPECT_EQ(reason(), "");
    pass(1);
    EXPECT_TRUE(due());
    pass(Reconnection::kPatience);
    EXPECT_TRUE(due());
}

/// The driver is slow to see it: its end is open.
TEST_P(AReconnection, IsDueInAWhileWhenTheServerHasHungUp) {
    const auto server = listen();
    const auto connection = connect();
    accept(*server).reset();
    EXPECT_FALSE(due());
    EXPECT_EQ(reason(), "");
    pass(Reconnection::kPatience);
    EXPECT_TRUE(due());
}

TEST_P(AReconnection, LeavesAServerThatDiedBeforeItAnswered) {
    auto server = listen();
    const auto connection = connect();
    EXPECT_FALSE(due());
    server.reset();
    pass(kSecond / 10);
    EXPECT_FALSE(due());
    EXPECT_EQ(reason(), "no server listens");
    server = listen();
    EXPECT_TRUE(due());
}

TEST_P(AReconnection, IsDueAtOnceWhenTheLinkWasUp) {
    const auto server = listen();
    EXPECT_FALSE(due());
    EXPECT_FALSE(due(true));
    pass(kSecond);
    EXPECT_FALSE(due()) << "it has just gone down: what was taken is closed first";
    EXPECT_TRUE(due());
}

}  // namespace
}  // namespace peerlane::dataplane
