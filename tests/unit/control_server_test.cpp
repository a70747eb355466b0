#include "dataplane/control/server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dataplane/control/socket_address.hpp"
#include "dataplane/io/failure.hpp"
#include "tests/unit/server_case.hpp"

namespace peerlane::dataplane {
namespace {

using namespace test_server;
namespace fs = std::filesystem;

TEST(Server, AnswersALineAtATimeHoweverItArrives) {
    const Place place;
    Server server(place.socket(), true, echo);
    const Client client(place.socket());
    client.say("on");
    server.serve(1);
    EXPECT_EQ(client.hear(), "");
    client.say("e\ntwo\nthr");
    for (int i = 0; i < 3; ++i) { server.serve(2); }
    EXPECT_EQ(client.hear(), "<one>\n<two>\n");
    client.say("ee\n");
    server.serve(3);
    EXPECT_EQ(client.hear(), "<three>\n");
    EXPECT_EQ(server.clients(), 1U);
}

TEST(Server, AnswersWhoHasNothingMoreToSay) {
    const Place place;
    Server server(place.socket(), true, echo);
    const Client client(place.socket());
    client.say("one\ntwo\nrest");
    shutdown(client.file, SHUT_WR);
    for (int i = 0; i < 4; ++i) { server.serve(1); }
    bool ended = false;
    EXPECT_EQ(client.hear(&ended), "<one>\n<two>\n");
    EXPECT_TRUE(ended);
    EXPECT_EQ(server.clients(), 0U);
}

TEST(Server, DoesNotWaitAsLongAsALineIsLeft) {
    const Place place;
    Server server(place.socket(), true, echo);
    const Client client(place.socket());
    client.say("one\ntwo\n");
    server.serve(1);
    std::vector<pollfd> waiting;
    EXPECT_FALSE(server.watch(waiting)) << "else the second request would wait for a third";
    ASSERT_EQ(waiting.size(), 2U);
    server.serve(2);
    waiting.clear();
    EXPECT_TRUE(server.watch(waiting));
    EXPECT_EQ(waiting[1].events, POLLIN);
    EXPECT_EQ(client.hear(), "<one>\n<two>\n");
}

TEST(Server, RefusesALineThatIsTooLong) {
    for (const bool ends : {false, true}) {
        const Place place;
        Server server(place.socket(), true, echo);
        const Client client(place.socket());
        std::string longest(Server::kMaxLine, 'x');
        client.say(longest + '\n');
        while (client.hear().empty()) { server.serve(1); }
        client.say(longest + 'x' + (ends ? "\n" : ""));
        std::string answer;
        bool ended = false;
        while (!ended) {
            server.serve(1);
            answer += client.hear(&ended);
        }
        EXPECT_TRUE(answer.ends_with("{\"ok\":false,\"error\":\"a request is at most 65536 bytes long\"}\n")) << answer;
        EXPECT_EQ(server.clients(), 0U);
    }
}

TEST(Server, DropsWhoTakesNothingAndServesTheOthers) {
    const Place place;
    Server server(place.socket(), true, [](std::string_view request, const Peer&) {
        return Reply{std::string(request == "big" ? 8'000'000 : 1, 'y')};
    });
    const Client slow(place.socket());
    slow.say("big\n");
    const Client quick(place.socket());
    server.serve(1);
    quick.say("small\n");
    server.serve(2);
    EXPECT_EQ(quick.hear(), "y\n");
    EXPECT_EQ(server.clients(), 2U);
    server.serve(1 + Server::kPatience - 1);
    EXPECT_EQ(server.clients(), 2U);
    EXPECT_FALSE(slow.hear().empty());  // it takes some: it has time again
    server.serve(1 + Server::kPatience);
    server.serve(2 * Server::kPatience);
    EXPECT_EQ(server.clients(), 2U);
    server.serve(2 * Server::kPatience + 1);
    EXPECT_EQ(server.clients(), 1U);
    quick.say("small\n");
    server.serve(2 * Server::kPatience + 2);
    EXPECT_EQ(quick.hear(), "y\n");
}

TEST(Server, SendsALargeAnswerWhole) {
    const Place place;
    Server server(place.socket(), true,
                  [](std::string_view, const Peer&) { return Reply{std::string(8'000'000, 'z')}; });
    const Client client(place.socket());
    client.say("all\n");
    std::string answer;
    while (answer.size() < 8'000'001) {
        server.serve(1);
        answer += client.hear();
    }
    EXPECT_EQ(answer, std::string(8'000'000, 'z') + '\n');
}

TEST(Server, SurvivesAClientThatLeavesInTheMiddle) {
    const Place place;
    Server server(place.socket(), true,
                  [](std::string_view, const Peer&) { return Reply{std::string(8'000'000, 'z')}; });
    {
        const Client client(place.socket());
        client.say("all\n");
        server.serve(1);
    }
    server.serve(2);
    EXPECT_EQ(server.clients(), 0U);
}

TEST(Server, ItsFileIsPrivateAndGoesWithIt) {
    const Place place;
    {
        const Server server(place.socket(), true, echo);
        struct stat found{};
        ASSERT_EQ(stat(place.socket().c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0777U, 0660U);
    }
    EXPECT_FALSE(fs::exists(place.socket()));
}

TEST(Server, LeavesAFileThatIsNotItsOwn) {
    const Place place;
    {
        const Server server(place.socket(), true, echo);
        fs::remove(place.socket());
        std::ofstream(place.socket()) << "another's";
    }
    EXPECT_TRUE(fs::exists(place.socket()));
}

TEST(Server, ReplacesADeadEdgesSocketOnly) {
    const Place place;
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    const auto address = socket_address(place.socket());
    ASSERT_EQ(bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    close(dead);
    ASSERT_TRUE(fs::exists(place.socket()));
    Server server(place.socket(), true, echo);
    EXPECT_THROW(Server(place.socket(), true, echo), Failure);  // that one lives
    const Client client(place.socket());
    client.say("x\n");
    for (int i = 0; i < 3; ++i) { server.serve(1); }
    EXPECT_EQ(client.hear(), "<x>\n");

    const auto file = place.directory / "file";
    std::ofstream(file) << "precious";
    EXPECT_THROW(Server(file, true, echo), Failure);
    EXPECT_TRUE(fs::is_regular_file(file));
    EXPECT_THROW(Server(place.directory / std::string(200, 'n'), true, echo), Failure);
    EXPECT_THROW(Server(place.directory / "no" / "directory", true, echo), Failure);
}

}  // namespace
}  // namespace peerlane::dataplane
