// VID 0 names no VLAN (IEEE 802.1Q §9.6): a frame is the one that it is without its priority tags.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace priority_tags_test {

struct Tag {
    unsigned vid;
    unsigned tpid = 0x8100;
    unsigned priority = 0;
};

Packet tagged(const std::vector<Tag>& tags, const Packet& ip = up4()) {
    Packet packet = Packet().ether(kAccess0Mac, kContosoMac);
    for (const auto& tag : tags) { packet.tag(tag.vid, tag.tpid, tag.priority); }
    return packet.then(ip);
}
constexpr Tag kS{100, 0x88a8}, kC{10, 0x8100}, kZero{0, 0x8100, 5};

TEST(PriorityTags, OnAccessPorts) {
    const std::vector<Output> v4key{output("core0", to_gateway("v4key", 0, hop(up4())))};
    const std::vector<Output> prod{output("core0", to_gateway("prod", 0, hop(up4())))};
    const auto is = [](const char* name, const std::vector<Tag>& tags, Fate fate, const std::vector<Output>& out = {}) {
        return Case{name, "access0", tagged(tags), fate, out};
    };
    check({
        is("before both", {kZero, kS, kC}, Fate::sent, v4key),
        is("between", {kS, kZero, kC}, Fate::sent, v4key),
        is("after both", {kS, kC, kZero}, Fate::sent, v4key),
        is("before and after", {kZero, kS, kC, kZero}, Fate::sent, v4key),
        is("two before", {kZero, kZero, kS, kC}, Fate::sent, v4key),
        is("two between", {kS, kZero, kZero, kC}, Fate::sent, v4key),
        is("of TPID 88a8", {{0, 0x88a8}, kS, kC}, Fate::sent, v4key),
        is("of TPID 88a8 between", {kS, {0, 0x88a8}, kC}, Fate::sent, v4key),
        is("of TPID 9100 at the end", {kS, kC, {0, 0x9100}}, Fate::sent, v4key),
        is("before a single tag", {kZero, {100}}, Fate::sent, prod),
        is("after a single tag", {{100}, kZero}, Fate::sent, prod),
        is("after a single tag of TPID 88a8", {kS, kZero}, Fate::sent, prod),
        is("around a single tag", {kZero, {100}, kZero}, Fate::sent, prod),
        is("with DEI", {{0x1000}, kS, kC}, Fate::sent, v4key),
        is("alone", {kZero}, Fate::unknown_vlan),
        is("alone, twice", {kZero, kZero}, Fate::unknown_vlan),
        is("three", {kZero, kZero, kS, kC, kZero}, Fate::bad_tag),
        is("three and nothing else", {kZero, kZero, kZero}, Fate::bad_tag),
        is("before three tags", {kZero, kS, kC, kC}, Fate::bad_tag),
        is("before VID 4095", {kZero, {4095}}, Fate::bad_tag),
        is("before tags of nobody", {kZero, {101, 0x88a8}, kC}, Fate::unknown_vlan),
        is("before an inner 88a8", {kZero, kS, {10, 0x88a8}}, Fate::bad_tag),
    });
}

TEST(PriorityTags, RepliesCopyThePriorityOfEachVlansTag) {
    const auto ping = Packet().ip4("172.16.0.1", "172.16.0.2").icmp(8).payload(9);
    const auto pong = Packet().ip4("172.16.0.2", "172.16.0.1").df().icmp(0).payload(9);
    const auto reply = [&](unsigned outer, unsigned inner) {
        return output("access0",
                      Packet().ether(kContosoMac, kAccess0Mac).tag(100, 0, outer).tag(10, 0, inner).then(pong));
    };
    const Tag s{100, 0x88a8, 3}, c{10, 0x8100, 2};
    check({
        {"before", "access0", tagged({kZero, s, c}, ping), Fate::punted, {reply(3, 2)}},
        {"between", "access0", tagged({s, kZero, c}, ping), Fate::punted, {reply(3, 2)}},
        {"after", "access0", tagged({s, c, kZero}, ping), Fate::punted, {reply(3, 2)}},
    });
}

TEST(PriorityTags, OnTheCore) {
    const auto frame = [](const std::vector<Tag>& tags, const Packet& ip) {
        Packet packet = Packet().ether(kCoreMac, kGatewayMac);
        for (const auto& tag : tags) { packet.tag(tag.vid, tag.tpid, tag.priority); }
        return packet.then(ip);
    };
    const auto outer4 = Packet().ip4("198.51.100.7", "192.0.2.1").gre(0x2a01).then(down4());
    const auto outer6 = Packet().ip6("2001:db8:cafe::7", "2001:db8:ffff::1").gre(0).then(down4());
    const std::vector<Output> sent{output("access0", at_contoso(hop(down4())))};
    const auto ping = Packet().ip4("192.0.2.77", "192.0.2.1").icmp(8).payload(9);
    const std::vector<Output> pong{
        output("core0", Packet().ether(kGatewayMac, kCoreMac).ip4("192.0.2.1", "192.0.2.77").df().icmp(0).payload(9))};
    const auto arp = [](std::string_view to) {
        return Packet().ether(to, kGatewayMac).tag(0, 0x8100, 5).ether_type(0x0806).payload(28);
    };
    check({
        {"GRE", "core0", frame({kZero}, outer4), Fate::sent, sent},
        {"GRE, two", "core0", frame({kZero, kZero}, outer4), Fate::sent, sent},
        {"GRE, TPID 88a8", "core0", frame({{0, 0x88a8}}, outer4), Fate::sent, sent},
        {"GRE over IPv6", "core0", frame({kZero}, outer6), Fate::sent, sent},
        {"an echo request", "core0", frame({kZero}, ping), Fate::punted, pong},
        {"ARP to all", "core0", arp("ff:ff:ff:ff:ff:ff"), Fate::punted, {}},
        {"ARP to us", "core0", arp(kCoreMac), Fate::punted, {}},
        {"three", "core0", frame({kZero, kZero, kZero}, outer4), Fate::outer_not_ip, {}},
        {"a VLAN", "core0", frame({{1}}, outer4), Fate::outer_not_ip, {}},
        {"a VLAN behind it", "core0", frame({kZero, {1}}, outer4), Fate::outer_not_ip, {}},
    });
}

TEST(PriorityTags, CutShort) {
    for (const auto& tags : {std::vector<Tag>{kZero, kS, kC}, {kS, kC, kZero}, {kS, kZero, kC}}) {
        const auto whole = tagged(tags);
        Edge edge(kPair);
        std::vector<Packet> cut;
        for (std::size_t length = 0; length < 28; ++length) { cut.push_back(Packet(whole).truncate(length)); }
        for (const auto fate : edge.send("access0", cut).fates) { EXPECT_TRUE(dataplane::is_drop(fate)); }
    }
    const auto whole = Packet().ether(kCoreMac, kGatewayMac).tag(0).then(outer_from_gateway("v4key"));
    for (std::size_t length = 0; length < 24; ++length) {
        Edge edge(kPair);
        EXPECT_TRUE(dataplane::is_drop(edge.send("core0", {Packet(whole).truncate(length)}).fate())) << length;
    }
}

}  // namespace priority_tags_test
}  // namespace peerlane::test
