#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dataplane/control/client.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

TEST(Table, RowsOfAList) {
    const auto rows = Json::parse(R"([{"circuit":"sea","packets":7,"key":null,"drops":{}},
                                      {"circuit":"portland","packets":12345,"key":0,"drops":{"no_route":2,"policed":1}}])");
    EXPECT_EQ(table(rows),
              "circuit   packets  key  drops\n"
              "sea             7  -    -\n"
              "portland    12345  0    no_route 2, policed 1\n");
}

TEST(Table, NamedRowsAndCounts) {
    EXPECT_EQ(table(Json::parse(R"({"a0":{"link":"up","up":true},"core0":{"link":"down","up":false}})")),
              "name   link  up\n"
              "a0     up    yes\n"
              "core0  down  no\n");
    EXPECT_EQ(table(Json::parse(R"({"no_route":3,"policed":12})")),
              "name      count\n"
              "no_route      3\n"
              "policed      12\n");
    EXPECT_EQ(table(Json::array()), "none\n");
}

TEST(Socket, TheOneNamedThenTheConfigurationsThenTheDefault) {
    EXPECT_EQ(target_of("/x.sock", "/y.yaml").socket, "/x.sock");
    EXPECT_EQ(target_of("", "").socket, "/run/peerlane.sock");
    const auto file =
        std::filesystem::temp_directory_path() / ("peerlane-socket-" + std::to_string(getpid()) + ".yaml");
    std::ofstream(file) << "edge: { socket: /run/of-the-file.sock, mistake: 1 }\n";
    EXPECT_EQ(target_of("", file).socket, "/run/of-the-file.sock");
    std::filesystem::remove(file);
    EXPECT_THROW(target_of("", file), std::runtime_error) << "not the default, which may be another edge's";
}

}  // namespace
}  // namespace peerlane::dataplane
