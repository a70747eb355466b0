// What passes between two runs, when the wall clock may be wrong.
#include "dataplane/control/elapsed.hpp"

#include <gtest/gtest.h>

#include "dataplane/control/sa_store.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace elapsed_test {

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kHour = 3'600 * kSecond;
constexpr Nanoseconds kDay = 24 * kHour;
constexpr Nanoseconds kEpoch = 20'000 * kDay;
constexpr BootId kOne{1}, kOther{2};

TEST(Elapsed, WithinOneBootTheMachineCounts) {
    const Moment saved{kEpoch, kOne, kHour};
    auto passed = elapsed(saved, {kEpoch + 40 * kDay, kOne, kHour + 40 * kDay});
    EXPECT_EQ(passed.time, 40 * kDay);
    EXPECT_FALSE(passed.by_wall);
    EXPECT_EQ(passed.event, "");
    for (const auto wall : {kEpoch + 30 * kDay, kEpoch - 30 * kDay, Nanoseconds{0}}) {
        passed = elapsed(saved, {wall, kOne, kHour + 5 * kSecond});
        EXPECT_EQ(passed.time, 5 * kSecond);
        EXPECT_NE(passed.event.find("the system's clock says"), std::string::npos) << passed.event;
        EXPECT_NE(passed.event.find("the machine's own count says 5 seconds"), std::string::npos) << passed.event;
    }
    EXPECT_EQ(elapsed(saved, {kEpoch + 9 * kSecond, kOne, kHour}).event, "") << "within what clocks may differ";
}

TEST(Elapsed, AcrossBootsTheWallClockIsBelievedForADay) {
    const Moment saved{kEpoch, kOne, 77 * kDay};
    auto passed = elapsed(saved, {kEpoch + 5 * kHour, kOther, kHour});
    EXPECT_EQ(passed.time, 5 * kHour);
    EXPECT_TRUE(passed.by_wall);
    EXPECT_EQ(passed.event, "");
    passed = elapsed(saved, {kEpoch + 30 * kDay, kOther, kHour});
    EXPECT_EQ(passed.time, kBelieved);
    EXPECT_NE(passed.event.find("the system's clock says that 30 days have passed"), std::string::npos) << passed.event;
    EXPECT_NE(passed.event.find("peerlane sa-age"), std::string::npos) << passed.event;
    // The machine has been up so long, whatever the clock says.
    EXPECT_EQ(elapsed(saved, {kEpoch + 30 * kDay, kOther, 30 * kDay}).time, 30 * kDay);
    EXPECT_EQ(elapsed(saved, {kEpoch + 30 * kDay, kOther, 30 * kDay}).event, "");
    EXPECT_EQ(elapsed(saved, {kEpoch + kSecond, kOther, kHour}).time, kHour);
    passed = elapsed(saved, {kEpoch - kDay, kOther, kHour});
    EXPECT_EQ(passed.time, kHour);
    EXPECT_NE(passed.event.find("24 hours before the time at which the state was saved"), std::string::npos)
        << passed.event;
    // Of a file that does not say by which boot it was saved.
    EXPECT_EQ(elapsed({kEpoch, {}, 0}, {kEpoch + kHour, kOther, kDay}).time, kHour);
    EXPECT_EQ(elapsed({kEpoch, {}, 0}, {kEpoch - 2 * kHour, kOther, kDay}).time, 0U);
}

class Ages : public testing::Test {
  protected:
    Clocks clocks(BootId boot) {
        return {.wall = [this] { return wall_; }, .up = [this] { return up_; }, .boot = boot};
    }
    /// Saves a key that is `age` old.
    void save(Nanoseconds age, BootId boot) {
        SaMemory memory{{SaKey{}, SaRecord{.sequence = 1, .age = age}}, {SaKey{.number = 1}, SaRecord{.sequence = 1}}};
        SaStore(directory_, clocks(boot)).save(memory);
    }
    void pass(Nanoseconds time) {
        wall_ += time;
        up_ += time;
    }

    const peerlane::test::OwnDirectory own_{"ages"};
    const std::filesystem::path directory_ = own_.path() / "state";
    Nanoseconds wall_ = kEpoch, up_ = kHour;
};

TEST_F(Ages, TimeBetweenRunsIsAge) {
    save(100, kOne);
    pass(2 * kHour);
    SaStore store(directory_, clocks(kOne));
    EXPECT_EQ(store.loaded().at({}).age, 2 * kHour + 100);
    EXPECT_EQ(store.loaded().at({.number = 1}).age, 0U) << "it was never used";
    EXPECT_EQ(store.look_at_clocks().what, "");
}

TEST_F(Ages, TheyStayAtTheEnd) {
    save(~Nanoseconds{0} - 10, kOne);
    pass(kHour);
    EXPECT_EQ(SaStore(directory_, clocks(kOne)).loaded().at({}).age, ~Nanoseconds{0});
}

TEST_F(Ages, AClockThatIsWrongAtOneStartIsRightAgainInTheSameRun) {
    save(kHour, kOne);
    wall_ += 30 * kDay;
    up_ = kSecond;  // the machine starts
    SaStore store(directory_, clocks(kOther));
    EXPECT_EQ(store.loaded().at({}).age, kHour + kBelieved);
    auto event = store.look_at_clocks();
    EXPECT_NE(event.what.find("the system's clock says that 30 days"), std::string::npos) << event.what;
    EXPECT_EQ(event.older, 0U);
    pass(kHour);
    EXPECT_EQ(store.look_at_clocks().what, "") << "said once";
    wall_ -= 30 * kDay;
    wall_ += 90 * kSecond;  // which is what has really passed
    event = store.look_at_clocks();
    EXPECT_NE(event.what.find("the system's clock was set back by 29 days"), std::string::npos) << event.what;
    EXPECT_EQ(kHour + kBelieved + event.older, kHour + 90 * kSecond);
    EXPECT_EQ(store.look_at_clocks().what, "");
    // And from right to wrong, and back.
    wall_ += 30 * kDay;
    EXPECT_EQ(store.look_at_clocks().older, kBelieved - 90 * kSecond);
    wall_ -= 30 * kDay;
    EXPECT_EQ(store.look_at_clocks().older, 90 * kSecond - kBelieved);
}

TEST_F(Ages, WithinOneBootAClockChangesNothing) {
    save(kHour, kOne);
    wall_ += 30 * kDay;
    SaStore store(directory_, clocks(kOne));
    EXPECT_EQ(store.loaded().at({}).age, kHour);
    EXPECT_NE(store.look_at_clocks().what, "");
    wall_ -= 30 * kDay;
    const auto event = store.look_at_clocks();
    EXPECT_NE(event.what.find("set back by 30 days"), std::string::npos) << event.what;
    EXPECT_EQ(event.older, 0U);
}

}  // namespace elapsed_test
}  // namespace peerlane::dataplane
