// What the edge says unasked of its own addresses: to whom, when, how often, and how much at once.
#include "dataplane/control/announcer.hpp"

#include <algorithm>

#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

class Announcements : public testing::Test {
  protected:
    void publish(const std::string& customers) {
        const auto loaded = config::load_text(ports() + customers, "f.yaml");
        ASSERT_TRUE(loaded.ok()) << (loaded.findings.empty() ? "" : loaded.findings[0].what);
        const auto* before = snapshots.empty() ? nullptr : snapshots.back().get();
        snapshots.push_back(compile(loaded.model, state, before, {{3, Mac{}}, now}));
        state.commit();
        announcer.adopt(*snapshots.back(), now);
    }
    /// One tick `after` later, and what it sent.
    std::vector<Sent> tick(Nanoseconds after = 25 * kMs) {
        now += after;
        announcer.tick(*snapshots.back(), up, now);
        return std::exchange(sent, {});
    }

    State state{1};
    std::vector<std::unique_ptr<Snapshot>> snapshots;
    std::vector<Sent> sent;
    std::vector<bool> up{true, true, true};
    Nanoseconds now = 1'000'000'000;
    Announcer announcer{state, [this](std::uint8_t port, std::span<const std::uint8_t> octets) {
                            sent.push_back({port, Octets(octets.begin(), octets.end())});
                        }};
};

const std::string kMac = ", customer_mac: \"02:00:00:00:01:01\"";
Customer contoso() {
    Customer one;
    one.subnet += kMac;  // who is configured is told too
    return one;
}
/// Ethernet, tags of 100 and 10, ARP: 172.16.0.2 is at 02:00:00:00:00:a0.
const auto kArp = from_hex(
    "ffffffffffff 0200000000a0 81000064 8100000a 0806 0001080006040001 0200000000a0ac100002 "
    "000000000000ac100002");
/// IPv6 fd00:172::2 to ff02::1, an advertisement with R and O for fd00:172::2, its target link-layer address.
const auto kNd = from_hex(
    "333300000001 0200000000a0 81000064 8100000a 86dd 6000000000203aff "
    "fd000172000000000000000000000002 ff020000000000000000000000000001 8800");
const auto kNdRest = from_hex("a0000000 fd000172000000000000000000000002 0201 0200000000a0");
/// 192.0.2.1 at the core.
const auto kCoreArp =
    from_hex("ffffffffffff 0200000000c0 0806 0001080006040001 0200000000c0c0000201 000000000000c0000201");

TEST_F(Announcements, AtTheStartTwice) {
    publish(text(contoso()));
    for (int round = 0; round < 2; ++round) {
        SCOPED_TRACE(round);
        const auto said = tick(round == 0 ? 0 : 1);
        ASSERT_EQ(said.size(), 3U);
        EXPECT_EQ(said[0], (Sent{kA0, said[0].octets}));
        const auto is = [&](const Octets& octets) {
            return std::ranges::any_of(said, [&](const Sent& one) { return one.octets == octets; });
        };
        EXPECT_TRUE(is(kArp));
        EXPECT_TRUE(is(kCoreArp));
        const auto nd = std::ranges::find_if(said, [](const Sent& one) { return one.octets[20] == 0x86; });
        ASSERT_NE(nd, said.end());
        EXPECT_TRUE(std::equal(kNd.begin(), kNd.end(), nd->octets.begin()));
        EXPECT_TRUE(std::equal(kNdRest.rbegin(), kNdRest.rend(), nd->octets.rbegin()));
        EXPECT_TRUE(tick(kAnnouncementInterval - 1).empty());
    }
    EXPECT_TRUE(tick(1'000'000 * kMs).empty());
    EXPECT_EQ(announcer.waiting(), 0U);
}

TEST_F(Announcements, WhenALinkComesUpOrAddressesAreAdded) {
    up[kA0] = false;
    publish(text(contoso()));
    EXPECT_EQ(tick(0).size(), 1U) << "the core's";
    up[kA0] = true;
    EXPECT_EQ(tick(0).size(), 2U);
    tick(kAnnouncementInterval);
    EXPECT_TRUE(tick(kAnnouncementInterval).empty());
    // The same again is nothing new; a tunnel's local address and another circuit are.
    publish(text(contoso()));
    EXPECT_TRUE(tick().empty());
    auto tunnel = text(contoso());
    tunnel.replace(tunnel.find("local: 192.0.2.1"), 16, "local: 192.0.2.7");
    publish(tunnel + text({.name = "fabrikam", .tags = "service_vlan: 200, ", .subnet = "subnet: 10.1.0.0/30"}));
    auto said = tick();
    ASSERT_EQ(said.size(), 2U);
    EXPECT_EQ(said[0].octets[15], 200);
    EXPECT_EQ(said[1].port, kC0);
    EXPECT_EQ(Octets(said[1].octets.end() - 4, said[1].octets.end()), from_hex("c0000207"));
    // What goes is not announced a second time, and neither is what is on a port that goes down.
    publish(text(contoso()));
    EXPECT_TRUE(tick(kAnnouncementInterval).empty());
    // The tags of somebody else now.
    publish(text({.name = "wingtip"}));
    said = tick();
    EXPECT_EQ(said.size(), 2U);
    up[kA0] = false;
    EXPECT_TRUE(tick(kAnnouncementInterval).empty());
    EXPECT_EQ(announcer.waiting(), 0U);
}

TEST_F(Announcements, AFewAtOnce) {
    std::string many;
    for (unsigned i = 0; i < 500; ++i) {
        many += text({.name = "c" + std::to_string(i), .tags = "service_vlan: " + std::to_string(i + 100) + ", "});
    }
    publish(many);
    std::size_t all = 0, ticks = 0;
    for (; announcer.waiting() != 0 || ticks == 0; ++ticks) {
        const auto count = tick().size();
        EXPECT_LE(count, kAnnouncementsAtOnce);
        all += count;
        ASSERT_LT(ticks, 1'000U);
    }
    EXPECT_EQ(all, 2 * (500 * 2 + 1));
}

TEST_F(Announcements, WithTheTpidThatIsHeard) {
    publish(text(Customer{}));
    const auto index = snapshots.back()->names.peerings[0].slot * kLinks;
    state.heard_tpids[index] = 0x8100'9100;
    auto said = tick(0);
    EXPECT_EQ(said[0].octets[12], 0x81) << "not asked for";
    snapshots.back()->exits[index].hears_tpid = true;
    for (const auto& one : tick(kAnnouncementInterval)) {
        if (one.port == kA0) { EXPECT_EQ(one.octets[12], 0x91); }
    }
}

}  // namespace
}  // namespace peerlane::dataplane::test
