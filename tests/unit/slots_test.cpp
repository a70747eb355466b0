// Slot numbers across generations of the configuration.
#include "dataplane/tables/slots.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace peerlane::dataplane {
namespace {

TEST(Slots, WhatStaysKeepsItsSlot) {
    Slots slots(10);
    slots.begin();
    const auto a = slots.take("a");
    const auto b = slots.take("b");
    EXPECT_TRUE(a.fresh && b.fresh);
    EXPECT_NE(a.slot, b.slot);
    slots.commit();
    slots.begin();
    EXPECT_EQ(slots.take("b").slot, b.slot);
    EXPECT_FALSE(slots.take("b").fresh);
    EXPECT_FALSE(slots.take("a").fresh);
    slots.commit();
    EXPECT_EQ(slots.end(), 2U);
}

TEST(Slots, NotReusedWhileAnOlderSnapshotMayNameIt) {
    Slots slots(10);
    slots.begin();
    const auto old = slots.take("gone").slot;
    slots.commit();
    slots.begin();
    slots.take("new");
    slots.commit();  // "gone" is let go here
    slots.begin();
    EXPECT_NE(slots.take("next").slot, old);
    slots.take("new");
    slots.commit();
    slots.begin();
    EXPECT_EQ(slots.take("later").slot, old);
}

TEST(Slots, AnAbandonedGenerationTakesNothingAway) {
    Slots slots(10);
    slots.begin();
    const auto a = slots.take("a").slot;
    slots.commit();
    slots.begin();  // a compilation that fails, without "a"
    slots.take("b");
    slots.begin();
    EXPECT_EQ(slots.take("a").slot, a);
    EXPECT_FALSE(slots.take("a").fresh);
    slots.commit();
}

TEST(Slots, WhatAnAbandonedGenerationTookIsFreshAndFree) {
    Slots slots(3);
    slots.begin();
    const auto a = slots.take("a").slot;
    slots.commit();
    for (int i = 0; i < 5; ++i) {
        slots.begin();
        EXPECT_FALSE(slots.take("a").fresh);
        EXPECT_TRUE(slots.take("b").fresh) << "nobody has used it";
        EXPECT_TRUE(slots.take("b").fresh);
        EXPECT_FALSE(slots.find("c"));
        slots.take(i % 2 == 0 ? "c" : "d");
        EXPECT_THROW(slots.take("e"), std::length_error);
    }
    slots.begin();
    EXPECT_FALSE(slots.find("b"));
    EXPECT_EQ(slots.take("a").slot, a);
    EXPECT_TRUE(slots.take("e").fresh);
    EXPECT_TRUE(slots.take("f").fresh);
    slots.commit();
    EXPECT_EQ(slots.end(), 3U);
    // Nor does one that is abandoned count for the time that a slot waits.
    slots.begin();
    slots.take("a");
    slots.commit();
    for (int i = 0; i < 5; ++i) {
        slots.begin();
        slots.take("a");
        EXPECT_THROW(slots.take("g"), std::length_error);
    }
}

TEST(Slots, FullSaysSo) {
    Slots slots(2);
    slots.begin();
    slots.take("a");
    slots.take("b");
    slots.take("a");
    EXPECT_THROW(slots.take("c"), std::length_error);
}

TEST(Slots, NeverTwoWithTheSameSlot) {
    std::mt19937 random(5);
    Slots slots(64);
    std::map<std::string, std::uint32_t> before;
    std::set<std::uint32_t> previous;
    for (int generation = 0; generation < 2000; ++generation) {
        slots.begin();
        std::map<std::string, std::uint32_t> now;
        std::set<std::uint32_t> used;
        for (int i = 0; i < 12; ++i) {
            const std::string name = "n" + std::to_string(random() % 24);
            const auto [slot, fresh] = slots.take(name);
            if (now.contains(name)) { continue; }
            EXPECT_TRUE(used.insert(slot).second);
            EXPECT_EQ(fresh, !before.contains(name));
            if (before.contains(name)) {
                EXPECT_EQ(slot, before[name]);
            } else {
                EXPECT_FALSE(previous.contains(slot)) << "the snapshot before still names it";
            }
            now[name] = slot;
        }
        slots.commit();
        before = std::move(now);
        previous = std::move(used);
    }
    EXPECT_LE(slots.end(), 64U);
}

}  // namespace
}  // namespace peerlane::dataplane
