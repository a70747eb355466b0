// The tunnel table against std::map: what is there, and what differs from it in a single bit.
#include "lib/table/tunnel_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <tuple>

namespace peerlane::table {
namespace tunnel_test {

constexpr std::uint64_t kSeed = 2'890;
using Table = TunnelTable<std::array<std::uint64_t, 3>>;
static_assert(sizeof(Table::Entry) == 64);

using Fields = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, unsigned, unsigned, unsigned>;
Fields fields(const TunnelIdentity& id) {
    return {id.local_high, id.local_low, id.remote_high, id.remote_low, id.key, id.has_key, id.sa};
}

std::vector<TunnelIdentity> one_bit_away(const TunnelIdentity& id) {
    std::vector<TunnelIdentity> near;
    const auto add = [&](auto change) {
        near.push_back(id);
        change(near.back());
    };
    for (unsigned bit = 0; bit < 64; ++bit) {
        const auto flip = std::uint64_t{1} << bit;
        add([&](auto& other) { other.local_high ^= flip; });
        add([&](auto& other) { other.local_low ^= flip; });
        add([&](auto& other) { other.remote_high ^= flip; });
        add([&](auto& other) { other.remote_low ^= flip; });
        if (bit < 32) {
            add([&](auto& other) { other.key ^= static_cast<std::uint32_t>(flip); });
        }
        if (bit < 31) {
            add([&](auto& other) { other.sa = (other.sa ^ static_cast<std::uint32_t>(flip)) & 0x7fff'ffffU; });
        }
    }
    add([](auto& other) { other.has_key ^= 1U; });
    add([](auto& other) { std::swap(other.local_low, other.remote_low); });
    return near;
}

TunnelIdentity random_identity(std::mt19937_64& random) {
    TunnelIdentity id;
    id.local_low = mapped(Ip4{0xc000'0200U + static_cast<std::uint32_t>(random() % 3)});
    id.remote_low = mapped(Ip4{static_cast<std::uint32_t>(0xc633'6400 + random() % 64)});
    if (random() % 3 == 0) {
        id.local_high = 0x2001'0db8'0000'0000;
        id.local_low = random() % 4;
        id.remote_high = random();
        id.remote_low = random();
    }
    id.has_key = random() % 4 != 0 ? 1 : 0;
    id.key = id.has_key != 0 ? static_cast<std::uint32_t>(random() % 2 == 0 ? random() % 16 : random()) : 0;
    id.sa = random() % 2 == 0 ? 0 : random() & 0x3ffU;
    return id;
}

TEST(TunnelTable, AgreesWithAMap) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    for (const std::size_t count : {0, 1, 2, 10, 1'000, 30'000}) {
        std::map<Fields, std::uint64_t> expected;
        std::vector<Table::Entry> entries;
        while (entries.size() < count) {
            const auto id = random_identity(random);
            if (expected.emplace(fields(id), entries.size()).second) {
                entries.push_back({.identity = id, .payload = {entries.size(), 1, 2}});
            }
        }
        const Table table(entries);
        EXPECT_EQ(table.size(), count);
        const auto check = [&](const TunnelIdentity& id) {
            const auto* found = table.find(id);
            const auto wanted = expected.find(fields(id));
            ASSERT_EQ(found != nullptr, wanted != expected.end());
            if (found == nullptr) { return; }
            ASSERT_EQ(found->payload[0], wanted->second);
            ASSERT_EQ(table.candidate(table.hash(id)), found);
        };
        for (const auto& entry : entries) { check(entry.identity); }
        for (std::size_t i = 0; i < std::min<std::size_t>(count, 300); ++i) {
            for (const auto& near : one_bit_away(entries[random() % count].identity)) { check(near); }
        }
        for (int i = 0; i < 50'000; ++i) { check(random_identity(random)); }
        check({});
        check({.key = 1});
        if (this->HasFatalFailure()) { return; }
    }
}

/// The hash alone tells nearly all identities apart; this is the comparison behind it.
TEST(TunnelIdentity, EveryBitCounts) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937_64 random(kSeed);
    for (int i = 0; i < 100; ++i) {
        const auto id = random_identity(random);
        ASSERT_TRUE(id == TunnelIdentity{id});
        for (const auto& near : one_bit_away(id)) { ASSERT_FALSE(id == near); }
    }
}

TEST(TunnelTable, KeyZeroIsNotNoKey) {
    const TunnelIdentity none{.local_low = mapped(Ip4{1}), .remote_low = mapped(Ip4{2})};
    auto zero = none;
    zero.has_key = 1;
    const std::vector<Table::Entry> entries = {{.identity = none, .payload = {1}}};
    const Table table(entries);
    EXPECT_NE(table.find(none), nullptr);
    EXPECT_EQ(table.find(zero), nullptr);
}

TEST(TunnelTable, RefusesWhatCannotBeToldApart) {
    const TunnelIdentity id{.local_low = 1, .remote_low = 2, .key = 3, .has_key = 1};
    EXPECT_THROW(Table(std::vector<Table::Entry>{{.identity = id, .payload = {}}, {.identity = id, .payload = {}}}),
                 std::invalid_argument);
    auto keyless = id;
    keyless.has_key = 0;
    EXPECT_THROW(Table(std::vector<Table::Entry>{{.identity = keyless, .payload = {}}}), std::invalid_argument);
}

TEST(TunnelTable, StaysSmall) {
    std::mt19937_64 random(kSeed);
    std::vector<Table::Entry> entries;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        entries.push_back(
            {.identity = {.local_low = 1, .remote_low = i / 8, .key = i % 8, .has_key = 1}, .payload = {}});
    }
    EXPECT_LE(Table(entries).bytes(), entries.size() * (64 + 128));
}

}  // namespace tunnel_test
}  // namespace peerlane::table
