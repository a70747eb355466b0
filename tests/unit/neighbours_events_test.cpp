// Which neighbours are told of when they die and come back, and in which words.
#include "dataplane/control/neighbour_events.hpp"

#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

constexpr Nanoseconds kSecond = 1000 * kMs;
const Ip6 kCustomer{0, table::mapped(kCustomer4)};
const Ip6 kGateway{0, table::mapped(kGateway4)};

class Events : public Neighbourhood {
  protected:
    /// So long, during which these answer whatever they are asked.
    void live(Nanoseconds time, bool customer, bool gateway) {
        for (const auto end = now + time; now < end;) {
            tick(25 * kMs);
            for (const auto& one : taken()) {
                if (one.port == kC0 && gateway) { arp(kCore, {false, kOther, kGateway4, kCoreMac, kCore4}); }
                if (one.port == kA0 && customer) { answer4({}); }
            }
        }
    }
    [[nodiscard]] unsigned alive_bits() const { return state.links_alive[attachment_at({})]; }
};

const std::string kOneFamily = ports() + text({.subnet = "subnet: 172.16.0.0/30"});

TEST_F(Events, WhoNeverAnswersIsToldOfOnceAndWhoAnswersFromTheFirstIsNot) {
    publish(kOneFamily);
    live(20 * kSecond, true, false);
    EXPECT_EQ(told, (std::vector<Change>{{kGateway, false, 1}}));
    EXPECT_EQ(alive_bits(), unsigned{alive::kV4 | alive::kV6});
}

TEST_F(Events, ASingleLinkIsDeadWhenItsRouterIs) {
    publish(kOneFamily);
    live(kSecond, true, true);
    ASSERT_TRUE(four().alive);
    live(60 * kSecond, false, true);
    EXPECT_EQ(alive_bits(), 0U);
    EXPECT_EQ(told, (std::vector<Change>{{kCustomer, false, 1}}));
    live(10 * kSecond, true, false);
    EXPECT_NE(alive_bits(), 0U);
    EXPECT_EQ(told, (std::vector<Change>{{kCustomer, false, 1}, {kCustomer, true, 1}}));
    live(60 * kSecond, true, false);
    EXPECT_EQ(told.back(), (Change{kGateway, false, 1}));
}

TEST_F(Events, APortThatIsDownIsNoEventOfItsNeighbours) {
    publish(kOneFamily);
    live(kSecond, true, true);
    up[kA0] = up[kC0] = false;
    live(60 * kSecond, false, false);
    EXPECT_EQ(alive_bits(), 0U);
    up[kA0] = up[kC0] = true;
    live(20 * kSecond, false, true);
    EXPECT_EQ(told, (std::vector<Change>{{kCustomer, false, 1}})) << "who did not come back with it";
}

TEST_F(Events, AReloadForgetsNothing) {
    publish(kOneFamily);
    live(kSecond, true, true);
    live(60 * kSecond, false, true);
    ASSERT_EQ(told.size(), 1U);
    publish(kOneFamily + text({.name = "fabrikam", .tags = "service_vlan: 101, "}));
    live(kSecond, false, true);
    EXPECT_EQ(told.size(), 1U);
}

TEST(Told, AFlappingStateIsToldOfInAFewLines) {
    Told told(1);
    Nanoseconds now = 5;
    EXPECT_EQ(told.look(1, now), 0U);
    unsigned lines = 0;
    unsigned changes = 0;
    for (unsigned i = 0; i < 1000; ++i, now += 100 * kMs) {
        const auto one = told.look(i % 2, now);
        lines += one == 0 ? 0U : 1U;
        changes += one;
    }
    EXPECT_LE(lines, Told::kBurst + 100 * kSecond / Told::kQuiet);
    now += Told::kQuiet;
    changes += told.look(1, now);
    EXPECT_EQ(changes, 1000U) << "none is lost";
    EXPECT_EQ(told.look(1, now + 100 * kSecond), 0U);
    for (unsigned i = 0; i < Told::kBurst; ++i) { EXPECT_EQ(told.look(i % 2, now + 200 * kSecond), 1U) << i; }
    EXPECT_EQ(told.look(0, now + 200 * kSecond), 0U);
}

/// What is logged meanwhile.
template <class Deed>
std::string logged(Deed deed) {
    testing::internal::CaptureStderr();
    deed();
    return testing::internal::GetCapturedStderr();
}

TEST_F(Events, SaysWhoAndWhereAndWhatItMeans) {
    publish(kOneFamily);
    live(kSecond, true, true);
    NeighbourEvents events;
    const auto says = [&](const Neighbours::Entry& entry, unsigned changes) {
        return logged([&] { events.changed(here(), neighbours, entry, changes, now); });
    };
    const auto& gateway = entry(kCore, kGateway);
    EXPECT_EQ(says(four(), 1),
              "peerlane: neighbour 172.16.0.1 (contoso/sea private, primary link on a0) answers again, with "
              "02:00:00:00:01:01: packets go to it again\n");
    EXPECT_EQ(says(gateway, 3),
              "peerlane: neighbour 192.0.2.254 (gateway of c0) answers again, with 02:00:00:00:02:02 (changed 3 times "
              "since it was last told): 1 tunnels send by it again\n");
    live(60 * kSecond, false, false);
    EXPECT_EQ(says(four(), 1),
              "peerlane: neighbour 172.16.0.1 (contoso/sea private, primary link on a0) does not answer: packets for "
              "it are dropped (no_neighbour) until it does\n");
    EXPECT_EQ(says(gateway, 1),
              "peerlane: neighbour 192.0.2.254 (gateway of c0) does not answer: what 1 tunnels send is dropped "
              "(no_neighbour) until it does\n");
}

TEST_F(Events, ThousandsAtOnceAreCounted) {
    publish(kOneFamily);
    live(kSecond, true, true);
    live(60 * kSecond, false, true);
    NeighbourEvents events;
    const auto text = logged([&] {
        for (unsigned i = 0; i < 4000; ++i) { events.changed(here(), neighbours, four(), 1, now); }
        events.tick(now);
    });
    EXPECT_EQ(std::ranges::count(text, '\n'), NeighbourEvents::kAtOnce + 1);
    EXPECT_TRUE(text.ends_with(
        "peerlane: 3950 more neighbours stopped answering, and 0 answer again: `show neighbours` lists them\n"))
        << text.substr(text.size() - 200);
    EXPECT_EQ(logged([&] { events.tick(now + 100 * kSecond); }), "");
}

}  // namespace
}  // namespace peerlane::dataplane::test
