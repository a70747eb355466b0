// The VLAN table against std::map over every pair of VIDs near the ones in use.
#include "lib/table/vlan_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <utility>

namespace peerlane::table {
namespace vlan_test {

constexpr std::uint64_t kSeed = 8'021;

TEST(VlanTable, EmptyKnowsNothing) {
    const VlanTable table;
    for (std::uint32_t outer = 0; outer < 4'096; ++outer) {
        ASSERT_EQ(table.find(outer, 0), kNoVlan);
        ASSERT_EQ(table.find(outer, 4'095), kNoVlan);
    }
}

TEST(VlanTable, SingleTaggedAndDoubleTaggedAreDifferent) {
    const std::vector<VlanTable::Entry> entries = {{100, 0, 1}, {100, 10, 2}, {4'094, 4'094, 3}};
    const VlanTable table(entries);
    EXPECT_EQ(table.find(100, 0), 1U);
    EXPECT_EQ(table.find(100, 10), 2U);
    EXPECT_EQ(table.find(0xe000 | 100, 0xb000 | 10), 2U) << "PCP and DEI are not part of the VID";
    EXPECT_EQ(table.find(10, 100), kNoVlan);
    EXPECT_EQ(table.find(4'094, 4'094), 3U);
    EXPECT_EQ(table.find(4'094, 0), kNoVlan);
    EXPECT_EQ(table.find(0, 100), kNoVlan);
}

TEST(VlanTable, AgreesWithAMap) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::mt19937 random(kSeed);
    for (const unsigned count : {1U, 3U, 50U, 2'000U}) {
        std::map<std::pair<unsigned, unsigned>, std::uint32_t> expected;
        std::vector<VlanTable::Entry> entries;
        for (unsigned i = 0; i < count; ++i) {
            const VlanTable::Entry entry{static_cast<std::uint16_t>(random() % (i % 2 == 0 ? 40 : 4'096)),
                                         static_cast<std::uint16_t>(random() % (i % 3 == 0 ? 4'096 : 30)), i};
            entries.push_back(entry);
            expected[{entry.outer, entry.inner}] = i;
        }
        const VlanTable table(entries);
        for (unsigned outer = 0; outer < 4'096; ++outer) {
            for (unsigned inner = 0; inner < 4'096;
                 inner += outer < 45 ? 1U : 1U + static_cast<unsigned>(random() % 64)) {
                const auto found = expected.find({outer, inner});
                ASSERT_EQ(table.find(outer, inner), found == expected.end() ? kNoVlan : found->second)
                    << outer << '.' << inner;
            }
        }
    }
}

TEST(VlanTable, TellsWhatItWasMadeOf) {
    EXPECT_TRUE(VlanTable().entries().empty());
    const std::vector<VlanTable::Entry> given = {{4'094, 4'094, 3}, {100, 10, 2}, {100, 0, 1}, {100, 10, 7}};
    const auto entries = VlanTable(given).entries();
    ASSERT_EQ(entries.size(), 3U);
    const VlanTable::Entry expected[] = {{100, 0, 1}, {100, 10, 7}, {4'094, 4'094, 3}};
    for (std::size_t i = 0; i < entries.size(); ++i) {
        EXPECT_EQ(entries[i].outer, expected[i].outer);
        EXPECT_EQ(entries[i].inner, expected[i].inner);
        EXPECT_EQ(entries[i].id, expected[i].id);
    }
}

TEST(VlanTable, MemoryIsBounded) {
    const std::vector<VlanTable::Entry> wide = {{7, 1, 0}, {7, 4'094, 1}};
    EXPECT_LE(VlanTable(wide).bytes(), (32U + 16U + 1U) << 10U);
    EXPECT_THROW(VlanTable(std::vector<VlanTable::Entry>{{4'096, 0, 0}}), std::invalid_argument);
    EXPECT_THROW(VlanTable(std::vector<VlanTable::Entry>{{0, 4'096, 0}}), std::invalid_argument);
}

}  // namespace vlan_test
}  // namespace peerlane::table
