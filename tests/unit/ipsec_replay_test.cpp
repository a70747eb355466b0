// The anti-replay window against a model that remembers every sequence number it has seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "lib/ipsec/replay_window.hpp"

namespace peerlane::ipsec {
namespace {

constexpr std::uint64_t kSeed = 6'479;
__extension__ using Wide = __int128;
constexpr std::uint64_t kEpoch = std::uint64_t{1} << 32U;
constexpr std::uint32_t kWindows[] = {64, 65, 100, 127, 128, 1'000, 1'024, 4'095, 4'096, 8'191, 8'192};

/// RFC 4303 §3.4.3 word for word.
struct Model {
    std::uint32_t window;
    std::uint64_t top = 0;
    std::set<std::uint64_t> seen{};

    [[nodiscard]] Replay check(std::uint64_t sequence) const {
        if (sequence == 0 || Wide{sequence} <= Wide{top} - window) { return Replay::late; }
        return seen.contains(sequence) ? Replay::replayed : Replay::fresh;
    }
    Replay commit(std::uint64_t sequence) {
        const auto answer = check(sequence);
        if (answer == Replay::fresh) {
            seen.insert(sequence);
            top = std::max(top, sequence);
        }
        return answer;
    }
    [[nodiscard]] std::uint64_t lost(std::uint64_t base) const {
        std::uint64_t count = 0;
        for (auto i = base + 1; Wide{i} <= Wide{top} - window; ++i) { count += seen.contains(i) ? 0 : 1; }
        return count;
    }
};

struct Counts {
    std::uint64_t fresh = 0, replayed = 0, late = 0;
    void count(Replay answer) { (answer == Replay::fresh ? fresh : answer == Replay::replayed ? replayed : late)++; }
    bool operator==(const Counts&) const = default;
};

struct Receiver {
    explicit Receiver(std::uint32_t size, std::uint64_t start = 0) : window(size), top(start) {
        mark_all_seen(*ring, start);
    }
    std::uint32_t window;
    std::uint64_t top;
    std::unique_ptr<ReplayRing> ring = std::make_unique<ReplayRing>();
};

/// Packets start+1, start+2, … with losses, copies, disorder and now and then a jump.
std::vector<std::uint64_t> disturbed(std::mt19937_64& random, std::uint64_t start, std::uint32_t window) {
    std::vector<std::uint64_t> sent;
    std::uint64_t next = start;
    for (int i = 0; i < 20'000; ++i) {
        ++next;
        const auto dice = random() % 1'000;
        if (dice < 50) { continue; }
        if (dice == 50) { next += random() % (3 * std::uint64_t{window}); }
        if (dice == 51) { next += 64 * ReplayRing::kWords - 70 + random() % 140; }
        if (dice == 52) { next += random() % 100'000; }
        sent.push_back(next);
        if (dice > 900) { sent.push_back(sent[sent.size() - 1 - random() % std::min<std::size_t>(sent.size(), 3)]); }
        if (dice == 999) { sent.push_back(next - std::min(next, random() % (2 * std::uint64_t{window} + 2))); }
    }
    for (std::size_t i = 0; i < sent.size(); ++i) {
        if (random() % 8 == 0) {
            const auto far = random() % 16 == 0 ? 2 * std::uint64_t{window} : 40;
            std::swap(sent[i], sent[std::min(sent.size() - 1, i + random() % far)]);
        }
    }
    return sent;
}

TEST(Replay, LikeTheModel) {
    std::mt19937_64 random(kSeed);
    for (const auto window : kWindows) {
        SCOPED_TRACE(window);
        Receiver receiver(window);
        Model model{.window = window};
        Counts counts;
        Counts expected;
        for (const auto sequence : disturbed(random, 0, window)) {
            const auto before = check(*receiver.ring, receiver.top, window, sequence);
            ASSERT_EQ(before, model.check(sequence)) << sequence;
            const auto answer = commit(*receiver.ring, receiver.top, window, sequence);
            ASSERT_EQ(answer, before);
            counts.count(answer);
            expected.count(model.commit(sequence));
            ASSERT_EQ(receiver.top, model.top);
        }
        EXPECT_EQ(counts, expected);
        EXPECT_GT(counts.replayed, 0U);
        EXPECT_GT(counts.late, 0U);
        EXPECT_EQ(lost(*receiver.ring, receiver.top, window, 0, counts.fresh), model.lost(0));
        EXPECT_GT(model.lost(0), 0U);
    }
}

TEST(Replay, TheEdgesOfTheWindow) {
    for (std::uint32_t window = kMinReplayWindow; window <= kMaxReplayWindow; window += window < 300 ? 1 : 61) {
        for (const std::uint64_t jump : {1U, 63U, 64U, 65U, 8'192U, 16'320U, 16'383U, 16'384U, 16'385U, 40'000U}) {
            Receiver receiver(window);
            std::uint64_t& top = receiver.top;
            // Every number up to 20,000 is seen, then the window jumps.
            for (std::uint64_t i = 1; i <= 20'000; i += 1) { commit(*receiver.ring, top, window, i); }
            ASSERT_EQ(commit(*receiver.ring, top, window, 20'000 + jump), Replay::fresh);
            const auto left = top - window;
            ASSERT_EQ(check(*receiver.ring, top, window, left), Replay::late);
            ASSERT_EQ(check(*receiver.ring, top, window, left + 1), left + 1 <= 20'000 ? Replay::replayed
                                                                    : left + 1 == top  ? Replay::replayed
                                                                                       : Replay::fresh);
            ASSERT_EQ(check(*receiver.ring, top, window, top), Replay::replayed);
            ASSERT_EQ(check(*receiver.ring, top, window, top + 1), Replay::fresh);
            ASSERT_EQ(check(*receiver.ring, top, window, 0), Replay::late);
            // What the jump went over is open, all of it in the window and once each.
            for (auto i = std::max<std::uint64_t>(left, 20'000) + 1; i < top; ++i) {
                ASSERT_EQ(commit(*receiver.ring, top, window, i), Replay::fresh) << window << " " << jump << " " << i;
                ASSERT_EQ(commit(*receiver.ring, top, window, i), Replay::replayed);
            }
        }
    }
}

TEST(Replay, ZeroIsNeverValid) {
    Receiver receiver(64);
    EXPECT_EQ(check(*receiver.ring, receiver.top, 64, 0), Replay::late);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 64, 0), Replay::late);
    const ReplayRing nothing{};
    EXPECT_EQ(check(nothing, 0, 64, 0), Replay::late);
    EXPECT_EQ(check(nothing, 0, 64, 1), Replay::fresh);
}

TEST(Replay, CopiesInOneBurst) {
    // Both pass the check, for none is authenticated yet; one passes the commit.
    Receiver receiver(1'024);
    EXPECT_EQ(check(*receiver.ring, receiver.top, 1'024, 7), Replay::fresh);
    EXPECT_EQ(check(*receiver.ring, receiver.top, 1'024, 7), Replay::fresh);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 1'024, 7), Replay::fresh);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 1'024, 7), Replay::replayed);
}

TEST(Replay, RestoredWindowHasSeenEverything) {
    for (const std::uint64_t top : {0U, 1U, 63U, 64U, 1'000'000U}) {
        Receiver receiver(8'192, top);
        for (std::uint64_t i = 1; i <= top; i += 7) {
            ASSERT_NE(check(*receiver.ring, receiver.top, 8'192, i), Replay::fresh);
        }
        Model model{.window = 8'192, .top = top};
        std::uint64_t accepted = 0;
        for (auto i = top + 1; i < top + 30'000; i += 1 + i % 3) {
            ASSERT_EQ(commit(*receiver.ring, receiver.top, 8'192, i), Replay::fresh);
            ASSERT_EQ(model.commit(i), Replay::fresh);
            ++accepted;
            if (i % 500 == 0) { ASSERT_EQ(lost(*receiver.ring, receiver.top, 8'192, top, accepted), model.lost(top)); }
        }
        EXPECT_GT(model.lost(top), 0U);
    }
}

/// RFC 4304 appendix A2.1 as it is written: Th, Tl, Seqh, Seql, W.
Wide written_guess(std::uint32_t low, std::uint64_t top, std::uint32_t window) {
    const Wide high = static_cast<Wide>(top >> 32U);
    const auto top_low = static_cast<std::uint32_t>(top);
    const auto left = static_cast<std::uint32_t>(top_low - window + 1);
    if (top_low >= window - 1) { return (low >= left ? high : high + 1) * kEpoch + low; }
    return (low >= left ? high - 1 : high) * kEpoch + low;
}

TEST(Replay, EsnGuess) {
    std::mt19937_64 random(kSeed);
    for (const auto window : kWindows) {
        for (const std::uint64_t epoch : {0U, 1U, 2U, 0xff'ffffU}) {
            for (const auto around : {std::uint64_t{0}, std::uint64_t{window}, kEpoch / 2, kEpoch - 1}) {
                for (int i = 0; i < 2'000; ++i) {
                    const auto top = epoch * kEpoch + around + random() % 4 * (random() % 3);
                    const auto low = static_cast<std::uint32_t>(
                        random() % 4 == 0 ? random() : top + random() % (3 * window) - random() % (3 * window));
                    const auto expected = written_guess(low, top, window);
                    ASSERT_EQ(esn_guess(low, top, window),
                              expected < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(expected))
                        << low << " " << top << " " << window;
                }
            }
        }
    }
    // Every number in the window and up to 2³² - window above it is found.
    for (const auto top : {kEpoch - 1, kEpoch, kEpoch + 99, 3 * kEpoch - 50, 7 * kEpoch + 5'000}) {
        for (std::uint64_t i = top - 99; i < top + 20'000; ++i) {
            ASSERT_EQ(esn_guess(static_cast<std::uint32_t>(i), top, 100), i);
        }
        ASSERT_EQ(esn_guess(static_cast<std::uint32_t>(top - 100), top, 100), top - 100 + kEpoch);
    }
}

TEST(Replay, EsnOverTheWrap) {
    std::mt19937_64 random(kSeed);
    for (const auto window : kWindows) {
        SCOPED_TRACE(window);
        const auto start = 5 * kEpoch - 10'000;
        Receiver receiver(window, start);
        Model model{.window = window, .top = start};
        Counts counts;
        for (const auto sequence : disturbed(random, start, window)) {
            const auto guess = esn_guess(static_cast<std::uint32_t>(sequence), receiver.top, window);
            // What is left of the window is taken for one of the next epoch, and its ICV will be wrong.
            if (guess != sequence) {
                ASSERT_EQ(model.check(sequence), Replay::late);
                counts.count(Replay::late);
                continue;
            }
            // Numbers before the start are in the window of the model, but were seen in an earlier life.
            if (sequence <= start) {
                ASSERT_NE(commit(*receiver.ring, receiver.top, window, guess), Replay::fresh);
                continue;
            }
            const auto answer = commit(*receiver.ring, receiver.top, window, guess);
            ASSERT_EQ(answer, model.commit(sequence));
            counts.count(answer);
        }
        EXPECT_GE(receiver.top, 5 * kEpoch);
        EXPECT_GT(counts.replayed, 0U);
        EXPECT_EQ(counts.fresh, model.seen.size());
        EXPECT_EQ(lost(*receiver.ring, receiver.top, window, start, counts.fresh), model.lost(start));
    }
}

TEST(Replay, WithoutEsnTheLastNumberIsTheEnd) {
    constexpr std::uint64_t kLast = kEpoch - 1;
    Receiver receiver(128, kLast - 2);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 128, kLast), Replay::fresh);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 128, kLast), Replay::replayed);
    EXPECT_EQ(commit(*receiver.ring, receiver.top, 128, kLast - 1), Replay::fresh);
    for (std::uint64_t i = 0; i <= kLast - 128; i += 999'983) {
        ASSERT_EQ(check(*receiver.ring, receiver.top, 128, i), Replay::late);
    }
}

}  // namespace
}  // namespace peerlane::ipsec
