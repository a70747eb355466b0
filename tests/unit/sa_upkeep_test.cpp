// Sequence numbers ahead of the workers, and keys across reloads and runs.
#include "dataplane/control/sa_upkeep.hpp"

#include "tests/unit/sa_upkeep_case.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using namespace test;

TEST_F(Upkeep, ReservedBeforeItIsSent) {
    start({{}});
    const auto key = name_of(1);
    EXPECT_EQ(on_disk().at(key).sequence, kBlock);
    EXPECT_EQ(sa(key).sequence_limit, kBlock);
    EXPECT_EQ(sa(key).sequence, 0U);
    EXPECT_EQ(send(key, kBlock / 4), kBlock / 4);
    tick();
    EXPECT_EQ(sa(key).sequence_limit, kBlock) << "three quarters are left";
    EXPECT_EQ(send(key, 1), 1U);
    tick();
    EXPECT_EQ(sa(key).sequence_limit, kBlock / 4 + 1 + kBlock);
    EXPECT_EQ(on_disk().at(key).sequence, sa(key).sequence_limit);
    EXPECT_EQ(send(key, 3 * kBlock), kBlock) << "no further than that";
    EXPECT_EQ(send(key, 1), 0U);
}

TEST_F(Upkeep, FurtherAheadUnderLoad) {
    start({{}});
    const auto key = name_of(1);
    std::uint64_t before = 0;
    for (int i = 0; i < 8; ++i) {
        const auto sent = send(key, ~std::uint64_t{0});
        EXPECT_GE(sent, before) << i;
        before = sent;
        tick();
    }
    EXPECT_EQ(before, std::uint64_t{1} << 27U);
    // ESN or not, the last number is the last.
    for (int i = 0; i < 40; ++i) {
        send(key, ~std::uint64_t{0});
        tick();
    }
    EXPECT_EQ(sa(key).sequence, 0xffff'ffffU);
    EXPECT_EQ(on_disk().at(key).sequence, 0xffff'ffffU);
}

TEST_F(Upkeep, ACrashContinuesBehindWhatWasReserved) {
    start({{}});
    const auto key = name_of(1);
    std::uint64_t highest = 0;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        EXPECT_EQ(send(key, 10), 10U);
        if (i == 3) { tick(); }
        highest = sa(key).sequence;
        crash();
        start({{}});
        EXPECT_EQ(sa(key).sequence, i * kBlock);
        EXPECT_GT(sa(key).sequence, highest);
    }
    // Also where only some of it was known to be used.
    send(key, kBlock / 2 + 7);
    tick();
    const auto reserved = sa(key).sequence_limit;
    send(key, 1'000);
    crash();
    start({{}});
    EXPECT_EQ(sa(key).sequence, reserved);
}

TEST_F(Upkeep, AnOrderlyEndContinuesExactly) {
    start({{.lanes = ", spi_count: 2, first_lane: 3"}});
    EXPECT_EQ(send(name_of(1, true, 3), 10), 10U);
    EXPECT_EQ(send(name_of(1, true, 4), 20), 20U);
    end();
    EXPECT_EQ(on_disk().at(name_of(1, true, 3)), (SaRecord{10, 10, 1'000, 0}));
    start({{.lanes = ", spi_count: 2, first_lane: 3"}});
    EXPECT_EQ(sa(name_of(1, true, 3)).sequence, 10U);
    EXPECT_EQ(sa(name_of(1, true, 3)).packets, 10U);
    EXPECT_EQ(sa(name_of(1, true, 3)).bytes, 1'000U);
    EXPECT_EQ(sa(name_of(1, true, 4)).sequence, 20U);
    // Nothing was sent in this run: an end takes nothing back that was another's.
    end();
    start({{.lanes = ", spi_count: 2, first_lane: 4"}});
    EXPECT_EQ(sa(name_of(1, true, 4)).sequence, 20U);
    EXPECT_EQ(sa(name_of(1, true, 5)).sequence, 0U);
}

TEST_F(Upkeep, WithoutADirectory) {
    std::ofstream(root_ / "state") << "in the way";
    EXPECT_THROW(start({{}}), Failure);
    EXPECT_THROW(start({{.suite = kCbc}, {.out = 3, .in = 4}}), Failure);
    testing::internal::CaptureStderr();
    start({{.suite = kCbc}});
    EXPECT_NE(testing::internal::GetCapturedStderr().find("only CBC is in use"), std::string::npos);
    const auto key = name_of(1, true, 0, kCbc);
    EXPECT_EQ(send(key, 100), 100U);
    EXPECT_EQ(sa(key).sequence_limit, 0xffff'ffffU);
    tick();
    EXPECT_EQ(send(key, 100), 100U);
    // Counter mode cannot come in either; what runs goes on.
    write({{.suite = kCbc}, {.out = 3, .in = 4}});
    EXPECT_FALSE(run_->configuration.reload().ok);
    EXPECT_EQ(send(key, 100), 100U);
    end();
}

TEST_F(Upkeep, ADirectoryThatComesLater) {
    const Tunnel stays{.suite = kCbc};
    const Tunnel leaves{.suite = kCbc, .out = 7, .in = 8};
    const Tunnel comes{.out = 3, .in = 4};
    const auto cbc = name_of(1, true, 0, kCbc);
    const auto cbc_in = name_of(2, false, kSpiIn + 2, kCbc);
    const auto gone = name_of(7, true, 0, kCbc);
    for (const bool early : {true, false}) {
        directory_ = root_ / (early ? "early" : "late");
        start({stays, leaves});
        send(cbc, 1'000);
        send(gone, 2'000);
        sa(cbc_in).sequence = 5'000;
        end();
        fs::rename(directory_, root_ / "away");
        std::ofstream(directory_) << "in the way";
        start({stays, leaves});
        EXPECT_EQ(sa(cbc).sequence, 0U);
        send(cbc, 10);
        send(gone, 10);
        reload({stays});
        fs::remove(directory_);
        fs::rename(root_ / "away", directory_);
        // The file knows more of these keys than this run.
        reload({stays, comes});
        EXPECT_EQ(send(name_of(3), 5), 5U);
        EXPECT_GE(on_disk().at(cbc).sequence, 1'000U);
        EXPECT_EQ(on_disk().at(gone).sequence, 2'000U);
        EXPECT_EQ(on_disk().at(cbc_in).sequence, 5'000U);
        if (early) {
            end();
            EXPECT_EQ(on_disk().at(name_of(3)).sequence, 5U) << "the end was saved";
            continue;
        }
        now_ += 6 * kSecond;
        tick();
        reload({comes});
        EXPECT_EQ(send(name_of(3), 5), 5U);
        now_ += 6 * kSecond;
        tick();
        reload({comes, stays});
        end();
        EXPECT_EQ(on_disk().at(name_of(3)).sequence, 10U) << "the end was saved";
        EXPECT_GE(on_disk().at(cbc).sequence, 1'000U);
    }
}

TEST_F(Upkeep, WhatIsNotSavedIsNotSent) {
    start({{}});
    const auto key = name_of(1);
    fs::rename(directory_ / "lock", directory_ / "lock-away");
    EXPECT_EQ(send(key, kBlock - 1'000), kBlock - 1'000);
    testing::internal::CaptureStderr();
    for (int i = 0; i < 3; ++i) { tick(); }
    const auto told = testing::internal::GetCapturedStderr();
    EXPECT_NE(told.find("sequence_not_reserved"), std::string::npos);
    EXPECT_EQ(told.find("sequence_not_reserved"), told.rfind("sequence_not_reserved")) << "once";
    EXPECT_EQ(send(key, 2'000), 1'000U);
    tick();
    EXPECT_EQ(send(key, 1), 0U);
    write({{.out = 3, .in = 4}});
    EXPECT_FALSE(run_->configuration.reload().ok) << "nor can another key come in";
    EXPECT_EQ(snapshot().sas.at(0).key, key);
    fs::rename(directory_ / "lock-away", directory_ / "lock");
    tick();
    EXPECT_GE(send(key, 1'000), 1'000U);
    reload({{.out = 3, .in = 4}});
    EXPECT_EQ(send(name_of(3), 1), 1U);
}

TEST_F(Upkeep, AFaultOfOursReservesNothing) {
    start({{}});
    reload({{.out = 3, .in = 4}});
    run_->state.sa_memory.erase(name_of(1));
    EXPECT_EQ(send(name_of(3), kBlock), kBlock);
    EXPECT_NO_THROW(tick());
    EXPECT_EQ(send(name_of(3), 1), 0U);
    EXPECT_TRUE(on_disk().contains(name_of(1)));
}

TEST_F(Upkeep, KeysThatComeBack) {
    const Tunnel a{};
    const Tunnel b{.out = 3, .in = 4};
    const auto key = name_of(1);
    start({a});
    EXPECT_EQ(send(key, 10), 10U);
    sa(name_of(2, false, kSpiIn + 2)).sequence = 77;
    reload({b});
    EXPECT_EQ(send(name_of(3), 4), 4U);
    reload({a});
    EXPECT_EQ(sa(key).sequence, 10U) << "what was reserved and not used is not lost";
    EXPECT_EQ(send(key, 5), 5U);
    // On another tunnel it is the same key.
    reload({{.out = 5, .in = 6}, a});
    EXPECT_EQ(sa(key).sequence, 15U);
    EXPECT_EQ(send(key, 5), 5U);
    reload({b});
    crash();
    start({b});
    reload({a});
    EXPECT_GE(sa(key).sequence, 20U) << "also when it was away during a crash";
    EXPECT_EQ(sa(name_of(2, false, kSpiIn + 2)).sequence, 77U);
    EXPECT_EQ(on_disk().size(), 6U) << "nothing is ever taken out";
}

TEST_F(Upkeep, WhatWasReceivedBeforeARestart) {
    const auto in = name_of(2, false, kSpiIn + 2);
    constexpr std::uint32_t kWindow = 1'024;
    for (const bool orderly : {true, false}) {
        start({{}});
        auto& ring = run_->state.replay_rings[plan(in).slot];
        const auto base = sa(in).sequence;
        for (std::uint64_t i = base + 1; i <= base + 500; ++i) {
            EXPECT_EQ(ipsec::commit(ring, sa(in).sequence, kWindow, i), ipsec::Replay::fresh);
        }
        now_ += 6 * kSecond;
        tick();
        if (orderly) {
            end();
        } else {
            crash();
        }
        start({{}});
        EXPECT_EQ(sa(in).sequence, base + 500);
        const auto& restored = run_->state.replay_rings[plan(in).slot];
        for (std::uint64_t i = 0; i <= base + 500; ++i) {
            EXPECT_NE(ipsec::check(restored, sa(in).sequence, kWindow, i), ipsec::Replay::fresh) << i;
        }
        EXPECT_EQ(ipsec::check(restored, sa(in).sequence, kWindow, base + 501), ipsec::Replay::fresh);
        crash();
    }
}

TEST_F(Upkeep, LimitsAreToldOnce) {
    start({{.more = ", lifetime: { soft: { packets: 10 }, hard: { packets: 20 } }"},
           {.out = 3, .in = 4, .more = ", lifetime: { soft: { time: 60 s }, hard: { time: 100 s } }"}});
    const auto told = [&] {
        testing::internal::CaptureStderr();
        for (int i = 0; i < 3; ++i) { tick(); }
        return testing::internal::GetCapturedStderr();
    };
    const auto count = [](const std::string& text, std::string_view what) {
        std::size_t found = 0;
        for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) { ++found; }
        return found;
    };
    EXPECT_EQ(told(), "");
    EXPECT_EQ(send(name_of(1), 9), 9U);
    EXPECT_EQ(told(), "");
    EXPECT_EQ(send(name_of(1), 1), 1U);
    auto text = told();
    EXPECT_EQ(count(text, "the soft limit of 10 packets is reached: new keys are due"), 1U) << text;
    EXPECT_EQ(count(text, "\n"), 1U) << text;
    EXPECT_EQ(send(name_of(1), 20), 10U);
    text = told();
    EXPECT_EQ(count(text, "the hard limit of 20 packets is reached"), 1U) << text;
    EXPECT_EQ(count(text, "\n"), 1U) << text;
    const auto other = name_of(4, false, kSpiIn + 4);
    EXPECT_EQ(send(name_of(3), 1), 1U);
    EXPECT_EQ(send(other, 1), 1U);
    now_ += 60 * kSecond;
    text = told();
    EXPECT_EQ(count(text, "the soft limit of 60 seconds is reached"), 2U) << "out and in: " << text;
    EXPECT_EQ(send(name_of(3), 1), 1U);
    now_ += 40 * kSecond;
    EXPECT_EQ(send(name_of(3), 1), 0U);
    text = told();
    EXPECT_EQ(count(text, "the hard limit of 100 seconds is reached"), 2U) << text;
    EXPECT_EQ(text.find(hex_key("aes-gcm-128", 3).substr(1, 8)), std::string::npos);
}

TEST_F(Upkeep, ASoftLimitWithANext) {
    start({{.more = ", lifetime: { soft: { packets: 10 }, hard: { packets: 20 } }",
            .next = ", { spi: 0x7001, key: " + hex_key("aes-gcm-128", 9) + " }"}});
    EXPECT_EQ(send(name_of(1), 100), 10U) << "then it is the other's turn";
    EXPECT_EQ(send(name_of(9), 100), 20U);
    testing::internal::CaptureStderr();
    tick();
    const auto text = testing::internal::GetCapturedStderr();
    EXPECT_NE(text.find("10 packets is reached: the next SA is used"), std::string::npos) << text;
}

TEST_F(Upkeep, AKeyDoesNotTurnRound) {
    start({{.out = 1, .in = 2}});
    write({{.out = 2, .in = 1}});
    const auto applied = configuration().reload();
    ASSERT_FALSE(applied.ok);
    EXPECT_NE(applied.findings.back().what.find("nonces would be used twice"), std::string::npos);
    EXPECT_NE(applied.findings.back().remedy.find("new key"), std::string::npos);
    end();
    EXPECT_THROW(start({{.out = 2, .in = 1}}), Failure);
    // Nor after it was away for a while.
    start({{.out = 3, .in = 4}});
    EXPECT_FALSE(turned({{.out = 2, .in = 5}}));
    EXPECT_TRUE(turned({{.out = 1, .in = 2}}));
    const std::string cbc = "aes-cbc-128-hmac-sha256-128";
    EXPECT_TRUE(turned({{.suite = cbc, .out = 6, .in = 7}}));
    EXPECT_TRUE(turned({{.suite = cbc, .out = 7, .in = 6}})) << "CBC has no nonce to use twice";
}

TEST_F(Upkeep, KeysGrowOlder) {
    const std::string limit = ", lifetime: { hard: { time: 100 s } }";
    const Tunnel a{.more = limit};
    const Tunnel b{.out = 3, .in = 4, .more = limit};
    const auto key = name_of(1);
    start({a});
    now_ += 500 * kSecond;
    reload({a});
    EXPECT_EQ(sa(key).deadline, 0U) << "its time begins with its first packet";
    EXPECT_EQ(send(key, 1), 1U);
    EXPECT_EQ(sa(key).deadline, now_ + 100 * kSecond);
    now_ += 30 * kSecond;
    reload({a});
    EXPECT_EQ(sa(key).deadline, now_ + 70 * kSecond);
    // While it is away too.
    reload({b});
    now_ += 20 * kSecond;
    tick();
    now_ += 10 * kSecond;
    reload({a});
    EXPECT_EQ(sa(key).deadline, now_ + 40 * kSecond);
    reload({b});
    now_ += 5 * kSecond;
    // Over a restart, with what passed between them by the wall clock; the edge's own begins anew.
    const auto before = wall_clock();
    end();
    EXPECT_EQ(on_disk().at(key).age, 65 * kSecond);
    now_ = kSecond;
    start({a});
    const auto between = wall_clock() - before;
    EXPECT_LE(sa(key).deadline, now_ + 35 * kSecond);
    EXPECT_GE(sa(key).deadline + between, now_ + 35 * kSecond);
    now_ += 35 * kSecond;
    EXPECT_EQ(send(key, 1), 0U);
    reload({a});
    EXPECT_EQ(sa(key).deadline, 0U);
    EXPECT_EQ(send(key, 1), 0U);
}

}  // namespace
}  // namespace peerlane::dataplane
