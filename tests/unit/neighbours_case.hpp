// Neighbours under test: a configuration, a clock that the test sets, the frames the edge sends, and what others say to
// it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "dataplane/control/neighbours.hpp"
#include "dataplane/pipeline/burst.hpp"
#include "dataplane/tables/compile.hpp"
#include "tests/unit/octets.hpp"

namespace peerlane::dataplane::test {

using Is = Neighbours::State;

inline constexpr Nanoseconds kMs = 1'000'000;
inline constexpr Mac kAccessMac{{0x02, 0, 0, 0, 0, 0xa0}}, kCoreMac{{0x02, 0, 0, 0, 0, 0xc0}};
inline constexpr Mac kRouter{{0x02, 0, 0, 0, 0x01, 0x01}}, kOther{{0x02, 0, 0, 0, 0x02, 0x02}};
inline constexpr Mac kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
inline constexpr std::uint8_t kA0 = 0, kA1 = 1, kC0 = 2;
inline constexpr Ip4 kCustomer4{0xac100001}, kEdge4{0xac100002};                     // 172.16.0.1 and .2
inline constexpr Ip4 kGateway4{0xc00002fe}, kCore4{0xc0000201}, kNear4{0xc0000205};  // 192.0.2.254, .1, .5
inline constexpr Ip6 kCustomer6{0xfd00'0172'0000'0000, 1}, kEdge6{0xfd00'0172'0000'0000, 2};

inline std::string ports() {
    return R"(
ports:
  a0: { role: access, mac: "02:00:00:00:00:a0" }
  a1: { role: access, mac: "02:00:00:00:00:a1" }
  c0: { role: core, mtu: 1600, mac: "02:00:00:00:00:c0", address: 192.0.2.1/24, gateway: 192.0.2.254 }
customers:
)";
}

struct Customer {
    std::string name = "contoso";
    std::string tags = "service_vlan: 100, ";
    int vlan = 10;
    std::string way = "port: a0";
    std::string subnet = R"(subnet: 172.16.0.0/30, subnet6: "fd00:172::/126")";
    std::string remote = "198.51.100.7";
};
inline std::string text(const Customer& one) {
    static int key = 0;  // of nobody's concern, but no two may have the same
    return "  - { name: " + one.name + ", circuits: [ { name: sea, " + one.way + ", " + one.tags +
           "bandwidth: 1 Gbps, peerings: [ { type: private, vlan: " + std::to_string(one.vlan) + ", " + one.subnet +
           ", customer_prefixes: [10.0.0.0/16], virtual_networks: [ { name: n, prefixes: [10.100.0.0/16], " +
           "tunnel: { local: 192.0.2.1, remote: " + one.remote + ", key: " + std::to_string(++key) +
           " } } ] } ] } ] }\n";
}

/// A place on a wire: a port, and the tags there (TPID and TCI).
struct Place {
    std::uint8_t port = kA0;
    std::vector<std::array<std::uint16_t, 2>> tags{{0x8100, 100}, {0x8100, 10}};
};
inline const Place kCore{kC0, {}};

inline Octets frame(const Place& place, const Mac& to, const Mac& from, std::uint16_t type, const Octets& body) {
    Octets octets(to.octets.begin(), to.octets.end());
    octets.insert(octets.end(), from.octets.begin(), from.octets.end());
    const auto add = [&](std::uint16_t value) {
        octets.push_back(static_cast<std::uint8_t>(value >> 8U));
        octets.push_back(static_cast<std::uint8_t>(value));
    };
    for (const auto& [tpid, tci] : place.tags) {
        add(tpid);
        add(tci);
    }
    add(type);
    octets.insert(octets.end(), body.begin(), body.end());
    return octets;
}

struct Sent {
    std::uint8_t port;
    Octets octets;
    bool operator==(const Sent&) const = default;
};
/// From the destination on; `at` is where the message begins.
inline Mac destination(const Sent& sent) {
    Mac mac;
    std::copy_n(sent.octets.begin(), 6, mac.octets.begin());
    return mac;
}

class Neighbourhood : public testing::Test {
  protected:
    const Snapshot& publish(const std::string& yaml) {
        const auto loaded = config::load_text(yaml, "f.yaml");
        EXPECT_TRUE(loaded.ok()) << (loaded.findings.empty() ? "" : loaded.findings[0].what);
        snapshots.push_back(
            compile(loaded.model, state, snapshots.empty() ? nullptr : snapshots.back().get(), {{3, Mac{}}, now}));
        state.commit();
        neighbours.adopt(here(), now);
        return here();
    }
    [[nodiscard]] const Snapshot& here() const { return *snapshots.back(); }

    /// Lets time pass and then ticks, once.
    void tick(Nanoseconds after = 0) {
        now += after;
        neighbours.tick(here(), up, now);
    }
    /// The same in small steps, as the edge does.
    void pass(Nanoseconds time) {
        for (const auto end = now + time; now < end;) { tick(std::min(25 * kMs, end - now)); }
    }
    /// Everything sent since the last call.
    std::vector<Sent> taken() { return std::exchange(sent, {}); }
    [[nodiscard]] std::size_t released_now() { return std::exchange(released, {}).size(); }

    bool arp(const Place& place, const ArpMessage& message) {
        Octets body(kArpLength);
        write_arp(body.data(), message);
        return receive(place.port, frame(place, kEverybody, message.sender_mac, 0x0806, body), attachment_at(place));
    }
    bool nd(const Place& place, const NdMessage& message, const Mac& from = kRouter) {
        Octets body(kNdMaxLength);
        body.resize(write_nd(body.data(), message));
        return receive(place.port, frame(place, kEverybody, from, 0x86dd, body), attachment_at(place));
    }
    bool receive(std::uint8_t port, const Octets& octets, std::uint32_t attachment) {
        if (port != kC0 && attachment == kNowhere) { return false; }  // never gets here: LocalDelivery::take()
        const Cut cut(octets, octets.size());
        return neighbours.receive(here(), port, attachment, {cut.data(), octets.size()}, now);
    }
    /// The customer's answer to a question of the edge.
    bool answer4(const Place& place, const Mac& mac = kRouter, Ip4 from = kCustomer4, Ip4 to = kEdge4) {
        return arp(place, {false, mac, from, kAccessMac, to});
    }
    bool answer6(const Place& place, std::optional<Mac> mac = kRouter, bool solicited = true, bool over = true) {
        NdMessage said{NdMessage::Kind::advertisement, kCustomer6, kEdge6, kCustomer6, mac};
        said.solicited = solicited;
        said.override_entry = over;
        return nd(place, said);
    }

    [[nodiscard]] std::uint32_t attachment_at(const Place& place) const {
        if (place.tags.empty()) { return kNowhere; }
        const auto vid = [&](std::size_t i) { return i < place.tags.size() ? place.tags[i][1] & 0xfffU : 0U; };
        return here().ports[place.port].vlans.find(vid(0), vid(1));
    }
    [[nodiscard]] const Neighbours::Entry& entry(const Place& place, Ip6 address) const {
        for (const auto& one : neighbours.all()) {
            const bool same = one.plan.port == place.port && one.plan.attachment == attachment_at(place);
            if (same && one.plan.address == address) { return one; }
        }
        throw std::out_of_range("no such neighbour");
    }
    [[nodiscard]] const Neighbours::Entry& four(const Place& place = {}, Ip4 address = kCustomer4) const {
        return entry(place, {0, table::mapped(address)});
    }
    [[nodiscard]] const Neighbours::Entry& six(const Place& place = {}) const { return entry(place, kCustomer6); }
    /// What workers see: the MAC as the destination of a frame, and whether it is known or may be waited for.
    struct Word {
        Mac mac;
        bool known, holds;
        bool operator==(const Word&) const = default;
    };
    [[nodiscard]] Word word(std::uint32_t index) const {
        const auto value = state.neighbours[index];
        Word seen{{}, (value & neighbour::kKnown) != 0, (value & neighbour::kHolds) != 0};
        for (unsigned i = 0; i < 6; ++i) { seen.mac.octets[i] = static_cast<std::uint8_t>(value >> 8U * i); }
        return seen;
    }
    [[nodiscard]] Word word4(const Place& place = {}) const { return word(four(place).plan.word); }
    [[nodiscard]] Word word6(const Place& place = {}) const { return word(six(place).plan.word); }

    State state{1};
    std::vector<std::unique_ptr<Snapshot>> snapshots;
    std::vector<Sent> sent;
    std::vector<rte_mbuf*> released;
    struct Change {
        Ip6 address;
        bool alive;
        unsigned changes;
        bool operator==(const Change&) const = default;
    };
    std::vector<Change> told;  // of who died or came back
    std::vector<bool> up{true, true, true};
    Nanoseconds now = 1'000'000'000;
    Neighbours neighbours{state,
                          {[this](std::uint8_t port, std::span<const std::uint8_t> octets) {
                               sent.push_back({port, Octets(octets.begin(), octets.end())});
                           },
                           [this](rte_mbuf* packet) { released.push_back(packet); },
                           [this](const Neighbours::Entry& entry, unsigned changes) {
                               told.push_back({entry.plan.address, entry.alive, changes});
                           }}};
    std::array<rte_mbuf, 1200> packets{};  // nobody looks into them
};

}  // namespace peerlane::dataplane::test
