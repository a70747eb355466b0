// Neighbours: asking, confirming, giving up, holding, reloads; at every step the word that workers read.
#include "dataplane/control/neighbours.hpp"

#include "dataplane/io/local_rings.hpp"
#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

// What scapy 2.5.0 makes of the expression above each, behind
// Ether(dst=…, src='02:00:00:00:00:a0')/Dot1Q(vlan=100)/Dot1Q(vlan=10)
// dst='ff:ff:ff:ff:ff:ff' …/ARP(op='who-has', hwsrc='02:00:00:00:00:a0', psrc='172.16.0.2',
// hwdst='00:00:00:00:00:00', pdst='172.16.0.1')
constexpr const char* kAskAll4 =
    "ffffffffffff0200000000a0810000648100000a0806 0001080006040001 0200000000a0ac100002 000000000000ac100001";
// dst='02:00:00:00:01:01' …/ARP(op='who-has', …, hwdst='02:00:00:00:01:01', pdst='172.16.0.1')
constexpr const char* kAskHim4 =
    "0200000001010200000000a0810000648100000a0806 0001080006040001 0200000000a0ac100002 020000000101ac100001";
// dst='33:33:ff:00:00:01' …/IPv6(src='fd00:172::2', dst='ff02::1:ff00:1', hlim=255)/
// ICMPv6ND_NS(tgt='fd00:172::1')/ICMPv6NDOptSrcLLAddr(lladdr='02:00:00:00:00:a0')
constexpr const char* kAskAll6 =
    "3333ff0000010200000000a0810000648100000a86dd 6000000000203aff fd000172000000000000000000000002 "
    "ff0200000000000000000001ff000001 87007a1500000000 fd000172000000000000000000000001 01010200000000a0";
// dst='02:00:00:00:01:01' …/IPv6(src='fd00:172::2', dst='fd00:172::1', hlim=255)/…
constexpr const char* kAskHim6 =
    "0200000001010200000000a0810000648100000a86dd 6000000000203aff fd000172000000000000000000000002 "
    "fd000172000000000000000000000001 870079a700000000 fd000172000000000000000000000001 01010200000000a0";
// Ether(dst='ff:ff:ff:ff:ff:ff', src='02:00:00:00:00:c0')/ARP(op='who-has', hwsrc='02:00:00:00:00:c0',
// psrc='192.0.2.1', hwdst='00:00:00:00:00:00', pdst='192.0.2.254')
constexpr const char* kAskCore =
    "ffffffffffff0200000000c00806 0001080006040001 0200000000c0c0000201 000000000000c00002fe";

const Place kHere;  // contoso's

/// How often each of the three was asked, in its own words; nothing else may have been sent.
struct Asked {
    unsigned four, six, core;
    bool operator==(const Asked&) const = default;
};
void PrintTo(const Asked& asked, std::ostream* out) {
    *out << asked.four << ' ' << asked.six << ' ' << asked.core;
}

class Asking : public Neighbourhood {
  protected:
    void SetUp() override { publish(ports() + text({})); }
    Asked asked(const char* four, const char* six, const char* core = kAskCore) {
        Asked count{};
        for (const auto& one : taken()) {
            if (one == Sent{kA0, from_hex(four)}) {
                ++count.four;
            } else if (one == Sent{kA0, from_hex(six)}) {
                ++count.six;
            } else if (one == Sent{kC0, from_hex(core)}) {
                ++count.core;
            } else {
                ADD_FAILURE() << "another frame by port " << unsigned{one.port};
            }
        }
        return count;
    }
    Asked asked_all() { return asked(kAskAll4, kAskAll6); }
    Asked asked_him() { return asked(kAskHim4, kAskHim6); }
    bool answer_core(const Mac& mac = kOther) { return arp(kCore, {false, mac, kGateway4, kCoreMac, kCore4}); }
    void answer_all() {
        EXPECT_FALSE(answer4(kHere)) << "no question";
        EXPECT_FALSE(answer6(kHere));
        EXPECT_FALSE(answer_core());
    }
};

constexpr bool kKnown = true, kHolds = true, kNo = false;

TEST_F(Asking, FromTheStart) {
    EXPECT_EQ(word4(), (Neighbourhood::Word{{}, kNo, kHolds}));
    EXPECT_TRUE(taken().empty());
    tick();
    EXPECT_EQ(asked_all(), (Asked{1, 1, 1}));
    answer_all();
    EXPECT_EQ(four().state, Is::reachable);
    EXPECT_EQ(word4(), (Neighbourhood::Word{kRouter, kKnown, kNo}));
    EXPECT_EQ(word6(), (Neighbourhood::Word{kRouter, kKnown, kNo}));
    EXPECT_EQ(word(four(kCore, kGateway4).plan.word), (Neighbourhood::Word{kOther, kKnown, kNo}));
    EXPECT_EQ(four().confirmed, now);
    EXPECT_EQ(neighbours.counts(kA0).asked, 2U);
    EXPECT_EQ(neighbours.counts(kA0).learnt, 2U);
    EXPECT_EQ(neighbours.counts(kC0).learnt, 1U);
    pass(29'900 * kMs);
    EXPECT_TRUE(taken().empty()) << "not before it grows old";
}

TEST_F(Asking, AsksAgainAndGivesUp) {
    for (unsigned question = 0; question < kQuestions; ++question) {
        tick(question == 0 ? 0 : 1'000 * kMs);
        EXPECT_EQ(asked_all(), (Asked{1, 1, 1})) << question;
        tick(999 * kMs);
        EXPECT_TRUE(taken().empty()) << "not sooner than a second later";
        now -= 999 * kMs;
        EXPECT_EQ(four().state, Is::incomplete);
        EXPECT_EQ(word4(), (Neighbourhood::Word{{}, kNo, kHolds}));
    }
    neighbours.hold(four().plan.word, packets.data());
    EXPECT_EQ(four().held.size(), 1U);
    tick(1'000 * kMs);
    EXPECT_EQ(asked_all(), (Asked{1, 1, 1})) << "still asked";
    for (const auto* one : {&four(), &six()}) {
        EXPECT_EQ(one->state, Is::unreachable);
        EXPECT_EQ(word(one->plan.word), (Neighbourhood::Word{{}, kNo, kNo}));
    }
    EXPECT_EQ(released_now(), 1U);
    EXPECT_EQ(neighbours.held(), 0U);
    neighbours.hold(four().plan.word, packets.data());
    EXPECT_EQ(released_now(), 1U) << "nothing waits any more";
    // Every five seconds, for ever.
    for (int i = 0; i < 10; ++i) {
        tick(4'999 * kMs);
        EXPECT_TRUE(taken().empty());
        tick(1 * kMs);
        EXPECT_EQ(asked_all(), (Asked{1, 1, 1}));
    }
    answer_all();
    EXPECT_EQ(four().state, Is::reachable);
    EXPECT_EQ(word4(), (Neighbourhood::Word{kRouter, kKnown, kNo}));
    EXPECT_EQ(four().changes, 0U) << "it had none before";
}

TEST_F(Asking, ConfirmsFirstHimThenEverybody) {
    tick();
    answer_all();
    taken();
    const Neighbourhood::Word known{kRouter, kKnown, kNo};
    for (unsigned question = 0; question < 2 * kQuestions; ++question) {
        tick(question == 0 ? 30'000 * kMs : 1'000 * kMs);
        const auto asked = question < kQuestions ? this->asked(kAskHim4, kAskHim6,
                                                               // scapy: as kAskCore, dst and hwdst='02:00:00:00:02:02'
                                                               "0200000002020200000000c00806 0001080006040001 "
                                                               "0200000000c0c0000201 020000000202c00002fe")
                                                 : asked_all();
        EXPECT_EQ(asked, (Asked{1, 1, 1})) << question;
        EXPECT_EQ(four().state, Is::probe);
        EXPECT_EQ(word4(), known) << "used meanwhile";
        EXPECT_EQ(word6(), known);
    }
    tick(1'000 * kMs);
    EXPECT_EQ(four().state, Is::unreachable);
    EXPECT_FALSE(word4().known || word4().holds || word6().known || word6().holds);
    EXPECT_EQ(asked_all(), (Asked{1, 1, 1}));
    // Back, as somebody else.
    EXPECT_FALSE(answer4(kHere, kOther));
    EXPECT_EQ(word4(), (Neighbourhood::Word{kOther, kKnown, kNo}));
    EXPECT_EQ(four().changes, 1U);
    EXPECT_EQ(six().state, Is::unreachable) << "each family for itself";
}

TEST_F(Asking, AnAnswerAtAnyStepIsEnough) {
    tick();
    answer_all();
    for (unsigned questions = 1; questions <= 2 * kQuestions; ++questions) {
        tick(30'000 * kMs);
        for (unsigned i = 1; i < questions; ++i) { tick(1'000 * kMs); }
        ASSERT_EQ(four().state, Is::probe);
        ASSERT_EQ(four().asked, questions);
        answer_all();
        EXPECT_EQ(four().state, Is::reachable);
        EXPECT_EQ(six().state, Is::reachable);
        EXPECT_EQ(four().due, now + 30'000 * kMs);
    }
}

TEST_F(Asking, NobodyWhileThePortIsDown) {
    up[kA0] = false;
    pass(20'000 * kMs);
    const auto only_core = asked_all();
    EXPECT_EQ(only_core.four + only_core.six, 0U);
    EXPECT_GT(only_core.core, 3U);
    EXPECT_EQ(four().state, Is::incomplete);
    up[kA0] = true;
    tick();
    EXPECT_EQ(asked_all().four, 1U);
    answer_all();
    // The cable out and in again: whoever was known is asked, and used meanwhile.
    up[kA0] = false;
    tick(25 * kMs);
    EXPECT_TRUE(taken().empty());
    up[kA0] = true;
    tick(25 * kMs);
    EXPECT_EQ(asked_him(), (Asked{1, 1, 0}));
    EXPECT_TRUE(word4().known);
}

TEST_F(Asking, PacketsWait) {
    const auto index = four().plan.word;
    for (std::size_t i = 0; i < kMostHeldByOne; ++i) {
        EXPECT_TRUE(word(index).holds) << i;
        neighbours.hold(index, &packets[i]);
    }
    EXPECT_FALSE(word(index).holds) << "full";
    EXPECT_TRUE(word6().holds) << "each for itself";
    EXPECT_EQ(neighbours.held(), kMostHeldByOne);
    neighbours.hold(index, &packets[kMostHeldByOne]);  // it was on its way
    ASSERT_EQ(released.size(), 1U);
    EXPECT_EQ(released[0], &packets[kMostHeldByOne]);
    released.clear();
    answer4(kHere);
    ASSERT_EQ(released.size(), kMostHeldByOne);
    for (std::size_t i = 0; i < kMostHeldByOne; ++i) { EXPECT_EQ(released[i], &packets[i]) << "in order"; }
    EXPECT_EQ(neighbours.held(), 0U);
    EXPECT_TRUE(word(index).known);
    neighbours.hold(index, packets.data());  // it was on its way when the answer came
    EXPECT_EQ(neighbours.held(), 0U);
    neighbours.hold(neighbour::kNobody, packets.data());
    neighbours.hold(12'345, packets.data());
    EXPECT_EQ(released_now(), kMostHeldByOne + 3);
}

TEST_F(Asking, AMacUnaskedReleasesThemToo) {
    neighbours.hold(four().plan.word, packets.data());
    neighbours.hold(six().plan.word, &packets[1]);
    // Its own question, and its own solicitation.
    EXPECT_TRUE(arp(kHere, {true, kRouter, kCustomer4, {}, kEdge4}));
    EXPECT_TRUE(nd(kHere, {NdMessage::Kind::solicitation, kCustomer6, kEdge6, kEdge6, kRouter}));
    EXPECT_EQ(released_now(), 2U);
    EXPECT_TRUE(word4().known && word6().known);
}

class Many : public Neighbourhood {};

TEST_F(Many, MayHoldSoMuchTogether) {
    std::string yaml = ports();
    for (int i = 0; i < 40; ++i) { yaml += text({.name = "c" + std::to_string(i), .tags = "", .vlan = 100 + i}); }
    publish(yaml);
    const auto at = [](int i) { return Place{kA0, {{0x8100, static_cast<std::uint16_t>(100 + i)}}}; };
    std::size_t next = 0;
    for (int i = 0; i < 33; ++i) {
        for (std::size_t k = 0; k < kMostHeldByOne; ++k) { neighbours.hold(four(at(i)).plan.word, &packets[next++]); }
    }
    EXPECT_EQ(neighbours.held(), kMostHeld);
    EXPECT_EQ(released_now(), kMostHeldByOne) << "the last one's";
    EXPECT_FALSE(word4(at(32)).holds);
    EXPECT_TRUE(four(at(32)).held.empty());
    // One is answered: there is room again, and those who had none may wait from their next question on.
    answer4(at(0));
    EXPECT_EQ(neighbours.held(), kMostHeld - kMostHeldByOne);
    tick(1'000 * kMs);
    EXPECT_TRUE(word4(at(32)).holds);
    neighbours.hold(four(at(32)).plan.word, packets.data());
    EXPECT_EQ(four(at(32)).held.size(), 1U);
    neighbours.release_all();
    EXPECT_EQ(neighbours.held(), 0U);
    EXPECT_EQ(released_now(), kMostHeld - kMostHeldByOne + kMostHeldByOne + 1);
}

TEST_F(Many, AreAskedInTurnAndNoMoreThanNecessary) {
    constexpr unsigned kMany = 1'500;  // of two families each, and the gateway
    std::string yaml = ports();
    for (unsigned i = 0; i < kMany; ++i) {
        yaml += text({.name = "c" + std::to_string(i), .tags = "", .vlan = static_cast<int>(2 + i)});
    }
    publish(yaml);
    const auto count = neighbours.all().size();
    ASSERT_EQ(count, 2 * kMany + 1);
    std::size_t asked = 0;
    for (unsigned i = 0; i < 6; ++i) {
        tick(25 * kMs);
        const auto now_asked = taken().size();
        EXPECT_LE(now_asked, kQuestionsAtOnce);
        asked += now_asked;
    }
    EXPECT_EQ(asked, count) << "each once, 150 ms after the start";
    for (const auto& one : neighbours.all()) { EXPECT_EQ(one.asked, 1U); }
    tick(25 * kMs);
    EXPECT_TRUE(taken().empty());
    // In their first minute silent ones cost three questions in three seconds, then one in five.
    pass(60'000 * kMs);
    const auto more = taken().size();
    EXPECT_GE(more, count * 12);
    EXPECT_LE(more, count * 14);
}

}  // namespace
}  // namespace peerlane::dataplane::test
