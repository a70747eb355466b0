// ARP, neighbour discovery and ICMP, changed by anybody, to an edge that has to learn every MAC: what it learns was
// said on the same link, by a MAC that one station can have; packets that wait are neither lost nor anybody else's.
#include <algorithm>

#include "tests/fuzz/bench.hpp"
#include "tests/fuzz/require.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;
using test::Packet;

constexpr const char* kStations[] = {"02:00:00:00:01:01", "02:00:00:00:02:02", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
                                     "00:00:00:00:00:00"};

struct Place {
    unsigned port, customer;  // kThree: the core
};

Packet link_of(const Place& place, const char* to, const char* from) {
    auto frame = Packet().ether(to, from);
    if (place.customer == kThree) { return frame; }
    if (place.customer == 1) { return frame.tag(300); }
    return frame.tag(place.customer == 0 ? 100 : 200, place.port == kAccess0 ? 0x88a8 : 0x9100).tag(10);
}

/// The edge's and the neighbour's address there, by family.
struct Ends {
    std::string edge, other;
};
Ends ends_of(const Place& place, bool six) {
    if (place.customer == kThree) {
        return six ? Ends{"2001:db8:ffff::1", "2001:db8:ffff::fe"} : Ends{kLocal, "192.0.2.254"};
    }
    const bool second = place.customer == 0 && place.port == kAccess1;
    if (six) { return second ? Ends{"fd00:172::6", "fd00:172::5"} : Ends{"fd00:172::2", "fd00:172::1"}; }
    return second ? Ends{"172.16.0.6", "172.16.0.5"} : Ends{"172.16.0.2", "172.16.0.1"};
}

Octets mac_of(const char* text) {
    const auto frame = Packet().ether(text).octets();
    return {frame.begin(), frame.begin() + 6};
}

Packet arp(bool request, const char* sender, const std::string& from, const std::string& to) {
    Octets body{0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(request ? 1 : 2)};
    const auto add = [&](const Octets& more) { body.insert(body.end(), more.begin(), more.end()); };
    add(mac_of(sender));
    add(test::address(from));
    add(Octets(6));
    add(test::address(to));
    return Packet().raw(body, 0x0806);
}

/// A solicitation or an advertisement with its option (RFC 4861 §4.3, §4.4).
Packet discovery(bool solicitation, const char* sender, const std::string& from, const std::string& to,
                 unsigned flags) {
    auto body = test::address(solicitation ? to : from);
    body.insert(body.end(), {static_cast<std::uint8_t>(solicitation ? 1 : 2), 1});
    const auto mac = mac_of(sender);
    body.insert(body.end(), mac.begin(), mac.end());
    return Packet()
        .ip6(from, to)
        .ttl(255)
        .icmp6(solicitation ? 135 : 136, 0, solicitation ? 0 : flags << 24U)
        .payload(body);
}

Octets frame_of(Input& input, Bench& bench, const Place& place) {
    const auto kind = input.byte();
    const bool six = (kind & 8U) != 0;
    const auto ends = ends_of(place, six);
    const char* sender = kStations[input.one_in(4) ? input.below(5) : (kind >> 4U & 1U)];
    const char* to = (kind & 32U) != 0 ? "ff:ff:ff:ff:ff:ff" : kPortMac[place.port];
    const auto link = link_of(place, to, sender);
    Packet body;
    switch (kind & 7U) {
        case 0:
        case 1:
        case 2:
            body = six ? discovery(false, sender, ends.other, ends.edge, input.byte())
                       : arp(false, sender, ends.other, ends.edge);
            break;
        case 3:
            body = six ? discovery(true, sender, ends.other, ends.edge, 0) : arp(true, sender, ends.other, ends.edge);
            break;
        case 4:
            body = six ? Packet().ip6(ends.other, ends.edge).icmp6(128) : Packet().ip4(ends.other, ends.edge).icmp(8);
            body.payload(bench.payload(40));
            break;
        case 5:
            body = six ? Packet().ip6(ends.edge, ends.other).icmp6(136) : arp(false, sender, ends.edge, ends.edge);
            break;
        default:  // something that has to wait
            body = six ? Packet().ip6("fd00:10::1", "fd00:100::1").udp() : Packet().ip4("10.0.0.1", "10.104.0.1").udp();
            body.payload(bench.payload(60));
    }
    auto frame = Packet(link).then(body).octets();
    edit(input, frame, link.octets().size());
    return frame;
}

/// Every MAC that is used for somebody was in a frame on that port, and is one station's.
void check_learnt(const Bench& bench, const std::vector<Octets> (&heard)[kPorts]) {
    for (const auto& entry : bench.local->neighbours().all()) {
        const auto word = read(bench.state.neighbours[entry.plan.word]);
        if ((word & neighbour::kKnown) == 0) { continue; }
        Octets mac;
        for (unsigned i = 0; i < 6; ++i) { mac.push_back(static_cast<std::uint8_t>(word >> (8U * i))); }
        require((mac[0] & 1U) == 0, "a group's MAC was learnt");
        require(std::any_of(mac.begin(), mac.end(), [](auto octet) { return octet != 0; }),
                "a MAC of nobody was learnt");
        const auto& frames = heard[entry.plan.port];
        require(std::any_of(frames.begin(), frames.end(),
                            [&](const Octets& frame) {
                                return std::search(frame.begin(), frame.end(), mac.begin(), mac.end()) != frame.end();
                            }),
                "a MAC was learnt that nobody said on port {}", entry.plan.port);
    }
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    constexpr Place kPlaces[] = {{kAccess0, 0}, {kAccess1, 0},   {kAccess0, 1},
                                 {kAccess1, 2}, {kCore, kThree}, {kCore, kThree}};
    Input input(data, size);
    Bench bench(true);
    std::vector<Octets> heard[kPorts];
    bench.settle();
    for (unsigned frames = 0; frames < 60 && !input.empty(); ++frames) {
        const auto choice = input.byte();
        const auto& place = kPlaces[(choice & 15U) % std::size(kPlaces)];
        const auto frame = (choice & 112U) == 112 ? raw_frame(input) : frame_of(input, bench, place);
        bench.allow(frame, place.port == kCore ? owners_by_key(frame) : owners_by_tags(place.port, frame));
        heard[place.port].push_back(frame);
        bench.feed(place.port, choice >> 7U, frame);
        const auto after = input.byte();
        constexpr peerlane::Nanoseconds kTimes[] = {0, 0, 30'000'000, 1'100'000'000, 160'000'000, 0, 31'000'000'000, 0};
        bench.now += kTimes[after & 7U];
        if ((after & 24U) != 0) {
            bench.settle();
            check_learnt(bench, heard);
        }
    }
    bench.settle();
    check_learnt(bench, heard);
    return 0;
}
