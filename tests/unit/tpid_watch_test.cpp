// What is said of a customer's router that uses other TPIDs than the edge sends to it.
#include "dataplane/control/tpid_watch.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"
#include "dataplane/tables/compile.hpp"

namespace peerlane::dataplane {
namespace {

class Tpids : public testing::Test {
  protected:
    void publish(const std::string& port, unsigned circuits = 2) {
        std::string yaml = "ports:\n  a0: { role: access" + port + " }\ncustomers:\n  - name: contoso\n    circuits:\n";
        for (unsigned i = 0; i < circuits; ++i) {
            const auto number = std::to_string(100 + i);
            yaml += "      - { name: c" + number + (i == 0 ? "" : ", service_vlan: " + number) +
                    ", port: a0, bandwidth: 1 Gbps, peerings: [ { type: private, vlan: 10, subnet: 10.0.0.0/30 } ] }\n";
        }
        const auto loaded = config::load_text(yaml, "f.yaml");
        ASSERT_TRUE(loaded.ok());
        const auto* before = snapshots.empty() ? nullptr : snapshots.back().get();
        snapshots.push_back(compile(loaded.model, state, before, {}));
        state.commit();
    }
    void hear(unsigned circuit, std::uint32_t word, unsigned worker = 0) {
        const auto index = snapshots.back()->names.peerings[circuit].slot * kLinks;
        state.heard_tpids[index] = word;
        ++state.workers[worker]->tpid_mismatches[index];
        ++state.workers[worker]->all_tpid_mismatches;
    }
    std::vector<std::string> look(Nanoseconds after = TpidWatch::kInterval) {
        now += after;
        std::vector<std::string> lines;
        watch.look(*snapshots.back(), state, now, [&](const std::string& line) { lines.push_back(line); });
        return lines;
    }

    State state{2};
    std::vector<std::unique_ptr<Snapshot>> snapshots;
    TpidWatch watch;
    Nanoseconds now = 1'000'000'000;
};
using Lines = std::vector<std::string>;

TEST_F(Tpids, AreSaidOnceUntilTheyChange) {
    publish("");
    EXPECT_EQ(look(), Lines{});
    hear(1, 0x8100'88a8);
    EXPECT_EQ(look(1), Lines{}) << "not before a second has passed";
    EXPECT_EQ(look(),
              Lines{"contoso/c101, private peering, primary link: frames arrive with TPID 0x88a8, the edge sends "
                    "0x8100: set `service_tpid: 0x88a8` or `service_tpid: auto` for port a0"});
    hear(1, 0x8100'88a8, 1);
    EXPECT_EQ(look(), Lines{}) << "said already";
    hear(1, 0x88a8'8100);
    EXPECT_EQ(look(),
              Lines{"contoso/c101, private peering, primary link: frames arrive with inner TPID 0x88a8, the edge "
                    "sends 0x8100: set `inner_tpid: 0x88a8` for port a0"});
    hear(0, 0x9100);
    EXPECT_EQ(look(),
              Lines{"contoso/c100, private peering, primary link: frames arrive with TPID 0x9100, the edge sends "
                    "0x8100: set `single_tpid: 0x9100` or `single_tpid: auto` for port a0"});
}

TEST_F(Tpids, WhatIsHeardOfManyLinksIsFolded) {
    publish("", 20);
    for (unsigned i = 0; i < 20; ++i) { hear(i, 0x8100'88a8); }
    const auto lines = look();
    ASSERT_EQ(lines.size(), TpidWatch::kLinesAtOnce + 1);
    EXPECT_EQ(lines.back(), "12 more links on which other TPIDs arrive than the edge sends");
}

TEST_F(Tpids, ANewPeeringBeginsAnew) {
    publish("", 2);
    hear(1, 0x8100'88a8);
    EXPECT_EQ(look().size(), 1U);
    publish("", 1);
    publish("", 1);
    publish("", 1);
    publish("", 2);
    EXPECT_EQ(look(), Lines{}) << "nothing is heard of the new one yet";
    hear(1, 0x8100'88a8);
    EXPECT_EQ(look().size(), 1U);
}

}  // namespace
}  // namespace peerlane::dataplane
