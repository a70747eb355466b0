// Many peerings with the same addresses, and messages at random: what each peering's neighbours are known by, and what
// is answered, against a model that keeps every peering by itself.
#include <array>
#include <random>

#include "tests/unit/neighbours_case.hpp"

namespace peerlane::dataplane::test {
namespace {

constexpr unsigned kPeerings = 24;
constexpr Ip4 kAddresses4[] = {kCustomer4, kEdge4, {0xac100003}, {0}, kGateway4, kCore4};
constexpr Mac kMacs[] = {kRouter, kOther, {{0x02, 0, 0, 0, 3, 3}}, {{0x02, 0, 0, 0, 4, 4}}, kAccessMac, kEverybody, {}};
constexpr Ip6 kStranger6{0xfd00'0172'0000'0000, 3};

/// QinQ under two S-VIDs and single tags, so that every tag occurs in several places.
Place place_of(unsigned i) {
    const auto low = static_cast<std::uint16_t>(10 + i / 3);
    if (i % 3 == 2) { return {kA0, {{0x8100, low}}}; }
    return {kA0, {{0x8100, static_cast<std::uint16_t>(10 + i % 3)}, {0x8100, static_cast<std::uint16_t>(100 + low)}}};
}
Customer customer_of(unsigned i) {
    const auto place = place_of(i);
    const bool single = place.tags.size() == 1;
    return {.name = "c" + std::to_string(i),
            .tags = single ? "" : "service_vlan: " + std::to_string(place.tags[0][1] + i / 3 * 100) + ", ",
            .vlan = place.tags.back()[1]};
}
/// As customer_of() says it: circuits have their S-VIDs to themselves.
Place tagged(unsigned i) {
    auto place = place_of(i);
    if (place.tags.size() == 2) { place.tags[0][1] = static_cast<std::uint16_t>(place.tags[0][1] + i / 3 * 100); }
    return place;
}

class Random : public Neighbourhood {
  protected:
    std::mt19937 random{4};
    std::array<bool, kPeerings> present{};
    std::array<std::array<std::optional<Mac>, 2>, kPeerings> known;  // by family
    unsigned answers = 0, learnt = 0;

    unsigned pick(std::size_t many) { return static_cast<unsigned>(random() % many); }
    Mac any_mac() { return kMacs[pick(std::size(kMacs))]; }
    static bool usable(const Mac& mac) { return !mac.is_group() && mac != Mac{} && mac != kAccessMac; }
    void know(unsigned i, bool six, const Mac& mac) {
        known[i][six] = mac;
        ++learnt;
    }

    void reload() {
        std::string yaml = ports();
        std::array<unsigned, kPeerings> order{};
        for (unsigned i = 0; i < kPeerings; ++i) { order[i] = i; }
        std::shuffle(order.begin(), order.end(), random);
        for (const auto i : order) {
            present[i] = pick(8) != 0;
            if (present[i]) { yaml += text(customer_of(i)); }
            if (!present[i]) { known[i] = {}; }
        }
        publish(yaml);
    }

    /// Says it at peering `i`; whether it should be answered.
    bool say_arp(unsigned i, bool& answered) {
        const ArpMessage message{pick(2) == 0, any_mac(), kAddresses4[pick(std::size(kAddresses4))], any_mac(),
                                 kAddresses4[pick(std::size(kAddresses4))]};
        answered = arp(tagged(i), message);
        if (!present[i] || !usable(message.sender_mac)) { return false; }
        if (message.sender == kCustomer4) { know(i, false, message.sender_mac); }
        return message.request && message.target == kEdge4;
    }
    bool say_nd(unsigned i, bool& answered) {
        const Ip6 all[] = {kCustomer6, kEdge6, kStranger6, link_local(kAccessMac)};
        NdMessage message;
        message.kind = pick(2) == 0 ? NdMessage::Kind::solicitation : NdMessage::Kind::advertisement;
        message.source = all[pick(std::size(all))];
        message.destination = kEdge6;
        message.target = all[pick(std::size(all))];
        if (pick(4) != 0) { message.link_address = any_mac(); }
        message.solicited = pick(2) == 0;
        message.override_entry = pick(2) == 0;
        const Mac from = kMacs[pick(4)];
        answered = nd(tagged(i), message, from);
        if (!present[i] || message.link_address == kAccessMac) { return false; }
        const bool said = message.link_address && usable(*message.link_address);
        if (message.kind == NdMessage::Kind::advertisement) {
            const auto& before = known[i][1];
            const bool believed = !before || *before == message.link_address || message.override_entry;
            if (said && message.target == kCustomer6 && believed) { know(i, true, *message.link_address); }
            return false;
        }
        const bool for_us = message.target == kEdge6 || message.target == link_local(kAccessMac);
        if (for_us && said && message.source == kCustomer6) { know(i, true, *message.link_address); }
        return for_us;
    }
    void check(unsigned said_at, bool expected, bool answered) {
        ASSERT_EQ(answered, expected);
        const auto out = taken();
        ASSERT_EQ(out.size(), expected ? 1U : 0U);
        if (expected) {
            const auto place = tagged(said_at);
            const auto tags = frame(place, {}, kAccessMac, 0, {});
            ASSERT_EQ(out[0].port, place.port);
            ASSERT_TRUE(std::equal(tags.begin() + 6, tags.end() - 2, out[0].octets.begin() + 6)) << "in its peering";
            ++answers;
        }
        for (unsigned i = 0; i < kPeerings; ++i) {
            if (!present[i]) { continue; }
            const auto place = tagged(i);
            for (const bool six : {false, true}) {
                const auto word = six ? word6(place) : word4(place);
                ASSERT_EQ(word.known, known[i][six].has_value()) << i << (six ? " IPv6" : " IPv4");
                if (word.known) { ASSERT_EQ(word.mac, *known[i][six]) << i << (six ? " IPv6" : " IPv4"); }
            }
        }
    }
};

TEST_F(Random, PeeringsNeverMix) {
    reload();
    for (int step = 0; step < 20'000; ++step) {
        if (step % 500 == 499) { reload(); }
        now += kMs;
        const unsigned i = pick(kPeerings);
        bool answered = false;
        const bool expected = pick(2) == 0 ? say_arp(i, answered) : say_nd(i, answered);
        check(i, expected, answered);
        if (HasFatalFailure()) { FAIL() << "step " << step; }
    }
    EXPECT_GT(answers, 1'500U);
    EXPECT_GT(learnt, 1'000U);
}

TEST_F(Random, OctetsAtRandomDoNoHarm) {
    reload();
    Octets arp_body(kArpLength);
    write_arp(arp_body.data(), {true, kRouter, kCustomer4, {}, kEdge4});
    Octets nd_body(kNdMaxLength);
    nd_body.resize(write_nd(nd_body.data(), {NdMessage::Kind::solicitation, kCustomer6, kEdge6, kEdge6, kRouter}));
    for (int step = 0; step < 100'000; ++step) {
        const auto place = tagged(pick(kPeerings));
        const bool six = pick(2) == 0;
        auto octets = frame(place, kEverybody, kRouter, six ? 0x86dd : 0x0806, six ? nd_body : arp_body);
        for (auto flips = pick(6); flips > 0; --flips) {
            octets[pick(octets.size())] ^= static_cast<std::uint8_t>(1U << pick(8));
        }
        octets.resize(pick(4) == 0 ? pick(octets.size() + 1) : octets.size());
        receive(kA0, octets, attachment_at(place));
        for (const auto& one : taken()) { ASSERT_EQ(one.port, kA0); }
    }
}

}  // namespace
}  // namespace peerlane::dataplane::test
