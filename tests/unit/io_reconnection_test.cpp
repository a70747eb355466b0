// When a port that connects once is opened again: servers that come, go, refuse, or keep the edge waiting.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
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

/// A port and its server, which has a file for its name, or an abstract one.
class Case {
  public:
    explicit Case(bool abstract) : abstract_(abstract) {
        const auto path = (directory_.path() / "memif").string();
        name_.sun_family = AF_UNIX;
        std::copy(path.begin(), path.end(), name_.sun_path + (abstract_ ? 1 : 0));
        length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size());
        device_ = {
            .is_virtual = true,
            .arguments = "net_memif0,role=client,socket=" + path + ",socket-abstract=" + (abstract_ ? "yes" : "no"),
            .name = "net_memif0"};
    }

    [[nodiscard]] bool due(bool up = false) { return reconnection_.due(device_, connection_, up, now_); }
    [[nodiscard]] std::string reason() const { return reconnection_.reason(); }
    void pass(Nanoseconds time) { now_ += time; }

    [[nodiscard]] End listen() const {
        if (!abstract_) { unlink(name_.sun_path); }
        auto end = make();
        EXPECT_EQ(bind(end->file(), address(), length_), 0);
        EXPECT_EQ(::listen(end->file(), 1), 0);
        return end;
    }
    /// As the driver does.
    [[nodiscard]] End connect() {
        const NewConnection fresh(device_);
        EXPECT_EQ(fresh.find(), 0U);
        auto end = make();
        EXPECT_EQ(::connect(end->file(), address(), length_), 0);
        connection_ = fresh.find();
        EXPECT_NE(connection_, 0U);
        return end;
    }
    [[nodiscard]] const char* path() const { return name_.sun_path; }
    [[nodiscard]] static End accept(const Socket& listener) {
        return std::make_unique<Socket>(::accept(listener.file(), nullptr, nullptr));
    }

  private:
    static End make() { return std::make_unique<Socket>(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)); }
    [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&name_); }

    bool abstract_;
    test::OwnDirectory directory_{"reconnection"};
    sockaddr_un name_{};
    socklen_t length_ = 0;
    Device device_;
    Reconnection reconnection_;
    std::uint64_t connection_ = 0;
    Nanoseconds now_ = kSecond;
};

class AReconnection : public Case, public testing::TestWithParam<bool> {
  public:
    AReconnection() : Case(GetParam()) {}
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
        if (!GetParam()) { EXPECT_EQ(chmod(path(), minute % 2 == 0 ? 0600 : 0660), 0); }
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
    EXPECT_FALSE(due());
    const auto server = listen();
    EXPECT_FALSE(due(true));
    pass(kSecond);
    EXPECT_FALSE(due()) << "it has just gone down: what was taken is closed first";
    EXPECT_EQ(reason(), "");
    EXPECT_TRUE(due());
}

/// Of another port of the same server.
TEST_P(AReconnection, DoesNotTakeAnothersConnectionForItsOwn) {
    const auto server = listen();
    const auto others = connect();
    {
        const auto own = connect();
        EXPECT_FALSE(due());
        EXPECT_EQ(reason(), "the server does not answer");
    }
    pass(Reconnection::kPatience);
    EXPECT_TRUE(due());
}

/// Somebody takes its name away and gives it back.
TEST(Reconnection, KeepsToAServerWhoseNameWasGone) {
    Case one(false);
    const auto server = one.listen();
    const auto connection = one.connect();
    EXPECT_FALSE(one.due());
    const std::string aside = std::string(one.path()) + ".aside";
    ASSERT_EQ(std::rename(one.path(), aside.c_str()), 0);
    EXPECT_FALSE(one.due());
    EXPECT_EQ(one.reason(), "no server listens");
    ASSERT_EQ(std::rename(aside.c_str(), one.path()), 0);
    one.pass(2 * Reconnection::kPatience);
    EXPECT_FALSE(one.due());
    EXPECT_EQ(one.reason(), "the server does not answer");
}

/// Only their own options name a socket.
TEST(Reconnection, IsForClients) {
    EXPECT_TRUE(connects_once({true, "net_memif0,id=0", "net_memif0"}));
    EXPECT_FALSE(connects_once({true, "net_memif0,role=server,id=0", "net_memif0"}));
    EXPECT_TRUE(connects_once({true, "net_virtio_user0,path=/run/one", "net_virtio_user0"}));
    EXPECT_FALSE(connects_once({true, "net_virtio_user0,path=/dev/vhost-net,iface=tap0", "net_virtio_user0"}));
    EXPECT_FALSE(connects_once({true, "net_vhost0,iface=/run/one", "net_vhost0"}));
    EXPECT_EQ(NewConnection({true, "net_null0", "net_null0"}).find(), 0U);
}

}  // namespace
}  // namespace peerlane::dataplane
