// Reloads that are refused, wherever they can be: nothing of them is left, and no sequence number is sent twice.
#include <algorithm>
#include <map>

#include "dataplane/control/sa_upkeep.hpp"
#include "tests/unit/sa_upkeep_case.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;
using namespace test;

const std::string kGcm = "aes-gcm-128";
const std::string kGcmLong = "aes-gcm-256";
const std::string kChaCha = "chacha20-poly1305";
const std::string kCbcLong = "aes-cbc-256-hmac-sha256-128";

/// Where a reload is refused. `accepted` is where it is not.
enum class Refusal : std::uint8_t { reading, restart, turned, disk, late_disk, steering, accepted };
constexpr std::array kRefusals{Refusal::reading, Refusal::restart,   Refusal::turned,
                               Refusal::disk,    Refusal::late_disk, Refusal::steering};

class Refused : public Upkeep {
  protected:
    // In memory: each of many saves waits for the disk otherwise.
    Refused() : Upkeep("/dev/shm") {}

    /// Packets under every outbound SA there is; each number once, under whatever suite.
    void traffic(std::uint64_t packets) {
        for (const auto& one : snapshot().sas) {
            auto& state = run_->state.sa_states[one.slot];
            if (!one.key.outbound) {
                state.sequence += packets;
                continue;
            }
            const auto from = state.sequence;
            const auto sent = send(one, packets);
            auto& highest = sent_[one.key];
            if (sent != 0) { EXPECT_GE(from, highest) << "sent twice: lane " << one.key.number; }
            if (sent != 0) { highest = std::max(highest, from + sent); }
            EXPECT_NE(sent, 0U) << "nothing passes";
        }
    }
    /// A worker's.
    std::uint64_t send(const SaPlan& one, std::uint64_t packets) {
        auto& state = run_->state.sa_states[one.slot];
        if (state.life != 0) { ipsec::begin_life(state, run_->state.sa_faults[one.slot], now_); }
        std::uint64_t sent = std::min(packets, state.sequence_limit - std::min(state.sequence_limit, state.sequence));
        if (now_ >= state.deadline) { sent = 0; }
        state.sequence += sent;
        state.packets += sent;
        state.bytes += 100 * sent;
        return sent;
    }
    /// A reload to `tunnels` that is refused at `where`, traffic going on meanwhile; or is not.
    void reload_refused(std::vector<Tunnel> tunnels, Refusal where) {
        if (where == Refusal::turned) {
            std::erase_if(tunnels, [](const Tunnel& one) { return one.out == 200; });
            tunnels.push_back({.suite = kGcm, .out = 202, .in = 200});
        }
        write(tunnels);
        if (where == Refusal::reading) { std::ofstream(root_ / "edge.yaml", std::ios::app) << "  : [\n"; }
        if (where == Refusal::restart) { replace("name: e1,", "name: e1, idle: sleep,"); }
        const auto lock = directory_ / "lock";
        const auto in_the_way = directory_ / "sa-state.new" / "x";
        if (where == Refusal::disk) { fs::rename(lock, root_ / "lock-away"); }
        run_->admitted = [&](const Snapshot&) {
            traffic(3);
            if (where == Refusal::late_disk) { fs::create_directories(in_the_way); }
            if (where == Refusal::steering) { throw Failure("port a0", "the XDP program takes no more VLANs", ""); }
        };
        const auto before = limits();
        testing::internal::CaptureStderr();
        const bool ok = run_->configuration.reload().ok;
        testing::internal::GetCapturedStderr();
        run_->admitted = nullptr;
        if (where == Refusal::disk) { fs::rename(root_ / "lock-away", lock); }
        fs::remove_all(directory_ / "sa-state.new");
        ASSERT_EQ(ok, where == Refusal::accepted);
        if (ok) { return; }
        EXPECT_EQ(limits(), before) << "a refused reload changes no limit of what runs";
    }
    /// Packets and bytes that the SAs in use may have, by slot.
    [[nodiscard]] std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> limits() const {
        std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> all;
        for (const auto& one : snapshot().sas) {
            const auto& state = run_->state.sa_states[one.slot];
            all[one.slot] = {state.packets_limit, state.bytes_limit};
        }
        return all;
    }
    void replace(const std::string& from, const std::string& to) const {
        std::ifstream in(root_ / "edge.yaml");
        std::string text(std::istreambuf_iterator<char>(in), {});
        in.close();
        ASSERT_NE(text.find(from), std::string::npos);
        std::ofstream(root_ / "edge.yaml") << text.replace(text.find(from), from.size(), to);
    }
    void stop(bool orderly) {
        if (orderly) {
            end();
        } else {
            crash();
        }
    }

    std::map<SaKey, std::uint64_t> sent_;  // the highest number under a key and lane
};

TEST_F(Refused, NoNumberTwiceUnderAnotherSuite) {
    struct Case {
        std::string from, to;
    };
    const std::string limits = ", lifetime: { hard: { packets: 900000000, time: 9 h } }";
    for (const auto& [from, to] : {Case{kGcm, kCbc}, Case{kCbc, kGcm}, Case{kGcmLong, kCbcLong},
                                   Case{kChaCha, kCbcLong}, Case{kGcmLong, kChaCha}}) {
        for (const auto where : kRefusals) {
            for (const bool orderly : {true, false}) {
                SCOPED_TRACE(fmt::format("{} to {}, refused at {}, {}", from, to, static_cast<int>(where),
                                         orderly ? "ended" : "crashed"));
                if (orderly != (to == kCbc) && where != Refusal::disk && where != Refusal::steering) { continue; }
                directory_ = root_ / fmt::format("{}-{}-{}-{}", from, to, static_cast<int>(where), orderly);
                sent_.clear();
                const Tunnel a{.suite = from, .more = limits};
                const Tunnel b{.suite = to};
                start({a, {.suite = kGcm, .out = 200, .in = 201}});
                traffic(1'000);
                for (int round = 0; round < 2; ++round) {
                    reload_refused({b}, where);
                    traffic(700'000);
                    tick();
                    traffic(700'000);
                    tick();
                    reload_refused({b}, where);
                    traffic(10);
                    reload_refused({b}, Refusal::accepted);
                    traffic(5);
                    reload_refused({a, {.suite = kGcm, .out = 200, .in = 201}}, Refusal::accepted);
                    traffic(7);
                }
                reload_refused({b}, Refusal::accepted);
                traffic(11);
                stop(orderly);
                start({a});
                traffic(1'000'000);
                stop(orderly);
                start({b});
                traffic(1'000);
                run_.reset();
            }
        }
    }
}

TEST_F(Refused, NoNumberTwiceOnOtherLanesAndSpis) {
    for (const auto where : kRefusals) {
        for (const bool orderly : {true, false}) {
            SCOPED_TRACE(fmt::format("refused at {}, {}", static_cast<int>(where), orderly ? "ended" : "crashed"));
            directory_ = root_ / fmt::format("lanes-{}-{}", static_cast<int>(where), orderly);
            sent_.clear();
            const Tunnel other{.suite = kGcm, .out = 200, .in = 201};
            const Tunnel two{.lanes = ", spi_count: 2"};
            const Tunnel apart{.lanes = ", spi_count: 2, first_lane: 1"};
            const Tunnel cbc{.suite = kCbc, .lanes = ", spi_count: 3"};
            start({two, other});
            for (int round = 0; round < 2; ++round) {
                // As the first tunnel or the second, a key has other SPIs.
                for (const auto& next : {std::vector{other, apart}, std::vector{cbc, other}, std::vector{other, cbc},
                                         std::vector{apart, other}, std::vector{other}, std::vector{two, other}}) {
                    reload_refused(next, where);
                    traffic(600'000);
                    tick();
                    reload_refused(next, Refusal::accepted);
                    traffic(5);
                }
            }
            stop(orderly);
            start({cbc, other});
            traffic(1'000);
            run_.reset();
        }
    }
}

TEST_F(Refused, LifetimesStay) {
    const std::string loose =
        ", lifetime: { soft: { packets: 1000 }, hard: { packets: 2000, bytes: 1 MB, time: 2 h } }";
    const std::string tight = ", lifetime: { soft: { packets: 10 }, hard: { packets: 20, bytes: 2 kB, time: 60 s } }";
    for (const auto where : kRefusals) {
        directory_ = root_ / fmt::format("life-{}", static_cast<int>(where));
        sent_.clear();
        const Tunnel other{.suite = kGcm, .out = 200, .in = 201};
        start({{.more = loose}, other});
        traffic(30);
        reload_refused({{.more = tight}, other}, where);
        traffic(30);
        reload_refused({{.more = tight, .next = ", { spi: 0x7001, key: " + hex_key(kGcm, 9) + " }"}, other}, where);
        now_ += 100 * kSecond;
        traffic(30);
        tick();
        traffic(30);
        EXPECT_EQ(sa(name_of(1)).packets_limit, 2'000U);
        reload({{.more = tight}, other});
        EXPECT_EQ(sa(name_of(1)).packets_limit, 20U);
        EXPECT_EQ(sa(name_of(1)).bytes_limit, 2'000U);
        EXPECT_EQ(sa(name_of(1)).deadline, 0U) << "its time is over";
        run_.reset();
    }
}

TEST_F(Refused, NothingIsRefusedByLimitsThatAreNotInForceYet) {
    const std::string tight = ", lifetime: { hard: { packets: 20 } }";
    start({{}});
    traffic(30);
    std::uint64_t limit = 0;
    run_->admitted = [&](const Snapshot&) { limit = sa(name_of(1)).packets_limit; };
    reload({{.more = tight}});
    EXPECT_EQ(limit, ipsec::kNoLimit) << "of what runs until the new one is published";
    EXPECT_EQ(sa(name_of(1)).packets_limit, 20U);
}

TEST_F(Refused, WhatWasReceivedIsKnownUnderEveryKind) {
    const auto in = name_of(2, false, kSpiIn + 2);
    for (const auto where : kRefusals) {
        directory_ = root_ / fmt::format("in-{}", static_cast<int>(where));
        sent_.clear();
        const Tunnel other{.suite = kGcm, .out = 200, .in = 201};
        start({{}, other});
        sa(in).sequence = 1'000;
        reload_refused({{.suite = kCbc}, other}, where);
        sa(in).sequence = 5'000;
        reload({{.suite = kCbc}, other});
        EXPECT_GE(sa(in).sequence, 5'000U);
        reload({{}, other});
        EXPECT_GE(sa(in).sequence, 5'000U) << "replays of what came before pass";
        const auto& ring = run_->state.replay_rings[plan(in).slot];
        EXPECT_EQ(ipsec::check(ring, sa(in).sequence, 1'024, 4'990), ipsec::Replay::replayed);
        run_.reset();
    }
}

/// Without a state directory CBC runs; with one, counter mode goes on after it.
TEST_F(Refused, ADirectoryThatComesWithTheKind) {
    std::ofstream(root_ / "state") << "in the way";
    testing::internal::CaptureStderr();
    start({{.suite = kCbc}});
    testing::internal::GetCapturedStderr();
    traffic(5'000);
    fs::remove(root_ / "state");
    reload_refused({{}}, Refusal::steering);
    traffic(5'000);
    reload_refused({{}}, Refusal::accepted);
    traffic(5'000);
    end();
    start({{.suite = kCbc}});
    traffic(1);
}

}  // namespace
}  // namespace peerlane::dataplane
