// What the edge originates has a budget per link and core port, and is charged to the circuit that it leaves by.
#include <random>

#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace reply_budget_test {

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr auto kUp = Direction::to_cloud;
constexpr auto kDown = Direction::to_customer;

std::string budget(unsigned replies, std::string_view more = "") {
    return "edge: { replies_per_second: " + std::to_string(replies) + std::string(more) + " }" + std::string(kPair);
}
Packet ping(std::string_view from, std::string_view to, std::size_t payload = 8) {
    return Packet().ip4(from, to).icmp(8).payload(payload);
}
Packet ping6(std::string_view from, std::string_view to) {
    return Packet().ip6(from, to).icmp6(128).payload(8);
}
Packet core(const Packet& ip) {
    return Packet().ether(kCoreMac, kGatewayMac).then(ip);
}
std::vector<Packet> times(std::size_t count, const Packet& packet) {
    return std::vector(count, packet);
}
std::size_t ended(const Sent& sent, Fate fate) {
    return static_cast<std::size_t>(std::count(sent.fates.begin(), sent.fates.end(), fate));
}

TEST(ReplyBudget, IsPerLink) {
    Edge edge(budget(10));
    const auto near = from_contoso(ping("10.0.0.1", "172.16.0.2"));
    const auto sent = edge.send("access0", times(25, near));
    EXPECT_EQ(sent.out.size(), 10U);
    EXPECT_EQ(ended(sent, Fate::punted), 10U);
    EXPECT_EQ(ended(sent, Fate::reply_limited), 15U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kUp).dropped(Fate::reply_limited), 15U);
    EXPECT_EQ(edge.port("access0").originated, 10U) << "nothing is made beyond the budget";
    EXPECT_EQ(edge.send("access0", {from_contoso(ping6("fd00:10::1", "fd00:172::2"))}).fate(), Fate::reply_limited)
        << "both families share it";
    EXPECT_EQ(edge.send("access1", {from_contoso_secondary(ping("10.0.0.1", "172.16.0.2"))}).fate(), Fate::punted)
        << "the other link has its own";
    EXPECT_EQ(edge.send("access0", {from_fabrikam(ping("10.0.0.1", "172.16.0.2"))}).fate(), Fate::punted);
    EXPECT_EQ(edge.send("core0", {core(ping("192.0.2.77", "192.0.2.1"))}).fate(), Fate::punted);
    edge.now += kSecond / 10 - 1;
    EXPECT_EQ(edge.send("access0", {near}).fate(), Fate::reply_limited);
    edge.now += 1;
    EXPECT_EQ(edge.send("access0", times(2, near)).fates, (std::vector{Fate::punted, Fate::reply_limited}));
}

TEST(ReplyBudget, IsPerCorePort) {
    Edge edge(budget(10));
    const auto sent = edge.send("core0", times(25, core(ping("192.0.2.77", "192.0.2.1"))));
    EXPECT_EQ(sent.out.size(), 10U);
    EXPECT_EQ(ended(sent, Fate::reply_limited), 15U);
    EXPECT_EQ(edge.send("core0", {core(ping6("2001:db8:ffff::77", "2001:db8:ffff::2"))}).fate(), Fate::reply_limited);
    for (const std::string label : {kContoso, kFabrikam}) {
        for (const auto way : {kUp, kDown}) {
            EXPECT_EQ(edge.circuit(label, Link::primary, way).dropped(Fate::reply_limited), 0U) << "nobody's";
        }
    }
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", ping("10.100.0.1", "172.16.0.2"))}).out.size(), 1U);
    EXPECT_EQ(edge.port("core0").originated, 11U);
}

TEST(ReplyBudget, FromTheCloudIsTheHomeLinks) {
    Edge edge(budget(10));
    const auto sent = edge.send("core0", times(12, from_gateway("v4key", ping("10.100.0.1", "172.16.0.6"))));
    EXPECT_EQ(sent.out.size(), 10U);
    EXPECT_EQ(ended(sent, Fate::reply_limited), 2U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).dropped(Fate::reply_limited), 2U);
    EXPECT_EQ(edge.send("core0", {from_gateway("prod", ping("8.8.8.8", "172.16.0.2"))}).fate(), Fate::punted);
}

TEST(ReplyBudget, ErrorsDrawOnItToo) {
    Edge edge(budget(10, ", icmp_errors_per_second: 7"));
    EXPECT_EQ(edge.send("access0", times(20, from_contoso(Packet(up4()).ttl(1)))).out.size(), 7U);
    EXPECT_EQ(edge.send("access0", times(20, from_contoso(ping("10.0.0.1", "172.16.0.2")))).out.size(), 3U);
    edge.now += kSecond;
    EXPECT_EQ(edge.send("access0", times(20, from_contoso(ping("10.0.0.1", "172.16.0.2")))).out.size(), 10U);
    const auto sent = edge.send("access0", times(5, from_contoso(Packet(up4()).ttl(1))));
    EXPECT_TRUE(sent.out.empty());
    EXPECT_EQ(ended(sent, Fate::ttl_expired), 5U) << "what it was dropped for does not change";
}

TEST(ReplyBudget, IsASetting) {
    Edge edge(budget(0));
    EXPECT_EQ(edge.send("access0", {from_contoso(ping("10.0.0.1", "172.16.0.2"))}).fate(), Fate::reply_limited);
    EXPECT_TRUE(edge.send("access0", {from_contoso(Packet(up4()).ttl(1))}).out.empty());
    edge.reload(budget(20));
    edge.now += kSecond;
    EXPECT_EQ(edge.send("access0", times(50, from_contoso(ping("10.0.0.1", "172.16.0.2")))).out.size(), 20U);
    edge.reload(budget(5));
    edge.now += kSecond;
    EXPECT_EQ(edge.send("access0", times(50, from_contoso(ping("10.0.0.1", "172.16.0.2")))).out.size(), 5U);
}

/// A slow pair; a slow circuit with an accounting of its own and a peering with a bucket of its own.
std::string slow(std::string_view accounting) {
    return R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1700, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
  access1: { role: access, mtu: 1600, service_tpid: 0x9100 }
customers:
  - name: contoso
    circuits:
      - { name: pair, links: { primary: access0, secondary: access1 }, service_vlan: 100, bandwidth: 1 Mbps, burst: 3000 B,
          accounting: )" +
           std::string(accounting) + R"(, peerings: [
          { type: private, vlan: 10, subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 },
            customer_mac: "02:00:00:00:01:01", customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: v4key, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0x2a01 } } ] } ] }
  - name: fabrikam
    circuits:
      - { name: single, port: access0, bandwidth: 8 Mbps, burst: 9000 B, accounting: )" +
           std::string(accounting) + R"(, peerings: [
          { type: private, vlan: 100, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:02:02",
            customer_prefixes: [10.0.0.0/16], bandwidth: 1 Mbps, burst: 3000 B,
            virtual_networks: [ { name: prod, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 } } ] } ] }
)";
}

TEST(ReplyBudget, TheCircuitPaysForReplies) {
    Edge edge(slow("l3"));
    const auto sent = edge.send("access0", times(5, from_contoso(ping("10.0.0.1", "172.16.0.2", 972))));
    EXPECT_EQ(sent.out.size(), 3U);
    EXPECT_EQ(ended(sent, Fate::punted), 5U);
    const auto circuit = edge.circuit(kContoso, Link::primary, kDown);
    EXPECT_EQ(circuit.passed, (Passed{3, 3000}));
    EXPECT_EQ(circuit.policed, (Passed{2, 2000}));
    EXPECT_EQ(edge.drops(Fate::policed), 2U);
    EXPECT_EQ(edge.port("access0").originated, 5U);
    const auto down = Packet().ip4("10.100.0.1", "172.16.0.1").udp().payload(72);
    EXPECT_EQ(edge.send("core0", {from_gateway("v4key", down)}).fate(), Fate::policed) << "one bucket for both";
    EXPECT_EQ(edge.send("access1", {from_contoso_secondary(ping("172.16.0.5", "172.16.0.6"))}).out.size(), 1U);
    // ICMP errors as well: of 576 bytes, when 8 ms have brought 1000.
    edge.now += 8'000'000;
    const auto expired = from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").ttl(1).udp().payload(1000));
    EXPECT_EQ(edge.send("access0", times(2, expired)).out.size(), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, kDown).policed, (Passed{4, 2000 + 100 + 576}));
}

TEST(ReplyBudget, APeeringsOwnBucketPaysToo) {
    Edge edge(slow("l2"));
    const auto sent = edge.send("access0", times(5, from_fabrikam(ping("10.0.0.1", "172.16.0.2", 972 - 18))));
    EXPECT_EQ(sent.out.size(), 3U) << "its 3000 bytes, not the circuit's 9000; with Ethernet header and tag";
    EXPECT_EQ(edge.circuit(kFabrikam, Link::primary, kDown).policed, (Passed{2, 2000}));
}

TEST(ReplyBudget, TheCircuitPaysForRepliesToTheCloud) {
    Edge edge(slow("l3"));
    const auto request = from_gateway("v4key", ping("10.100.0.1", "172.16.0.2", 972));
    EXPECT_EQ(edge.send("core0", times(5, request)).out.size(), 3U);
    const auto circuit = edge.circuit(kContoso, Link::primary, kUp);
    EXPECT_EQ(circuit.passed, (Passed{3, 3000}));
    EXPECT_EQ(circuit.policed, (Passed{2, 2000}));
    EXPECT_EQ(edge.send("access0", {from_contoso(up4())}).fate(), Fate::policed) << "one bucket for both";
}

TEST(ReplyBudget, WhatDoesNotLeaveCostsNothing) {
    Edge edge(slow("l3"));
    edge.refuse = [](const Output& output) { return output.reply; };
    const auto near = from_contoso(ping("10.0.0.1", "172.16.0.2", 972));
    const auto far = from_gateway("v4key", ping("10.100.0.1", "172.16.0.2", 972));
    EXPECT_TRUE(edge.send("access0", times(9, near)).out.empty());
    EXPECT_TRUE(edge.send("core0", times(9, far)).out.empty());
    EXPECT_EQ(edge.drops(Fate::tx_full), 6U);
    EXPECT_EQ(edge.drops(Fate::policed), 12U);
    edge.refuse = nullptr;
    EXPECT_EQ(edge.send("access0", times(9, near)).out.size(), 3U);
    EXPECT_EQ(edge.send("core0", times(9, far)).out.size(), 3U);
}

/// Bytes of an output to the customer in the accounting, whose frames have two tags.
std::uint64_t cost(const Output& output, std::string_view accounting) {
    constexpr unsigned kLink = 14 + 4 + 4;
    const auto ip = output.frame.size() - kLink;
    return ip + (accounting == "l3" ? 0 : kLink) + (accounting == "wire" ? 24 : 0);
}

TEST(ReplyBudget, NothingLeavesBeyondTheBucket) {
    // Pings at a thousand times the rate, errors and traffic from the cloud at once, over every interval.
    constexpr std::uint64_t kRate = 1'000'000;
    constexpr std::uint64_t kDepth = 3000;
    for (const std::string accounting : {"l3", "l2", "wire"}) {
        SCOPED_TRACE(accounting);
        std::mt19937 random(7);
        Edge edge(slow(accounting));
        struct Left {
            Nanoseconds at;
            std::uint64_t bytes;
        };
        std::vector<Left> all;
        for (int step = 0; step < 60; ++step) {
            edge.now += random() % 400'000;
            const auto size = 100 + random() % 1400;
            std::vector<Packet> up = times(28, from_contoso(ping("10.0.0.1", "172.16.0.2", size)));
            up.push_back(from_contoso(Packet().ip4("10.0.0.1", "203.0.113.1").udp().payload(size)));
            up.push_back(from_contoso(Packet().ip4("10.0.0.1", "172.16.0.1").udp().payload(size)));
            auto out = edge.send("access0", up).out;
            const auto down = Packet().ip4("10.100.0.1", "172.16.0.1").udp().payload(size / 4);
            for (auto& one : edge.send("core0", times(2, from_gateway("v4key", down))).out) { out.push_back(one); }
            std::uint64_t bytes = 0;
            for (const auto& one : out) { bytes += one.port == "access0" ? cost(one, accounting) : 0; }
            all.push_back({edge.now, bytes});
        }
        std::uint64_t most = 0;
        for (std::size_t from = 0; from < all.size(); ++from) {
            std::uint64_t sum = 0;
            for (std::size_t to = from; to < all.size(); ++to) {
                sum += all[to].bytes;
                // Units of 1/(8·10⁹) byte are exact.
                EXPECT_LE(sum * 8 * kSecond, kDepth * 8 * kSecond + kRate * (all[to].at - all[from].at));
                most = std::max(most, sum);
            }
        }
        EXPECT_GT(most * 8 * kSecond, kRate * (all.back().at - all.front().at)) << "the bucket was used";
        EXPECT_GT(edge.circuit(kContoso, Link::primary, kDown).policed.packets, 0U);
    }
}

}  // namespace reply_budget_test
}  // namespace peerlane::test
