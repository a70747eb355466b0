// Keys whose age is set right, and how often control looks at SAs.
#include "dataplane/control/sa_age_command.hpp"
#include "tests/unit/sa_upkeep_case.hpp"

namespace peerlane::dataplane {
namespace {

using namespace test;

constexpr Nanoseconds kHour = 3'600 * kSecond;

class SaAge : public Upkeep {
  protected:
    nlohmann::ordered_json ask(const char* request) {
        return set_sa_age(snapshot(), run_->state, run_->upkeep, now_, nlohmann::ordered_json::parse(request));
    }
    std::string refusal(const char* request) {
        const auto answer = ask(request);
        EXPECT_EQ(answer["ok"], false);
        return answer.value("error", "");
    }
};

TEST_F(SaAge, ACommandSetsItRight) {
    const std::string limit = ", lifetime: { hard: { time: 9 h } }";
    const Tunnel one{.more = limit, .lanes = ", spi_count: 2"};
    start({one, {.out = 3, .in = 4, .more = limit}});
    EXPECT_EQ(refusal(R"({"spi": 4112, "age_seconds": 60})"),
              "the key of SPI 0x1010 has not been used yet: its time begins with its first packet");
    for (const auto lane : {0U, 1U}) { EXPECT_EQ(send(name_of(1, true, lane), 1), 1U); }
    EXPECT_EQ(send(name_of(3), 1), 1U);
    now_ += 10 * kHour;
    EXPECT_EQ(send(name_of(1), 1), 0U) << "its time is over";
    const auto answer = ask(R"({"spi": 4112, "age_seconds": 3600})");
    EXPECT_EQ(answer["ok"], true);
    EXPECT_EQ(answer["was_seconds"], 36'000);
    EXPECT_EQ(answer["age_seconds"], 3'600);
    for (const auto lane : {0U, 1U}) {
        EXPECT_EQ(sa(name_of(1, true, lane)).deadline, now_ + 8 * kHour) << "of the key, in all its lanes";
        EXPECT_EQ(on_disk().at(name_of(1, true, lane)).age, kHour);
        EXPECT_EQ(send(name_of(1, true, lane), 1), 1U);
    }
    EXPECT_EQ(send(name_of(3), 1), 0U) << "another key";
    // It goes on from there, over reloads and restarts.
    now_ += kHour;
    reload({one});
    EXPECT_EQ(sa(name_of(1)).deadline, now_ + 7 * kHour);
    end();
    EXPECT_EQ(on_disk().at(name_of(1)).age, 2 * kHour);
    start({one});
    EXPECT_LE(sa(name_of(1)).deadline, now_ + 7 * kHour);
    // Older too, and never as one that was not used.
    EXPECT_EQ(ask(R"({"spi": 4113, "age_seconds": 32400})")["ok"], true);
    EXPECT_EQ(send(name_of(1), 1), 0U);
    EXPECT_EQ(ask(R"({"spi": 4113, "age_seconds": 0})")["ok"], true);
    EXPECT_EQ(on_disk().at(name_of(1)).age, 1U);
    EXPECT_EQ(send(name_of(1), 1), 1U);
}

TEST_F(SaAge, WhichOneIsSaid) {
    start({{.in = 0x1010U - kSpiIn}, {.out = 3, .in = 4}});  // the same SPI in both directions
    const auto said = refusal(R"({"spi": 4112, "age_seconds": 60})");
    EXPECT_NE(
        said.find("several SAs have SPI 0x1010: to_cloud contoso/sea/private/n1, to_customer contoso/sea/private/n1"),
        std::string::npos)
        << said;
    EXPECT_NE(refusal(R"({"spi": 9, "age_seconds": 60})").find("no SA has SPI 0x9"), std::string::npos);
    EXPECT_NE(refusal(R"({"spi": 4112})").find("are needed"), std::string::npos);
    EXPECT_NE(refusal(R"({"spi": "x", "age_seconds": 1})").find("are needed"), std::string::npos);
    EXPECT_NE(refusal(R"({"spi": 4112, "age_seconds": 99999999999999})").find("a hundred years"), std::string::npos);
    EXPECT_NE(refusal(R"({"spi": 4112, "age_seconds": 1, "tunnel": "contoso/sea/private/n2"})").find("no SA"),
              std::string::npos);
    EXPECT_EQ(send(name_of(1), 1), 1U);
    EXPECT_EQ(ask(R"({"spi": 4112, "age_seconds": 1, "direction": "to_cloud",
                      "tunnel": "contoso/sea/private/n1"})")["ok"],
              true);
}

TEST_F(SaAge, ControlLooksAtThemNoMoreOftenThanItNeeds) {
    start({{}});
    const auto key = name_of(1);
    now_ += kSecond;
    run_->upkeep.tick(snapshot());
    EXPECT_EQ(send(key, kBlock / 2), kBlock / 2);
    const auto limit = sa(key).sequence_limit;
    constexpr Nanoseconds kMillisecond = 1'000'000;
    for (int i = 0; i < SaUpkeep::kTick - 1; ++i) {
        now_ += kMillisecond;
        run_->upkeep.tick(snapshot());
        EXPECT_EQ(sa(key).sequence_limit, limit) << i;
    }
    now_ += kMillisecond;
    run_->upkeep.tick(snapshot());
    EXPECT_EQ(sa(key).sequence_limit, kBlock / 2 + kBlock);
}

TEST_F(SaAge, OneThatRunsShortFillsUpAll) {
    start({{}, {.out = 3, .in = 4}});
    EXPECT_EQ(send(name_of(3), 1'000), 1'000U);
    tick();
    EXPECT_EQ(sa(name_of(3)).sequence_limit, kBlock);
    EXPECT_EQ(send(name_of(1), kBlock / 2), kBlock / 2);
    tick();
    EXPECT_EQ(sa(name_of(3)).sequence_limit, 1'000 + kBlock) << "one save for all";
}

}  // namespace
}  // namespace peerlane::dataplane
