// Many clients, hostile ones among them: what they cost control in one turn of its loop, and who gets in.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <list>

#include "dataplane/control/server.hpp"
#include "tests/unit/child.hpp"
#include "tests/unit/server_case.hpp"

namespace peerlane::dataplane {
namespace {

using namespace test_server;
namespace fs = std::filesystem;

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr std::string_view kTooMany = "{\"ok\":false,\"error\":\"too many clients\"}\n";

/// Answers in so many pieces, and counts all that are made.
struct Pieces {
    unsigned each = 1;
    unsigned made = 0;

    Reply answer(std::string_view request) {
        ++made;
        Reply reply{std::string(request)};
        if (each == 1) { return reply; }
        reply.more = [this, left = each - 1](std::string& text) mutable {
            ++made;
            text += '+';
            return --left != 0;
        };
        return reply;
    }
};

TEST(Crowd, ATurnMakesOnePieceWhoeverAsks) {
    constexpr unsigned kEach = 5;
    const Place place;
    Pieces pieces{kEach};
    Server server(place.socket(), true, [&](std::string_view request, const Peer&) { return pieces.answer(request); });
    std::list<Client> clients;
    for (unsigned i = 0; i < 31; ++i) {
        clients.emplace_back(place.socket());
        clients.back().say("a\nb\n");
    }
    std::vector<pollfd> waiting;
    unsigned turns = 0;
    do {
        const auto before = pieces.made;
        server.serve(++turns);
        EXPECT_EQ(pieces.made, before + 1);
        waiting.clear();
    } while (!server.watch(waiting));
    EXPECT_EQ(turns, 31 * 2 * kEach);
    for (const auto& client : clients) { EXPECT_EQ(client.hear(), "a++++\nb++++\n"); }
}

TEST(Crowd, AShortAnswerWaitsForOnePieceOfEachOther) {
    const Place place;
    unsigned turn = 0;
    unsigned answered = 0;
    Server server(place.socket(), true, [&](std::string_view request, const Peer&) {
        Reply reply{std::string(request)};
        if (request == "short") {
            answered = turn;
        } else {
            reply.more = [](std::string&) { return true; };  // never whole
        }
        return reply;
    });
    std::list<Client> clients;
    for (unsigned i = 0; i < 20; ++i) {
        clients.emplace_back(place.socket());
        clients.back().say("long\n");
    }
    for (; turn < 100; ++turn) { server.serve(turn); }
    const Client quick(place.socket());
    quick.say("short\n");
    while (answered == 0 && turn < 1000) { server.serve(turn++); }
    EXPECT_LE(answered, 100U + 21U);
    EXPECT_EQ(quick.hear(), "short\n");
    EXPECT_EQ(clients.front().hear(), "") << "nothing of an answer is sent before it is whole";
}

TEST(Crowd, SilentOnesMakeRoom) {
    const Place place;
    Server server(place.socket(), true, echo);
    std::list<Client> silent;
    for (std::size_t i = 0; i < Server::kMaxClients + Server::kKept; ++i) { silent.emplace_back(place.socket()); }
    server.serve(1);
    EXPECT_EQ(server.clients(), Server::kMaxClients + Server::kKept);
    {
        const Client hasty(place.socket());  // all others have only just come
        server.serve(2);
        EXPECT_EQ(hasty.hear(), kTooMany);
    }
    server.serve(3);
    silent.front().say("half a reque");  // neither does that hold a place for ever
    server.serve(Server::kStill);
    const Client other(place.socket());
    other.say("x\n");
    server.serve(1 + Server::kStill);
    server.serve(2 + Server::kStill);
    EXPECT_EQ(other.hear(), "<x>\n");
    EXPECT_EQ(server.clients(), Server::kMaxClients + Server::kKept);
    const auto gone = std::ranges::count_if(silent, [](const Client& client) {
        bool ended = false;
        client.hear(&ended);
        return ended;
    });
    EXPECT_EQ(gone, 1);
}

TEST(Crowd, WhoAsksNothingForLongIsLetGo) {
    const Place place;
    Server server(place.socket(), true, echo);
    const Client silent(place.socket());
    const Client asks(place.socket());
    server.serve(1);
    asks.say("x\n");
    server.serve(Server::kIdle);
    EXPECT_EQ(server.clients(), 2U);
    silent.say("x");
    server.serve(1 + Server::kIdle);
    EXPECT_EQ(server.clients(), 1U);
    bool ended = false;
    EXPECT_EQ(silent.hear(&ended), "");
    EXPECT_TRUE(ended);
    EXPECT_EQ(asks.hear(), "<x>\n");
}

/// Without root there is only one user here.
bool is_root() {
    return geteuid() == 0;
}

/// A process of another user with so many connections, which says nothing more.
peerlane::test::Child crowd_of(const fs::path& socket, uid_t user, unsigned count) {
    return peerlane::test::Child([=](int pipe) {
        if (setuid(user) != 0) { _exit(1); }
        std::list<Client> clients;
        for (unsigned i = 0; i < count; ++i) { clients.emplace_back(socket); }
        peerlane::test::say(pipe, count);
        for (;;) { pause(); }
    });
}

TEST(Crowd, RootAndTheEdgesOwnUserHaveTheirPlaces) {
    const Place place;
    Server server(place.socket(), true, echo);
    if (is_root()) {
        fs::permissions(place.directory, fs::perms::all);
        fs::permissions(place.socket(), fs::perms::all);
        const auto first = crowd_of(place.socket(), 12'345, 40);
        ASSERT_EQ(first.hear(), 40U);
        server.serve(1);
        EXPECT_EQ(server.clients(), Server::kMaxOfOne) << "one user does not keep out the next";
        const auto second = crowd_of(place.socket(), 12'346, 40);
        ASSERT_EQ(second.hear(), 40U);
        server.serve(2);
        EXPECT_EQ(server.clients(), Server::kMaxClients);
        const Client operators(place.socket());
        operators.say("x\n");
        server.serve(3);
        server.serve(4);
        EXPECT_EQ(operators.hear(), "<x>\n");
    }
    std::uint32_t uid = 0;
    std::int32_t pid = 0;
    bool may = true;
    Server reader(place.directory / "read.sock", false, [&](std::string_view, const Peer& peer) {
        uid = peer.uid;
        pid = peer.pid;
        may = peer.may_change;
        return Reply{"ok"};
    });
    const Client client(place.directory / "read.sock");
    client.say("x\n");
    reader.serve(1);
    EXPECT_EQ(uid, geteuid());
    EXPECT_EQ(pid, getpid());
    EXPECT_FALSE(may);
}

TEST(SocketFile, IsMadeAgainWhenSomebodyRemovesIt) {
    const Place place;
    Server server(place.socket(), true, echo);
    const Client before(place.socket());
    server.serve(1);
    fs::remove(place.socket());
    server.serve(kSecond);
    EXPECT_TRUE(fs::exists(place.socket()));
    struct stat found{};
    ASSERT_EQ(stat(place.socket().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0660U);
    const Client after(place.socket());
    for (const auto* client : {&before, &after}) {
        client->say("x\n");
        server.serve(kSecond + 1);
        server.serve(kSecond + 2);
        EXPECT_EQ(client->hear(), "<x>\n");
    }
}

TEST(SocketFile, LeavesAloneWhatIsNotItsOwnAndComesBackBehindIt) {
    const Place place;
    {
        Server server(place.socket(), true, echo);
        fs::remove(place.socket());
        std::ofstream(place.socket()) << "another's";
        server.serve(kSecond);
        EXPECT_TRUE(fs::is_regular_file(place.socket()));
        fs::remove(place.socket());
        server.serve(2 * kSecond);
        EXPECT_TRUE(fs::is_socket(place.socket()));
        fs::remove(place.socket());
        fs::rename(place.directory, place.directory.string() + "-away");
        server.serve(3 * kSecond);
        fs::rename(place.directory.string() + "-away", place.directory);
        server.serve(4 * kSecond);
        EXPECT_TRUE(fs::is_socket(place.socket()));
    }
    EXPECT_FALSE(fs::exists(place.socket()));
}

}  // namespace
}  // namespace peerlane::dataplane
