// The token buckets as traffic meets them: what a packet costs, who shares, who pays, what comes back.
#include "tests/pipeline/configs.hpp"

#include <random>

namespace peerlane::test {
namespace police_test {

/// contoso: a slow pair; fabrikam: a slow circuit with two peerings, one of them with a bucket of its own.
std::string slow(std::string_view accounting = "l3") {
    return R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1700, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1600, service_tpid: 0x9100 }
customers:
  - name: contoso
    circuits:
      - { name: pair, links: { primary: access0, secondary: access1 }, service_vlan: 100, bandwidth: 2 Mbps, burst: 2000 B,
          accounting: )" +
           std::string(accounting) + R"(, peerings: [
          { type: private, vlan: 10, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
            customer_mac: "02:00:00:00:01:01", customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: v4key, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01 } } ] } ] }
  - name: fabrikam
    circuits:
      - { name: single, port: access0, bandwidth: 8 Mbps, burst: 4000 B, accounting: )" +
           std::string(accounting) + R"(, peerings: [
          { type: private, vlan: 100, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:02:02",
            customer_prefixes: [10.0.0.0/16], bandwidth: 4 Mbps, burst: 2000 B,
            virtual_networks: [ { name: prod, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 } } ] },
          { type: public, vlan: 101, subnet: 23.2.0.0/30, customer_mac: "02:00:00:00:02:02",
            customer_prefixes: [23.0.0.0/24],
            virtual_networks: [ { name: web, prefixes: [23.1.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 } } ] } ] }
)";
}
constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;

Packet sized(std::size_t length, std::string_view from = "10.0.0.1", std::string_view to = "10.100.0.1") {
    return Packet().ip4(from, to).udp().payload(length - 28);
}
Packet web(std::size_t length) {
    return Packet().ether(kAccess0Mac, kFabrikamMac).tag(101).then(sized(length, "23.0.0.1", "23.1.0.1"));
}
std::size_t passed(const Sent& sent) {
    return static_cast<std::size_t>(std::count(sent.fates.begin(), sent.fates.end(), Fate::sent));
}
std::vector<Packet> times(std::size_t count, const Packet& packet) {
    return std::vector(count, packet);
}

TEST(Police, ABucketEmptiesAndFills) {
    Edge edge(slow());
    const auto up = from_contoso(sized(1000));
    EXPECT_EQ(edge.send("access0", times(3, up)).fates, (std::vector{Fate::sent, Fate::sent, Fate::policed}));
    edge.now += 3'999'999;  // 2 Mbit/s are 1,000 octets in 4 ms
    EXPECT_EQ(edge.send("access0", {up}).fate(), Fate::policed);
    edge.now += 1;
    EXPECT_EQ(edge.send("access0", times(2, up)).fates, (std::vector{Fate::sent, Fate::policed}));
    edge.now += 3'600'000'000'000;
    EXPECT_EQ(passed(edge.send("access0", times(9, up))), 2U);
    const auto circuit = edge.circuit(kContoso, Link::primary, kUp);
    EXPECT_EQ(circuit.passed, (Passed{5, 5000}));
    EXPECT_EQ(circuit.policed, (Passed{10, 10'000}));
    EXPECT_EQ(circuit.dropped(Fate::policed), 10U);
}

TEST(Police, TimeRunningBackwardsFillsNothing) {
    Edge edge(slow());
    const auto up = from_contoso(sized(1000));
    EXPECT_EQ(passed(edge.send("access0", times(3, up))), 2U);
    edge.now -= 500'000'000;
    EXPECT_EQ(passed(edge.send("access0", {up})), 0U);
    edge.now += 500'000'000;
    EXPECT_EQ(passed(edge.send("access0", {up})), 0U);
    edge.now += 4'000'000;
    EXPECT_EQ(passed(edge.send("access0", times(2, up))), 1U);
}

TEST(Police, LinksAndDirectionsAreApart) {
    Edge edge(slow());
    const auto up = from_contoso(sized(1000));
    const auto up2 = from_contoso_secondary(sized(1000));
    const auto down = from_gateway("v4key", sized(1000, "10.100.0.1", "10.0.0.1"));
    const auto down2 = from_gateway("v4key", sized(1000, "10.100.0.1", "172.16.0.5"));
    EXPECT_EQ(passed(edge.send("access0", times(3, up))), 2U);
    EXPECT_EQ(passed(edge.send("access1", times(3, up2))), 2U);
    EXPECT_EQ(passed(edge.send("core0", times(3, down))), 2U);
    EXPECT_EQ(passed(edge.send("core0", times(3, down2))), 2U);
    for (const auto link : {Link::primary, Link::secondary}) {
        for (const auto way : {kUp, kDown}) {
            EXPECT_EQ(edge.circuit(kContoso, link, way).passed, (Passed{2, 2000}));
            EXPECT_EQ(edge.circuit(kContoso, link, way).policed, (Passed{1, 1000}));
        }
    }
    EXPECT_EQ(passed(edge.send("access0", times(2, from_fabrikam(sized(1000))))), 2U) << "another customer's";
}

TEST(Police, Accounting) {
    // l2: Ethernet and tags, no padding; wire: 24 octets more. The bucket holds 2,000.
    for (const auto& [accounting, one, two] :
         {std::tuple{"l3", 0U, 0U}, std::tuple{"l2", 18U, 22U}, std::tuple{"wire", 42U, 46U}}) {
        SCOPED_TRACE(accounting);
        for (const bool fits : {true, false}) {
            Edge edge(slow(accounting));
            const auto length = 1000 - two + (fits ? 0 : 1);
            const auto up = from_contoso(sized(length)).pad(50);
            EXPECT_EQ(passed(edge.send("access0", times(2, up))), fits ? 2U : 1U);
            EXPECT_EQ(
                passed(edge.send("core0", times(2, from_gateway("v4key", sized(length, "10.100.0.1", "10.0.0.1"))))),
                fits ? 2U : 1U);
            const auto circuit = edge.circuit(kContoso, Link::primary, kUp);
            EXPECT_EQ(circuit.passed, (Passed{fits ? 2U : 1U, (length + two) * (fits ? 2U : 1U)}));
            EXPECT_EQ(circuit.policed, (Passed{fits ? 0U : 1U, (length + two) * (fits ? 0U : 1U)}));
            const auto single = 1000 - one + (fits ? 0 : 1);
            EXPECT_EQ(passed(edge.send("access0", times(4, web(single)))), 4U - (fits ? 0U : 1U))
                << "a bucket of 4,000";
            EXPECT_EQ(edge.tunnel("web", Link::primary, kUp).bytes, single * (fits ? 4U : 3U))
                << "a tunnel counts IP octets";
        }
    }
}

TEST(Police, NoFrameOnTheWireIsShorterThanSixtyBytes) {
    // Each costs 60 + 24, as long as its frame is shorter; one byte more costs one more.
    for (const auto& [length, cost] :
         {std::pair{28U, 84U}, std::pair{37U, 84U}, std::pair{38U, 84U}, std::pair{39U, 85U}}) {
        SCOPED_TRACE(length);
        Edge edge(slow("wire"));
        const std::size_t fit = 2'000 / cost;  // contoso's two tags
        const auto rest = 30 - fit;
        EXPECT_EQ(passed(edge.send("access0", times(30, from_contoso(sized(length)).pad(50)))), fit);
        EXPECT_EQ(
            passed(edge.send("core0", times(30, from_gateway("v4key", sized(length, "10.100.0.1", "172.16.0.1"))))),
            fit);
        for (const auto way : {kUp, kDown}) {
            const auto circuit = edge.circuit(kContoso, Link::primary, way);
            EXPECT_EQ(circuit.passed, (Passed{fit, fit * cost}));
            EXPECT_EQ(circuit.policed, (Passed{rest, rest * cost}));
        }
        EXPECT_EQ(edge.tunnel("v4key", Link::primary, kUp), (Passed{fit, fit * length})) << "IP bytes";
        EXPECT_EQ(edge.peering("private", Link::primary, kUp), (Passed{fit, fit * length}));
    }
    // With one tag a TCP segment without data is short: 14 + 4 + 40.
    Edge edge(slow("wire"));
    EXPECT_EQ(passed(edge.send("access0", times(32, web(40)))), 32U);
    EXPECT_EQ(passed(edge.send("access0", times(32, web(40)))), 4'000U / 84 - 32);
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).passed, (Passed{47, 47 * 84}));
    // Back to a customer, refused by the transmitter, and what the edge says itself.
    const auto across = from_contoso(sized(30, "10.0.0.1", "172.16.0.5"));
    edge.refuse = [](const Output&) { return true; };
    EXPECT_EQ(edge.send("access0", {across}).fate(), Fate::tx_full);
    edge.refuse = nullptr;
    EXPECT_EQ(edge.send("access0", {across}).fate(), Fate::sent);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{1, 84}));
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).passed, (Passed{1, 84}));
    EXPECT_EQ(passed(edge.send("access0", times(30, across))), 2'000U / 84 - 1) << "what was refused came back";
    edge.send("access0", {from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8).payload(2))});
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).passed, (Passed{1, 84}));
    edge.now += 1'000'000'000;
    const auto outer = Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.7", "192.0.2.1").gre(1);
    edge.send("core0", {Packet(outer).then(Packet().ip4("23.1.0.1", "23.2.0.2").icmp(8).payload(2))});
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).passed, (Passed{48, 48 * 84}));
    // A reload keeps what was counted; a circuit that is gone takes it along.
    const auto before = edge.circuit(kContoso, Link::primary, kUp).passed;
    edge.reload(slow("wire"));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, before);
}

TEST(Police, APeeringsOwnBucketComesFirst) {
    Edge edge(slow());
    const auto own = from_fabrikam(sized(1000));
    // Its own 2,000 of the circuit's 4,000.
    EXPECT_EQ(passed(edge.send("access0", times(4, own))), 2U);
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kUp).policed, (Passed{2, 2000}));
    // What its bucket refused cost the circuit nothing: the other peering has the other 2,000.
    EXPECT_EQ(passed(edge.send("access0", times(3, web(1000)))), 2U);
    // 2 ms later its own has 1,000 more, the circuit 2,000.
    edge.now += 2'000'000;
    EXPECT_EQ(passed(edge.send("access0", times(2, web(1000)))), 2U);
    EXPECT_EQ(edge.send("access0", {own}).fate(), Fate::policed) << "the circuit is empty";
    // What the circuit refused was given back to its own: 1 ms later the circuit has 1,000, its own the 1,000 it kept.
    edge.now += 1'000'000;
    EXPECT_EQ(passed(edge.send("access0", times(2, own))), 1U);
    // Downwards the same.
    EXPECT_EQ(passed(edge.send("core0", times(4, from_gateway("prod", sized(1000, "10.100.0.1", "10.0.0.1"))))), 2U);
}

TEST(Police, GiveBackIsExact) {
    Edge edge(slow());
    EXPECT_EQ(passed(edge.send("access0", times(2, web(1500)))), 2U);                     // circuit: 1,000 left
    EXPECT_EQ(edge.send("access0", {from_fabrikam(sized(1001))}).fate(), Fate::policed);  // own: still 2,000
    edge.now += 1'000;                                                                    // circuit: 1,001
    EXPECT_EQ(edge.send("access0", {from_fabrikam(sized(1001))}).fate(), Fate::sent);
    edge.now += 998'000;  // own: 999.5 left + 499.5, circuit: 998 + 0
    EXPECT_EQ(edge.send("access0", {from_fabrikam(sized(999))}).fate(), Fate::policed);
    EXPECT_EQ(edge.send("access0", {from_fabrikam(sized(998))}).fate(), Fate::sent);
}

TEST(Police, WhatIsDroppedElsewhereCostsNothing) {
    Edge edge(slow());
    const auto up = [](const Packet& ip) { return from_contoso(ip); };
    const auto gone = sized(1000);
    edge.send("access0",
              {up(Packet(gone).ttl(1)), up(sized(1000, "11.0.0.1")),
               up(sized(1000, "10.0.0.1", "10.9.0.1")).headroom(0), up(sized(1000, "10.0.0.1", "203.0.113.1")),
               up(gone).headroom(0), up(Packet().ip4("10.0.0.1", "10.100.0.1").wrong_checksum().payload(980)),
               up(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8).payload(1000))});
    EXPECT_EQ(passed(edge.send("access0", times(3, up(gone)))), 2U);
}

TEST(Police, TheTransmitterGivesBack) {
    Edge edge(slow());
    edge.refuse = [](const Output& output) { return output.port == "core0"; };
    EXPECT_EQ(edge.send("access0", times(2, from_contoso(sized(1000)))).fates,
              (std::vector{Fate::tx_full, Fate::tx_full}));
    EXPECT_EQ(edge.send("access0", times(2, from_fabrikam(sized(1000)))).fates,
              (std::vector{Fate::tx_full, Fate::tx_full}));
    edge.refuse = [](const Output& output) { return output.port != "core0"; };
    EXPECT_EQ(edge.send("core0", times(2, from_gateway("v4key", sized(1000, "10.100.0.1", "10.0.0.1")))).fates,
              (std::vector{Fate::tx_full, Fate::tx_full}));
    EXPECT_EQ(edge.send("access0", times(2, from_contoso(sized(1000, "10.0.0.1", "172.16.0.5")))).fates,
              (std::vector{Fate::tx_full, Fate::tx_full}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, Passed{});
    edge.refuse = nullptr;
    EXPECT_EQ(passed(edge.send("access0", times(3, from_contoso(sized(1000))))), 2U);
    EXPECT_EQ(passed(edge.send("access0", times(3, from_fabrikam(sized(1000))))), 2U);
    EXPECT_EQ(passed(edge.send("access0", times(3, web(1000)))), 2U)
        << "the circuit's share of a peering with its own bucket";
    EXPECT_EQ(passed(edge.send("core0", times(3, from_gateway("v4key", sized(1000, "10.100.0.1", "10.0.0.1"))))), 2U);
    EXPECT_EQ(passed(edge.send("core0", times(3, from_gateway("v4key", sized(1000, "10.100.0.1", "172.16.0.5"))))), 2U);
    EXPECT_EQ(edge.drops(Fate::tx_full), 8U);
}

TEST(Police, HairpinsPayBothWays) {
    Edge edge(slow());
    const auto across = from_contoso(sized(1000, "10.0.0.1", "172.16.0.5"));
    // The secondary's way out is emptied first.
    EXPECT_EQ(passed(edge.send("core0", times(2, from_gateway("v4key", sized(1000, "10.100.0.1", "172.16.0.5"))))), 2U);
    EXPECT_EQ(edge.send("access0", {across}).fate(), Fate::policed);
    // The way out refused: the way in was given back, and the way out counts the drop.
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).policed, (Passed{1, 1000}));
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).policed, Passed{});
    EXPECT_EQ(passed(edge.send("access0", times(2, from_contoso(sized(1000))))), 2U);
    EXPECT_EQ(edge.send("access0", {across}).fate(), Fate::policed);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).policed, (Passed{1, 1000}));
    edge.now += 4'000'000;
    EXPECT_EQ(edge.send("access0", {across}).fate(), Fate::sent);
    EXPECT_EQ(passed(edge.send("access0", {from_contoso(sized(1000))})), 0U);
    EXPECT_EQ(passed(edge.send("core0", {from_gateway("v4key", sized(1000, "10.100.0.1", "172.16.0.5"))})), 0U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{3, 3000}));
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).passed, (Passed{3, 3000}));
}

TEST(Police, ARefundReturnsOnlyWhatWasTaken) {
    // From the larger link to the smaller one's subnet: the packet is to be cut when the way out refuses it.
    std::string yaml = slow();
    const std::string mtu = "access1: { role: access, mtu: 1600";
    yaml.replace(yaml.find(mtu), mtu.size(), "access1: { role: access, mtu: 1300");
    Edge edge(yaml);
    // An earlier burst cuts a packet in the same slot, and takes 200 bytes off it.
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(1500, "10.0.0.1", "172.16.0.5"))}).fate(), Fate::sent);
    EXPECT_EQ(edge.send("access0", times(3, from_contoso(sized(1500, "10.0.0.1", "172.16.0.5")))).fates,
              std::vector(3, Fate::policed));
    // The way in has 500 of its 2,000 bytes left, the way out 500 as well.
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(501))}).fate(), Fate::policed);
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(500))}).fate(), Fate::sent);
    // Both are full again. The way out has 600 bytes left, the way in 1,600: what is refused gives back what it took.
    edge.now += 8'000'000;
    EXPECT_EQ(passed(edge.send("core0", times(2, from_gateway("v4key", sized(700, "10.100.0.1", "172.16.0.5"))))), 2U);
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(400))}).fate(), Fate::sent);
    EXPECT_EQ(edge.send("access0", times(32, from_contoso(sized(1500, "10.0.0.1", "172.16.0.5")))).fates,
              std::vector(32, Fate::policed));
    EXPECT_EQ(passed(edge.send("access0", times(32, from_contoso(sized(590))))), 2U) << "not three";
    EXPECT_EQ(edge.circuit(kContoso, Link::secondary, kDown).policed, (Passed{32, 32 * 1500}));
}

TEST(Police, FragmentsArePaidForWhole) {
    std::string yaml = slow();
    yaml.replace(yaml.find("mtu: 1700"), 9, "mtu: 1500");
    Edge edge(yaml);
    EXPECT_EQ(edge.send("access0", times(2, from_contoso(sized(1600)))).fates,
              (std::vector{Fate::sent, Fate::policed}));
    EXPECT_EQ(edge.send("access0", times(2, from_contoso(sized(400)))).fates, (std::vector{Fate::sent, Fate::policed}));
    // Its first piece not sent: all of it comes back.
    edge.now += 60'000'000;
    unsigned outputs = 0;
    edge.refuse = [&](const Output&) { return outputs++ == 0; };
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(1600))}).fate(), Fate::tx_full);
    edge.refuse = nullptr;
    EXPECT_EQ(passed(edge.send("access0", times(3, from_contoso(sized(1000))))), 2U);
    // The same where there is no buffer for the second piece.
    edge.now += 60'000'000;
    edge.starve = true;
    EXPECT_EQ(edge.send("access0", {from_contoso(sized(1600))}).fate(), Fate::no_memory);
    edge.starve = false;
    EXPECT_EQ(passed(edge.send("access0", times(3, from_contoso(sized(1000))))), 2U);
}

__extension__ typedef __int128 Wide;

/// The bucket as the textbook has it, in rational numbers over a common denominator.
struct Textbook {
    Wide rate;          // bit/s
    Wide level, depth;  // bit × 10⁹
    Nanoseconds at;
    bool take(Nanoseconds now, unsigned octets) {
        level = std::min(depth, level + rate * static_cast<Wide>(now - at));
        at = now;
        const Wide cost = static_cast<Wide>(octets) * 8 * 1'000'000'000;
        if (level < cost) { return false; }
        level -= cost;
        return true;
    }
};

TEST(Police, ExactPacketByPacket) {
    constexpr std::uint64_t kSeed = 20'777;
    SCOPED_TRACE(kSeed);
    std::mt19937_64 random(kSeed);
    for (const auto& [text, rate, burst] :
         {std::tuple{"50 Mbps", 50'000'000ULL, 20'000U}, std::tuple{"3 Mbps", 3'000'000ULL, 1'600U},
          std::tuple{"1 Gbps", 1'000'000'000ULL, 64'000U}, std::tuple{"10 Gbps", 10'000'000'000ULL, 30'000U},
          std::tuple{"100 Gbps", 100'000'000'000ULL, 30'000U}}) {
        SCOPED_TRACE(text);
        std::string yaml = slow();
        const std::string old = "bandwidth: 2 Mbps, burst: 2000 B";
        yaml.replace(yaml.find(old), old.size(),
                     "bandwidth: " + std::string(text) + ", burst: " + std::to_string(burst) + " B");
        Edge edge(yaml);
        const Wide depth = static_cast<Wide>(burst) * 8 * 1'000'000'000;
        Textbook book{rate, depth, depth, edge.now};
        std::size_t refused = 0;
        for (int round = 0; round < 400; ++round) {
            std::vector<Packet> packets;
            std::vector<Fate> want;
            const auto count = 1 + random() % 32;
            std::uint64_t octets = 0;
            for (std::uint64_t i = 0; i < count; ++i) {
                const auto length = static_cast<unsigned>(28 + random() % 1573);
                octets += length;
                packets.push_back(from_contoso(sized(length)));
                want.push_back(book.take(edge.now, length) ? Fate::sent : Fate::policed);
                refused += want.back() == Fate::policed ? 1U : 0U;
            }
            ASSERT_EQ(edge.send("access0", packets).fates, want) << "round " << round;
            // About as long as the burst lasts, odd nanoseconds; an hour idle now and then.
            edge.now += random() % 50 == 0 ? 3'600'000'000'000 + random() % 1000
                                           : octets * 8 * 1'000'000'000 / rate * (random() % 200) / 100;
        }
        EXPECT_GT(refused, 100U);
    }
}

TEST(Police, ReloadKeepsTheLevel) {
    Edge edge(slow());
    EXPECT_EQ(passed(edge.send("access0", times(3, from_contoso(sized(1000))))), 2U);
    edge.reload(slow());
    EXPECT_EQ(passed(edge.send("access0", {from_contoso(sized(1000))})), 0U);
    std::string faster = slow();
    const std::string old = "bandwidth: 2 Mbps, burst: 2000 B";
    faster.replace(faster.find(old), old.size(), "bandwidth: 8 Mbps, burst: 5000 B");
    edge.now += 2'000'000;  // 500 octets at the old rate
    edge.reload(faster);
    EXPECT_EQ(passed(edge.send("access0", {from_contoso(sized(501))})), 0U);
    EXPECT_EQ(passed(edge.send("access0", {from_contoso(sized(500))})), 1U);
    edge.now += 1'000'000;  // 1,000 at the new one
    EXPECT_EQ(passed(edge.send("access0", times(2, from_contoso(sized(1000))))), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).passed, (Passed{4, 3500})) << "counters carry over";
}

}  // namespace police_test
}  // namespace peerlane::test
