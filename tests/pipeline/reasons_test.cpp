// A case for every reason to drop, and whom it is charged to.
#include <map>
#include <set>

#include "tests/pipeline/sealed.hpp"

namespace peerlane::test {
namespace reasons_test {

/// What only several workers can bring about (tests/unit/handover_test.cpp has their cases), a worker and control
/// (tests/unit/local_limits_test.cpp), or a device (tests/unit/io_worker_test.cpp, tests/live/test_unfinished.py).
const std::set<Fate> kAmongWorkers{Fate::no_lane,     Fate::handover_full, Fate::punt_limited, Fate::punt_full,
                                   Fate::super_frame, Fate::link_down,     Fate::tx_failed,    Fate::tags_reassigned};

/// One frame that ends for each reason; the fixture's switches where a frame alone cannot bring it about.
struct Cause {
    const char* port;
    Packet packet;
    enum class Trouble : std::uint8_t {
        none,
        no_buffers,
        transmitter_full,
        no_customer_mac,
        exhausted,
        unreserved,
        no_replies
    } trouble = Trouble::none;
    unsigned before = 0;  // so many times it does not end for that reason
};

// A bucket with room for one large packet, a hard limit of two packets for each SA of `prod`.
const Vpn kVpn{.more = ", lifetime: { hard: { packets: 2 } }"};
const char* const kCircuit = "bandwidth: 2 Mbps\n        burst: 1600 B";

Packet esp(const Octets& octets, bool udp = false) {
    return frame_from_peer({.udp = udp}, octets);
}
/// Sealed well, whatever it is.
Packet sealed(const Octets& payload, unsigned next_header = 4, const Trailer& trailer = {}) {
    return esp(seal(kVpn.own(false), 1, payload, next_header, trailer));
}
Octets delivered(const Packet& outer) {
    return Packet(outer).then(down4()).octets();
}
Octets with_last_bit_flipped(Octets octets) {
    octets.back() ^= 1U;
    return octets;
}

std::map<Fate, Cause> causes() {
    using enum Cause::Trouble;
    const unsigned buffer = Edge(kPair).buffer_size();
    const auto inside = [] { return Packet().ip4("198.51.100.7", "192.0.2.1").df(); };
    const auto good = delivered(inside().gre(0x2a01));
    const auto first = seal(kVpn.own(false), 1, good, 4);
    const auto up = from_contoso(up4());
    const auto outer = [] { return Packet().ether(kCoreMac, kGatewayMac).ip4("198.51.100.8", "192.0.2.1"); };
    const auto gre = [&] { return outer().gre(1); };
    return {
        {Fate::runt, {"access0", from_contoso(up4()).truncate(20)}},
        {Fate::chained, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(12'000)).segments(2)}},
        {Fate::not_for_us, {"core0", Packet().ether().ip4("198.51.100.8", "192.0.2.77").gre(1).then(down4())}},
        {Fate::bad_tag, {"access0", Packet().ether().tag(4095).then(up4())}},
        {Fate::unknown_vlan, {"access0", Packet().ether().tag(5).then(up4())}},
        {Fate::multicast, {"access0", from_contoso(up4("224.0.0.1"))}},
        {Fate::not_ip, {"access0", from_contoso(up4()).ether_type(0x88cc)}},
        {Fate::truncated, {"access0", from_contoso(up4()).truncate(60)}},
        {Fate::bad_header, {"access0", from_contoso(Packet(up4()).version(5))}},
        {Fate::bad_checksum, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").wrong_checksum())}},
        {Fate::oversize, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1600))}},
        {Fate::martian, {"access0", from_contoso(up4("127.0.0.1"))}},
        {Fate::jumbogram,
         {"access0", from_contoso(Packet()
                                      .ip6("fd00:10::1", "fd00:100::1")
                                      .protocol(0)
                                      .total_length(0)
                                      .payload({17, 0, 0xc2, 4, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}))}},
        {Fate::extension_header,
         {"access0",
          from_contoso(Packet().ip6("fe80::1", "fe80::ff:fe00:0").protocol(43).payload({17, 0, 0, 1, 0, 0, 0, 0}))}},
        {Fate::source_not_accepted, {"access0", from_contoso(up4("10.100.0.1", "11.0.0.1"))}},
        {Fate::no_route, {"access0", from_contoso(up4("203.0.113.1"))}},
        {Fate::ttl_expired, {"access0", from_contoso(Packet(up4()).ttl(1))}},
        {Fate::too_big, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").df().payload(1500))}},
        {Fate::policed, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.101.0.1").payload(1400)), none, 1}},
        {Fate::no_neighbour, {"core0", gre().then(down4()), no_customer_mac}},
        {Fate::reply_limited, {"access0", from_contoso(Packet().ip4("10.0.0.1", "172.16.0.2").icmp(8)), no_replies}},
        {Fate::outer_not_ip, {"core0", gre().then(down4()).ether_type(0x8847)}},
        {Fate::outer_truncated, {"core0", gre().then(down4()).truncate(50)}},
        {Fate::outer_bad_header, {"core0", outer().version(7).gre(1).then(down4())}},
        {Fate::outer_bad_checksum, {"core0", outer().wrong_checksum().gre(1).then(down4())}},
        {Fate::outer_fragment, {"core0", outer().fragment(1).gre(1).then(down4())}},
        {Fate::gre_bad_header, {"core0", gre().gre_flags(1).then(down4())}},
        {Fate::gre_bad_checksum, {"core0", gre().gre_checksum().wrong_checksum().then(down4())}},
        {Fate::unknown_tunnel, {"core0", outer().gre(2).then(down4())}},
        {Fate::gre_protocol, {"core0", gre().gre_protocol(0x6558).then(down4())}},
        {Fate::ecn_mismatch, {"core0", outer().tos(3).gre(1).then(down4())}},
        {Fate::from_cloud_to_cloud, {"core0", gre().then(down4("10.100.0.2"))}},
        {Fate::esp_unknown_spi, {"core0", esp(seal({.spi = 0x2002, .mark = 2}, 1, good, 4))}},
        {Fate::esp_encapsulation, {"core0", esp(first, true)}},
        {Fate::nat_keepalive, {"core0", esp({0xff}, true)}},
        {Fate::esp_truncated, {"core0", esp(Octets(first.begin(), first.begin() + 33))}},
        {Fate::esp_not_blocks, {"core0", esp(Octets(first.begin(), first.end() - 1))}},
        {Fate::esp_wrong_tunnel, {"core0", sealed(delivered(Packet().ip4("198.51.100.8", "192.0.2.1").gre(1)))}},
        {Fate::esp_replayed, {"core0", esp(first), none, 1}},
        {Fate::esp_late, {"core0", esp(seal(kVpn.own(false), 0, good, 4))}},
        {Fate::esp_bad_icv, {"core0", esp(with_last_bit_flipped(first))}},
        {Fate::esp_bad_pad_length, {"core0", sealed(Octets(10, 0x45), 4, {Octets{}, 11U})}},
        {Fate::esp_bad_padding, {"core0", sealed(Octets(23, 0x45), 4, {Octets{1, 2, 4}, 3U})}},
        {Fate::esp_next_header, {"core0", sealed(good, 47)}},
        {Fate::esp_inner_truncated, {"core0", sealed(Octets(23, 0x45))}},
        {Fate::esp_inner_bad, {"core0", sealed(delivered(inside().protocol(17).gre(0x2a01)))}},
        {Fate::esp_dummy, {"core0", sealed(Octets(40, 0), 59)}},
        {Fate::clear_refused, {"core0", outer_from_gateway("v4key").then(down4())}},
        {Fate::sa_expired, {"access0", up, none, 2}},
        {Fate::sequence_exhausted, {"access0", up, exhausted}},
        {Fate::sequence_not_reserved, {"access0", up, unreserved}},
        {Fate::no_tailroom, {"access0", Packet(up).headroom(buffer - static_cast<unsigned>(up.size()))}},
        {Fate::no_headroom, {"access0", from_contoso(up4()).headroom(0)}},
        {Fate::no_memory, {"access0", from_contoso(Packet().ip4("10.0.0.1", "10.100.0.1").payload(1500)), no_buffers}},
        {Fate::tx_full, {"access0", from_contoso(up4()), transmitter_full}},
    };
}

TEST(Reasons, EveryOneHasACase) {
    using enum Cause::Trouble;
    const auto all = causes();
    const auto yaml = vpn_edge(kVpn, kCircuit);
    auto no_mac = yaml;
    no_mac.replace(no_mac.find("customer_mac"), std::string_view("customer_mac").size(), "#");
    for (std::size_t reason = 0; reason < dataplane::kDropReasons; ++reason) {
        const auto fate = static_cast<Fate>(reason + dataplane::kFirstDrop);
        SCOPED_TRACE(name_of(fate));
        ASSERT_NE(all.contains(fate), kAmongWorkers.contains(fate)) << "no case, or one too many";
        if (kAmongWorkers.contains(fate)) { continue; }
        const Cause& cause = all.at(fate);
        dataplane::SaMemory memory;
        if (cause.trouble == exhausted) { memory[kVpn.own(true).out()].sequence = 0xffff'ffff; }
        const auto silent = "edge: { replies_per_second: 0 }" + yaml;
        Edge edge(cause.trouble == no_customer_mac ? no_mac
                  : cause.trouble == no_replies    ? silent
                                                   : yaml,
                  memory, cause.trouble == unreserved);
        for (unsigned i = 0; i < cause.before; ++i) {
            EXPECT_EQ(edge.send(cause.port, {cause.packet}).fate(), Fate::sent);
        }
        edge.starve = cause.trouble == no_buffers;
        if (cause.trouble == transmitter_full) {
            edge.refuse = [](const Output&) { return true; };
        }
        EXPECT_EQ(edge.send(cause.port, {cause.packet}).fate(), fate);
        const auto way = std::string_view(cause.port) == "core0" ? Direction::to_customer : Direction::to_cloud;
        const bool charged = dataplane::kDropReason[reason].charge == dataplane::Charge::circuit;
        EXPECT_EQ(edge.circuit(kContoso, Link::primary, way).dropped(fate), charged ? 1U : 0U);
    }
}

TEST(Reasons, AreNamedOnceEach) {
    std::set<std::string_view> names;
    for (const auto& reason : dataplane::kDropReason) {
        EXPECT_TRUE(names.insert(reason.name).second) << reason.name;
        EXPECT_FALSE(reason.meaning.empty());
    }
}

}  // namespace reasons_test
}  // namespace peerlane::test
