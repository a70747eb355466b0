// TPIDs: what is accepted, what is sent, what is sent back as it was heard, and what is counted.
#include <nlohmann/json.hpp>

#include "tests/pipeline/configs.hpp"
#include "tests/pipeline/tags_beside.hpp"

namespace peerlane::test {
namespace tpid_test {

std::string with(const std::string& access0, const std::string& access1 = "") {
    std::string yaml(kPair);
    const auto put = [&](std::string_view old, const std::string& now) {
        yaml.replace(yaml.find(old), old.size(), now);
    };
    put("{ role: access, mtu: 1600 }", "{ role: access, mtu: 1600, " + access0 + " }");
    if (!access1.empty()) { put("service_tpid: 0x9100 }", access1 + " }"); }
    return yaml;
}

Packet tagged(unsigned outer, unsigned inner, const Packet& ip = up4()) {
    return Packet().ether(kAccess0Mac, kContosoMac).tag(100, outer).tag(10, inner).then(ip);
}
Packet single(unsigned tpid, const Packet& ip = up4()) {
    return Packet().ether(kAccess0Mac, kFabrikamMac).tag(100, tpid).then(ip);
}
Packet to_contoso(unsigned outer, const Packet& ip, unsigned inner = 0x8100) {
    return Packet().ether(kContosoMac, kAccess0Mac).tag(100, outer).tag(10, inner).then(ip);
}

std::uint64_t mismatches(const Edge& edge, std::string_view customer, std::string_view link = "primary") {
    const auto json = nlohmann::json::parse(edge.json());
    for (const auto& row : json["peerings"]) {
        if (row["customer"] == customer && row["link"] == link && row["direction"] == "to_cloud") {
            return row["tpid_mismatches"];
        }
    }
    throw std::invalid_argument(std::string(customer));
}

TEST(Tpids, FurtherOnesAreAcceptedByConfiguration) {
    const Output sent = output("core0", to_gateway("v4key", 0, hop(up4())));
    const Output alone = output("core0", to_gateway("prod", 0, hop(up4())));
    const auto runt = [](unsigned tpid) { return tagged(0x9100, tpid).truncate(20); };
    check({{"9200 outside", "access0", tagged(0x9200, 0x8100), Fate::unknown_vlan, {}},
           {"9300 alone", "access0", single(0x9300), Fate::unknown_vlan, {}}});
    check(
        {
            {"9200 outside", "access0", tagged(0x9200, 0x8100), Fate::sent, {sent}},
            {"9300 outside, 88a8 inside", "access0", tagged(0x9300, 0x88a8), Fate::sent, {sent}},
            {"9100 outside and inside", "access0", tagged(0x9100, 0x9100), Fate::sent, {sent}},
            {"88a8 outside and inside", "access0", tagged(0x88a8, 0x88a8), Fate::sent, {sent}},
            {"9200 alone", "access0", single(0x9200), Fate::sent, {alone}},
            {"9200 inside is no tag", "access0", tagged(0x8100, 0x9200), Fate::not_ip, {}, kFabrikam},
            {"three tags", "access0", tagged(0x8100, 0x88a8, Packet().tag(10).then(up4())), Fate::bad_tag, {}},
            {"VID 0 inside is no VLAN",
             "access0",
             Packet().ether().tag(100).tag(0, 0x88a8).then(up4()),
             Fate::sent,
             {alone}},
            {"a TPID that is none", "access0", tagged(0x9400, 0x8100), Fate::unknown_vlan, {}},
            {"half an inner tag", "access0", runt(0x88a8), Fate::runt, {}},
            {"another port's", "access1", tagged(0x9200, 0x8100), Fate::unknown_vlan, {}},
        },
        with("accept_tpids: [0x9200, 0x9300], accept_inner_tpids: [0x88a8, 0x9100]"));
    check({{"what is sent is accepted", "access0", tagged(0x9300, 0x9100), Fate::sent, {sent}},
           {"and the usual ones too", "access0", tagged(0x88a8, 0x8100), Fate::sent, {sent}},
           {"but no other", "access0", tagged(0x9200, 0x9100), Fate::unknown_vlan, {}}},
          with("service_tpid: 0x9300, inner_tpid: 0x9100"));
}

TEST(Tpids, OfWhatIsSent) {
    struct Setting {
        const char* text;
        unsigned outer, inner, alone;
    };
    for (const auto& [text, outer, inner, alone] :
         {Setting{"mac: \"02:00:00:00:00:00\"", 0x8100, 0x8100, 0x8100},
          Setting{"service_tpid: 0x88a8, single_tpid: 0x88a8", 0x88a8, 0x8100, 0x88a8},
          Setting{"service_tpid: 0x9300, inner_tpid: 0x88a8, single_tpid: 0x9200", 0x9300, 0x88a8, 0x9200},
          Setting{"service_tpid: auto, single_tpid: auto, inner_tpid: 0x9100", 0x8100, 0x9100, 0x8100}}) {
        SCOPED_TRACE(text);
        Edge edge(with(text));
        edge.set_alive(kContoso, "private", Link::secondary, 0);
        expect_out(edge.send("core0", {from_gateway("v4key", down4())}),
                   {output("access0", to_contoso(outer, hop(down4()), inner))});
        const auto back = Packet().ether(kFabrikamMac, kAccess0Mac).tag(100, alone).then(hop(down4()));
        expect_out(edge.send("core0", {from_gateway("prod", down4())}), {output("access0", back)});
    }
}

/// 0x9100 is heard also where devices take off the outer tags that they know.
TEST(Tpids, AutoSendsBackWhatWasHeardLast) {
    const auto yaml = with("service_tpid: auto, single_tpid: auto, accept_tpids: [0x9200]", "service_tpid: auto");
    Edge edge(yaml);
    edge.set_alive(kContoso, "private", Link::secondary, 0);
    const auto down = from_gateway("v4key", down4());
    const auto expect_tpid = [&](unsigned tpid) {
        expect_out(edge.send("core0", {down}), {output("access0", to_contoso(tpid, hop(down4())))});
    };
    expect_tpid(0x8100);
    edge.send("access0", {tagged(0x9100, 0x8100)});
    expect_tpid(0x9100);
    edge.send("access0", {tagged(0x9200, 0x8100), tagged(0x9100, 0x8100), tagged(0x9200, 0x8100)});
    expect_tpid(0x9200);
    // Of the same tags on another port, of another customer's, and of frames that are nobody's nothing is learnt.
    edge.send("access1", {from_contoso_secondary(up4())});
    edge.send("access0", {single(0x9100), Packet().ether().tag(100, 0x9100).tag(11).then(up4())});
    expect_tpid(0x9200);
    const auto fabrikams = Packet().ether(kFabrikamMac, kAccess0Mac).tag(100, 0x9100).then(hop(down4()));
    expect_out(edge.send("core0", {from_gateway("prod", down4())}), {output("access0", fabrikams)});
    edge.now += 1'000'000'000;
    edge.reload(yaml);
    expect_tpid(0x9200);
    // What the edge says itself, and what goes back to a customer.
    const auto ask = Packet().ip4("172.16.0.1", "172.16.0.2").icmp(8).payload(20);
    auto sent = edge.send("access0", {tagged(0x9200, 0x8100, ask)});
    ASSERT_EQ(sent.out.size(), 1U);
    EXPECT_EQ(Octets(sent.out[0].frame.begin() + 12, sent.out[0].frame.begin() + 14), (Octets{0x92, 0x00}));
    const auto turns = up4("10.0.0.2");
    expect_out(edge.send("access0", {tagged(0x9100, 0x8100, turns)}),
               {output("access0", to_contoso(0x9100, hop(turns)))});
    // Pieces, on the other link.
    edge.set_alive(kContoso, "private", Link::secondary, 3);
    edge.set_alive(kContoso, "private", Link::primary, 0);
    edge.send("access1", {from_contoso_secondary(up4())});
    const auto large = Packet().ip4("10.100.0.1", "10.0.0.1").payload(1400);
    sent = edge.send("core0", {from_gateway("v4key", large)});
    ASSERT_EQ(sent.out.size(), 2U);
    for (const auto& piece : sent.out) {
        EXPECT_EQ(piece.port, "access1");
        EXPECT_EQ(Octets(piece.frame.begin() + 12, piece.frame.begin() + 14), (Octets{0x91, 0x00}));
    }
    EXPECT_EQ(mismatches(edge, "contoso"), 0U);
    EXPECT_EQ(mismatches(edge, "contoso", "secondary"), 0U);
    EXPECT_EQ(mismatches(edge, "fabrikam"), 0U);
}

TEST(Tpids, OtherOnesThanAreSentAreCounted) {
    Edge edge(with("accept_inner_tpids: [0x9100]"));
    edge.send("access0", {tagged(0x8100, 0x8100), single(0x8100)});
    EXPECT_EQ(mismatches(edge, "contoso"), 0U);
    edge.send("access0", {tagged(0x9100, 0x8100), tagged(0x8100, 0x8100), tagged(0x9100, 0x9100)});
    EXPECT_EQ(mismatches(edge, "contoso"), 2U);
    EXPECT_EQ(mismatches(edge, "fabrikam"), 0U);
    edge.send("access0", {single(0x9100)});
    EXPECT_EQ(mismatches(edge, "fabrikam"), 1U);
    edge.send("access0", {single(0x88a8)});
    EXPECT_EQ(mismatches(edge, "fabrikam"), tags_are_beside() ? 1U : 2U) << "heard where the device leaves it in";
    edge.send("access1", {Packet().ether(kAccess1Mac, kContosoMac).tag(100, 0x9100).tag(10).then(up4())});
    EXPECT_EQ(mismatches(edge, "contoso", "secondary"), 0U) << "as access1 sends them";
    if (!tags_are_beside()) {
        edge.send("access1", {Packet().ether(kAccess1Mac, kContosoMac).tag(100).tag(10).then(up4())});
        EXPECT_EQ(mismatches(edge, "contoso", "secondary"), 1U);
    }
}

}  // namespace tpid_test
}  // namespace peerlane::test
