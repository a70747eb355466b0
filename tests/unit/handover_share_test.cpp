// A flood that goes to another worker: the circuit that causes it pays for it, and another customer loses nothing.
#include "tests/unit/handover_case.hpp"

namespace peerlane::dataplane::handover_test {
namespace handover_share_test {

constexpr Association kHisOut{EspSuite::aes_gcm_128, 0x3001, 5};
constexpr Association kHisIn{EspSuite::aes_gcm_128, 0x4001, 6};
constexpr const char* kHisGateway = "198.51.100.20";
constexpr unsigned kFlood = 5'000, kHis = 64;
constexpr unsigned kShare = kHandoverRoom / 2;  // of one flood: no more places than are left

std::string outbound(const Association& sa) {
    std::string key;
    for (const auto octet : test::key_of(sa.suite, sa.mark)) {
        constexpr auto kDigits = "0123456789abcdef";
        key += {kDigits[octet >> 4U], kDigits[octet & 15U]};
    }
    return "{ spi: " + std::to_string(sa.spi) + ", key: \"" + key + "\" }";
}
/// Another customer; the SAs of its protected tunnel are worker 0's, as those of the first customer's are.
std::string fabrikam() {
    return R"(
  - { name: fabrikam, circuits: [ { name: single, port: access0, bandwidth: 400 Gbps, burst: 100 MB, peerings: [ {
      type: private, vlan: 200, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:02:02",
      customer_prefixes: [10.0.0.0/16], virtual_networks: [
        { name: clear, prefixes: [10.101.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.10, key: 7 } },
        { name: sealed, prefixes: [10.100.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.20, key: 8 },
          ipsec: { suite: aes-gcm-128, outbound: )" +
           outbound(kHisOut) + ", inbound: " + outbound(kHisIn) + " } } ] } ] } ] }\n";
}
Octets his_up(unsigned id) {
    const auto ip = Packet().ip4("10.0.0.1", "10.100.0.1").id(id).udp().payload(40);
    return Packet().ether(test::kAccess0Mac, test::kFabrikamMac).tag(200).then(ip).octets();
}
Octets his_down(std::uint64_t sequence) {
    const auto delivery = Packet().ip4(kHisGateway, "192.0.2.1").gre(8).then(test::down4());
    return test::frame_from_peer({.remote = kHisGateway}, test::seal(kHisIn, sequence, delivery.octets(), 4)).octets();
}

class HandoverShare : public Handover {
  protected:
    /// To worker 1, in portions that its queue holds, each of which it takes.
    void flood(unsigned port, unsigned count, const std::function<Octets(unsigned)>& frame) {
        for (unsigned fed = 0; fed < count;) {
            while (fed < count && feed(port, 1, frame(fed))) { ++fed; }
            poll(1);
        }
    }
    [[nodiscard]] std::uint64_t charged(const char* customer, Direction way, Fate reason) const {
        std::uint64_t sum = 0;
        for (const auto& one : snapshot->names.circuits) {
            if (one.customer != customer) { continue; }
            for (const auto& worker : state->workers) {
                const auto& cell = worker->circuit_drops[circuit_cell(one.slot, Link::primary, way)];
                sum += read(cell.packets[kCircuitReason[reason_index(reason)]]);
            }
        }
        return sum;
    }
    /// The places in the ring to worker 0 of the first customer, and of his circuit.
    void expect_places(std::uint32_t count) {
        const auto places = rings->all()[0]->shares().places(payer_of(*snapshot, 0));
        EXPECT_EQ(places.circuit, count);
        EXPECT_EQ(places.customer, count);
    }
};

TEST_F(HandoverShare, OfAnotherCustomersTunnel) {
    start(1, false, kFast, fabrikam());
    flood(kAccess, kFlood, [](unsigned i) { return up(i); });
    expect_places(kShare);
    flood(kAccess, kHis, his_up);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::handover_full), kFlood - kShare);
    EXPECT_EQ(charged("fabrikam", Direction::to_cloud, Fate::handover_full), 0U);
    EXPECT_EQ(drops(1, Fate::handover_full), kFlood - kShare);
    poll(0);
    unsigned his = 0;
    for (const auto& one : take(kCore)) {
        const auto got = test::unseal(kHisOut, test::esp_in(one.frame));
        if (!got) { continue; }
        EXPECT_EQ(got->payload[28 + 4] << 8U | got->payload[28 + 5], his++) << "in order";
    }
    EXPECT_EQ(his, kHis) << "none is lost";
    expect_places(0);
    expect_conservation(kFlood + kHis);
}

TEST_F(HandoverShare, OfForgedPackets) {
    start(1, false, kFast, fabrikam());
    flood(kCore, kFlood, [](unsigned i) {
        auto frame = down(1 + i);
        frame.back() ^= 1U;
        return frame;
    });
    flood(kCore, kHis, [](unsigned i) { return his_down(1 + i); });
    EXPECT_EQ(charged("contoso", Direction::to_customer, Fate::handover_full), kFlood - kShare);
    EXPECT_EQ(charged("fabrikam", Direction::to_customer, Fate::handover_full), 0U);
    poll(0);
    EXPECT_EQ(drops(0, Fate::esp_bad_icv), kShare);
    EXPECT_EQ(take(kAccess).size(), kHis) << "none is lost";
    expect_places(0);
    expect_conservation(kFlood + kHis);
}

TEST_F(HandoverShare, WhatTheBucketCouldNotPassTakesNoPlace) {
    clock = {0, 0};  // stands still: no bucket fills
    start(1, false, "bandwidth: 1 Mbps\n        burst: 6800 B");
    flood(kAccess, kFlood, [](unsigned i) { return up(i); });
    expect_places(kShare);  // nothing is charged yet
    poll(0);
    EXPECT_EQ(take(kCore).size(), 100U) << "of 68 bytes each";
    EXPECT_EQ(drops(0, Fate::policed), kShare - 100);
    // From here on the flood ends where it came in.
    flood(kAccess, kFlood, [](unsigned i) { return up(i); });
    expect_places(0);
    EXPECT_EQ(drops(1, Fate::handover_full), kFlood - kShare);
    EXPECT_EQ(drops(1, Fate::policed), kFlood);
    EXPECT_EQ(charged("contoso", Direction::to_cloud, Fate::policed), kFlood + kShare - 100);
    const auto cell = circuit_cell(0, Link::primary, Direction::to_cloud);
    EXPECT_EQ(read(state->workers[1]->circuit_drops[cell].policed_bytes), kFlood * 68U);
    expect_conservation(2 * kFlood);
}

TEST_F(HandoverShare, AReloadForgetsNoPlace) {
    start(1, false, kFast, fabrikam());
    flood(kAccess, kFlood, [](unsigned i) { return up(i); });
    expect_places(kShare);
    // The first customer's tags are nobody's now, and his slots are let go.
    auto text = test::vpn_edge({}, kFast);
    text = text.substr(0, text.find("customers:")) + "customers:" + fabrikam();
    const auto loaded = config::load_text(text, "f");
    ASSERT_TRUE(loaded.ok());
    const auto after = compile(loaded.model, *state, snapshot.get(), {{}, clock.now()});
    state->commit();
    for (auto& worker : workers) { worker->snapshot = after.get(); }
    poll(0);
    EXPECT_EQ(drops(0, Fate::unknown_vlan), kShare);
    expect_places(0);
    expect_conservation(kFlood);
}

}  // namespace handover_share_test
}  // namespace peerlane::dataplane::handover_test
