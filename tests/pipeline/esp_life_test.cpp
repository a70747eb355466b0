// The life of SAs: new keys while traffic passes, old keys that come back, limits.
#include "tests/pipeline/sealed.hpp"

namespace peerlane::test {
namespace esp_life_test {

constexpr auto kSuite = EspSuite::aes_gcm_128;
constexpr Association kOutA{kSuite, 0x1001, 1}, kInA{kSuite, 0x2001, 2};
constexpr Association kOutB{kSuite, 0x1002, 3}, kInB{kSuite, 0x2002, 4};
constexpr std::uint64_t kLast = 0xffff'ffff;

std::string text(const std::vector<Association>& out, const std::vector<Association>& in, const std::string& more = {},
                 bool esn = false) {
    return vpn_edge({.esn = esn, .outbound = out, .inbound = in, .more = more});
}
Packet up() {
    return from_contoso(up4());
}
/// ESP payload octets of up().
constexpr std::uint64_t kPayload = 20 + 8 + 128;

/// The packet went out under `sa` with this number.
void expect_number(const Output& output, const Association& sa, std::uint64_t sequence) {
    const auto got = unseal(sa, esp_in(output.frame), static_cast<std::uint32_t>(sequence >> 32U));
    ASSERT_TRUE(got) << "another key than " << sa.mark;
    EXPECT_EQ(got->spi, sa.spi);
    EXPECT_EQ(got->sequence, static_cast<std::uint32_t>(sequence));
    EXPECT_EQ(got->number(), std::uint64_t{sa.lane} << 56U | sequence);
}
/// One packet goes out like that.
void expect_next(Edge& edge, const Association& sa, std::uint64_t sequence) {
    const auto sent = edge.send("access0", {up()});
    ASSERT_EQ(sent.fate(), Fate::sent);
    expect_number(sent.out[0], sa, sequence);
}
Fate fate_up(Edge& edge) {
    return edge.send("access0", {up()}).fate();
}
Fate fate_down(Edge& edge, std::uint64_t sequence, const Association& sa = kInA) {
    return edge.send("core0", {Vpn{}.down(sequence, down4(), &sa)}).fate();
}

TEST(EspLife, NewKeysLoseNothing) {
    Edge edge(text({kOutA}, {kInA}));
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    const auto pass = [&](const Association& out, std::uint64_t& sequence) {
        for (int i = 0; i < 40; ++i) { expect_next(edge, out, ++sequence); }
    };
    pass(kOutA, a);
    for (std::uint64_t i = 1; i <= 10; ++i) { EXPECT_EQ(fate_down(edge, i), Fate::sent); }
    // First the new one is accepted, then it is used, then the old one goes.
    edge.reload(text({kOutA}, {kInA, kInB}));
    pass(kOutA, a);
    edge.reload(text({kOutB}, {kInA, kInB}));
    pass(kOutB, b);
    for (std::uint64_t i = 1; i <= 10; ++i) {
        EXPECT_EQ(fate_down(edge, 10 + i), Fate::sent) << "on its way under the old key";
        EXPECT_EQ(fate_down(edge, i, kInB), Fate::sent);
        EXPECT_EQ(fate_down(edge, i), Fate::esp_replayed) << "the window came along";
    }
    edge.reload(text({kOutB}, {kInB}));
    pass(kOutB, b);
    EXPECT_EQ(fate_down(edge, 21), Fate::esp_unknown_spi);
    EXPECT_EQ(fate_down(edge, 11, kInB), Fate::sent);
    EXPECT_EQ(edge.tunnel("prod", Link::primary, Direction::to_cloud).packets, a + b) << "the tunnel is the same";
}

TEST(EspLife, OldKeysContinueWhereTheyStopped) {
    Edge edge(text({kOutA}, {kInA}));
    for (std::uint64_t i = 1; i <= 3; ++i) { expect_next(edge, kOutA, i); }
    EXPECT_EQ(fate_down(edge, 7), Fate::sent);
    edge.reload(text({kOutB}, {kInB}));
    expect_next(edge, kOutB, 1);
    edge.reload(text({kOutA}, {kInA}));
    expect_next(edge, kOutA, 4);
    EXPECT_EQ(edge.sa(kOutA.spi).packets, 4U) << "all of its life";
    EXPECT_EQ(fate_down(edge, 7), Fate::esp_replayed);
    EXPECT_EQ(fate_down(edge, 6), Fate::esp_replayed) << "what came before it left is not known one by one";
    EXPECT_EQ(fate_down(edge, 8), Fate::sent);
    // Over clear GRE, over several generations, and with the other key once more.
    for (int i = 0; i < 4; ++i) { edge.reload(vpn_edge({.clear = true})); }
    EXPECT_TRUE(esp_in(edge.send("access0", {up()}).out.at(0).frame).empty());
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", down4())}).fate(), Fate::sent);
    EXPECT_EQ(fate_down(edge, 9), Fate::esp_unknown_spi);
    edge.reload(text({kOutB}, {kInA}));
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", down4())}).fate(), Fate::clear_refused);
    expect_next(edge, kOutB, 2);
    EXPECT_EQ(fate_down(edge, 8), Fate::esp_replayed);
    EXPECT_EQ(fate_down(edge, 9), Fate::sent);
    edge.reload(text({kOutA}, {kInB}));
    expect_next(edge, kOutA, 5);
}

TEST(EspLife, NumbersBelongToKeyAndLane) {
    Edge edge(text({kOutA}, {kInA}));
    for (std::uint64_t i = 1; i <= 3; ++i) { expect_next(edge, kOutA, i); }
    auto changed = kOutA;
    changed.spi = 0x1777;
    edge.reload(text({changed}, {kInA}));
    expect_next(edge, changed, 4);
    changed.lane = 5;
    edge.reload(text({changed}, {kInA}));
    expect_next(edge, changed, 1);
    expect_next(edge, changed, 2);
    edge.reload(text({kOutA}, {kInA}));
    expect_next(edge, kOutA, 5);
    changed.spi = 0x1778;
    edge.reload(text({changed}, {kInA}));
    expect_next(edge, changed, 3);
    // What is received goes by key and SPI.
    EXPECT_EQ(fate_down(edge, 1), Fate::sent);
    auto moved = kInA;
    moved.spi = 0x2777;
    edge.reload(text({changed}, {moved}));
    EXPECT_EQ(fate_down(edge, 1, moved), Fate::sent);
    // The same key with mode and ESN changed: still the same numbers.
    auto esn = changed;
    esn.esn = true;
    edge.reload(text({esn}, {kInA}, {}, true));
    const auto sent = edge.send("access0", {up()});
    expect_number(sent.out.at(0), esn, 4);
}

TEST(EspLife, SoftLimitsGoOverToTheNext) {
    for (const std::string limit : {"packets: 3", "bytes: 468 B", "time: 60 s"}) {
        SCOPED_TRACE(limit);
        ASSERT_EQ(3 * kPayload, 468U);
        Edge edge(text({kOutA, kOutB}, {kInA}, ", lifetime: { soft: { " + limit + " } }"));
        for (std::uint64_t i = 1; i <= 3; ++i) { expect_next(edge, kOutA, i); }
        edge.now += 60'000'000'000;
        for (std::uint64_t i = 1; i <= 40; ++i) { expect_next(edge, kOutB, i); }
        EXPECT_EQ(edge.sa(kOutB.spi).sequence, 40U) << "the last one has no soft limit to obey";
    }
    // In the middle of a burst.
    Edge edge(text({kOutA, kOutB}, {kInA}, ", lifetime: { soft: { packets: 10 }, hard: { packets: 15 } }"));
    const auto sent = edge.send("access0", std::vector<Packet>(32, up()));
    ASSERT_EQ(sent.out.size(), 25U);
    for (std::uint64_t i = 0; i < 10; ++i) { expect_number(sent.out[i], kOutA, i + 1); }
    for (std::uint64_t i = 10; i < 25; ++i) { expect_number(sent.out[i], kOutB, i - 9); }
    EXPECT_EQ(edge.drops(Fate::sa_expired), 7U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_cloud).dropped(Fate::sa_expired), 7U);
    EXPECT_EQ(edge.sa(kOutA.spi).state, "replaced");
    EXPECT_EQ(edge.sa(kOutB.spi).state, "expired");
    EXPECT_EQ(edge.sa(kOutB.spi).expired, 7U);
}

TEST(EspLife, HardLimitsAreExact) {
    const auto limited = [](const std::string& limit) {
        return text({kOutA}, {kInA}, ", lifetime: { hard: { " + limit + " } }");
    };
    {
        Edge edge(limited("packets: 5"));
        for (std::uint64_t i = 1; i <= 5; ++i) {
            EXPECT_EQ(fate_up(edge), Fate::sent);
            EXPECT_EQ(fate_down(edge, i), Fate::sent);
        }
        EXPECT_EQ(fate_up(edge), Fate::sa_expired);
        EXPECT_EQ(fate_down(edge, 6), Fate::sa_expired);
        edge.reload(text({kOutA}, {kInA}));
        expect_next(edge, kOutA, 6);
        edge.reload(limited("packets: 5"));
        EXPECT_EQ(fate_up(edge), Fate::sa_expired) << "a reload does not make it young";
    }
    for (const unsigned less : {0U, 1U}) {
        Edge edge(limited("bytes: " + std::to_string(3 * kPayload - less) + " B"));
        for (std::uint64_t i = 1; i <= 3 - less; ++i) {
            EXPECT_EQ(fate_up(edge), Fate::sent);
            EXPECT_EQ(fate_down(edge, i), Fate::sent);
        }
        EXPECT_EQ(fate_up(edge), Fate::sa_expired);
        EXPECT_EQ(fate_down(edge, 4), Fate::sa_expired);
        if (less == 0) { continue; }
        const auto smaller = Packet().ip4("10.0.0.1", "10.100.0.1").udp().payload(99);
        EXPECT_EQ(edge.send("access0", {from_contoso(smaller)}).fate(), Fate::sent) << "to the last octet";
        EXPECT_EQ(edge.sa(kOutA.spi).bytes, 3 * kPayload - 1);
    }
    {
        Edge edge(limited("time: 60 s"));
        edge.now += 1'000'000'000'000;
        EXPECT_EQ(fate_up(edge), Fate::sent) << "its time begins with its first packet";
        EXPECT_EQ(fate_down(edge, 3), Fate::sent);
        edge.now += 59'999'999'999;
        EXPECT_EQ(fate_up(edge), Fate::sent);
        EXPECT_EQ(fate_down(edge, 1), Fate::sent);
        edge.reload(limited("time: 60 s"));
        EXPECT_EQ(fate_up(edge), Fate::sent);
        edge.now += 1;
        EXPECT_EQ(fate_up(edge), Fate::sa_expired);
        EXPECT_EQ(fate_down(edge, 2), Fate::sa_expired);
        edge.reload(text({kOutB}, {kInB}, ", lifetime: { hard: { time: 60 s } }"));
        expect_next(edge, kOutB, 1);
        edge.reload(limited("time: 60 s"));
        EXPECT_EQ(fate_up(edge), Fate::sa_expired) << "years go on while a key is away";
    }
}

TEST(EspLife, ANextSaHasItsWholeTime) {
    Edge edge(text({kOutA, kOutB}, {kInA}, ", lifetime: { soft: { time: 50 s }, hard: { time: 60 s } }"));
    EXPECT_EQ(fate_up(edge), Fate::sent);
    edge.now += 50'000'000'000;
    expect_next(edge, kOutB, 1);
    edge.now += 59'999'999'999;
    expect_next(edge, kOutB, 2);
    edge.now += 1;
    EXPECT_EQ(fate_up(edge), Fate::sa_expired);
}

TEST(EspLife, LimitsOfOneBurst) {
    Edge edge(text({kOutA}, {kInA}, ", lifetime: { hard: { packets: 5 } }"));
    const auto sent = edge.send("access0", std::vector<Packet>(9, up()));
    EXPECT_EQ(sent.out.size(), 5U);
    std::vector<Packet> down;
    for (std::uint64_t i = 1; i <= 9; ++i) { down.push_back(Vpn{}.down(i, down4(), &kInA)); }
    EXPECT_EQ(edge.send("core0", down).out.size(), 5U);
    EXPECT_EQ(edge.drops(Fate::sa_expired), 8U);
}

TEST(EspLife, TheLastNumberIsTheLast) {
    {
        Edge edge(text({kOutA}, {kInA}),
                  {{kOutA.out(), {.sequence = kLast - 2}}, {kInA.in(), {.sequence = kLast - 2}}});
        expect_next(edge, kOutA, kLast - 1);
        expect_next(edge, kOutA, kLast);
        for (int i = 0; i < 3; ++i) { EXPECT_EQ(fate_up(edge), Fate::sequence_exhausted); }
        EXPECT_EQ(edge.sa(kOutA.spi).state, "exhausted");
        EXPECT_EQ(edge.sa(kOutA.spi).sequence, kLast);
        EXPECT_EQ(fate_down(edge, kLast), Fate::sent);
        EXPECT_EQ(fate_down(edge, 1), Fate::esp_late);
        edge.reload(text({kOutB}, {kInB}));
        edge.reload(text({kOutA}, {kInA}));
        EXPECT_EQ(fate_up(edge), Fate::sequence_exhausted);
    }
    {
        Edge edge(text({kOutA, kOutB}, {kInA}), {{kOutA.out(), {.sequence = kLast}}});
        expect_next(edge, kOutB, 1);
    }
    auto out = kOutA;
    out.esn = true;
    out.lane = 255;
    constexpr std::uint64_t kLastEsn = (std::uint64_t{1} << 56U) - 1;
    Edge edge(text({out}, {kInA}, {}, true), {{out.out(), {.sequence = kLastEsn - 1}}});
    expect_next(edge, out, kLastEsn);
    EXPECT_EQ(fate_up(edge), Fate::sequence_exhausted) << "the counter would run into the lane";
}

TEST(EspLife, AnOtherRunsNumbersAreNotUsedAgain) {
    // A crash: what was reserved counts as used.
    Edge edge(text({kOutA}, {kInA}), {{kOutA.out(), {.sequence = 1'000'000, .packets = 7, .bytes = 70}},
                                      {kInA.in(), {.sequence = 5'000, .packets = 9}}});
    expect_next(edge, kOutA, 1'000'001);
    EXPECT_EQ(edge.sa(kOutA.spi).packets, 8U);
    EXPECT_EQ(edge.sa(kOutA.spi).bytes, 70 + kPayload);
    for (const std::uint64_t old : {1ULL, 3'976ULL, 3'977ULL, 4'999ULL, 5'000ULL}) {
        const auto fate = fate_down(edge, old);
        EXPECT_TRUE(fate == Fate::esp_late || fate == Fate::esp_replayed) << old;
    }
    EXPECT_EQ(fate_down(edge, 5'001), Fate::sent);
    EXPECT_EQ(edge.sa(kInA.spi).lost, 0U);
    // Nothing is sent that is not reserved, nor does anything else of the tunnel get out.
    Edge held(text({kOutA}, {kInA}), {{kOutA.out(), {.sequence = 1'000'000}}}, true);
    EXPECT_EQ(fate_up(held), Fate::sequence_not_reserved);
    EXPECT_EQ(fate_down(held, 1), Fate::sent);
    EXPECT_EQ(held.sa(kOutA.spi).sequence, 1'000'000U);
}

}  // namespace esp_life_test
}  // namespace peerlane::test
