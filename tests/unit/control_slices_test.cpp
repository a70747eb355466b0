// Answers made a few rows at a time; commands that were told a file.
#include "dataplane/control/slices.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "dataplane/control/told_file.hpp"
#include "dataplane/io/failure.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Two rows for each thing.
struct Things {
    std::size_t count = 0;
    std::uint64_t generation = 1;
    std::size_t most = 0;  // made in one slice
    std::size_t made = 0;

    Reply ask() {
        return in_slices("things", [this] { return rows(); }, [this] { return generation; });
    }
    Rows rows() {
        return {count, [this](std::size_t one, Json& list) {
                    ++made;
                    list.push_back({{"thing", one}, {"of", generation}});
                    list.push_back({{"thing", one}, {"name", "\xff"}});
                }};
    }
    /// Until it is whole; returns how many slices it took.
    unsigned finish(Reply& reply) {
        unsigned slices = 1;
        note();
        while (reply.more) {
            if (!reply.more(reply.text)) { reply.more = nullptr; }
            ++slices;
            note();
        }
        return slices;
    }
    void note() { most = std::max(most, std::exchange(made, 0)); }
};

TEST(Slices, ManyRowsTakeManyTurns) {
    Things things{4000};
    auto reply = things.ask();
    EXPECT_GE(things.finish(reply), 4000U / 64U);
    EXPECT_LE(things.most, 64U);
    const auto answer = Json::parse(reply.text);
    EXPECT_EQ(answer["ok"], true);
    ASSERT_EQ(answer["things"].size(), 8000U);
    EXPECT_EQ(answer["things"][7999], Json::parse(R"({"thing":3999,"name":"\ufffd"})"));
}

TEST(Slices, NothingAndLittleAreWholeAtOnce) {
    Things none;
    auto reply = none.ask();
    EXPECT_EQ(reply.text, R"({"ok":true,"things":[]})");
    EXPECT_FALSE(reply.more);
    Things one{1};
    EXPECT_EQ(one.ask().text, R"({"ok":true,"things":[{"thing":0,"of":1},{"thing":0,"name":")"
                              "\ufffd"
                              R"("}]})");
}

TEST(Slices, BeginAgainAfterAReload) {
    Things things{200};
    auto reply = things.ask();
    ASSERT_TRUE(reply.more);
    things.generation = 2;
    things.count = 100;
    things.finish(reply);
    const auto answer = Json::parse(reply.text);
    ASSERT_EQ(answer["things"].size(), 200U);
    EXPECT_EQ(answer["things"][0]["of"], 2) << "no row is of the snapshot that has gone";
}

TEST(Slices, DoNotBeginAgainForEver) {
    Things things{1000};
    auto reply = things.ask();
    bool more = true;
    for (unsigned i = 0; more && i < 100; ++i) {
        ++things.generation;
        more = reply.more(reply.text);
    }
    EXPECT_FALSE(more);
    EXPECT_EQ(reply.text, error_text("the configuration was reloaded several times meanwhile: ask again"));
}

TEST(ToldFile, IsTheEdgesOwnOrRefused) {
    const peerlane::test::OwnDirectory own("told");
    const auto file = own.path() / "edge.yaml";
    const auto other = own.path() / "other.yaml";
    std::ofstream(file) << "a";
    std::ofstream(other) << "a";
    fs::create_symlink(file, own.path() / "link.yaml");
    EXPECT_EQ(another_file(Json(), file), std::nullopt) << "none was told";
    EXPECT_EQ(another_file(told_file(file), file), std::nullopt);
    EXPECT_EQ(another_file(told_file(own.path() / "link.yaml"), file), std::nullopt) << "by another name";
    EXPECT_EQ(another_file(told_file(own.path() / "." / "edge.yaml"), file), std::nullopt);
    const auto refused = another_file(told_file(other), file);
    ASSERT_TRUE(refused);
    EXPECT_EQ(*refused, "this edge runs with " + file.string() + ", not " + other.string() +
                            ": name that file, or change it; `peerlane check --config` tries another one");
    for (const auto& wrong : {Json("path"), Json(7), Json::object(), Json{{"path", 3}, {"inode", -1}}}) {
        EXPECT_TRUE(another_file(wrong, file)) << wrong;
    }
    const auto told = told_file(file);
    fs::remove(file);
    EXPECT_TRUE(another_file(told, file));
    EXPECT_THROW(told_file(file), Failure);
}

}  // namespace
}  // namespace peerlane::dataplane
