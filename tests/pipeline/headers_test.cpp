// IPv6 extension headers: before a tunnel's packet, before what is for the edge itself, inside tunnels, inside ESP.
#include "tests/pipeline/sealed.hpp"

namespace peerlane::test {
namespace headers_test {

constexpr unsigned kTcp = 6, kUdp = 17, kGre = 47, kEsp = 50, kIcmp6 = 58;
constexpr unsigned kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60;

/// `chain`: extension headers whose last one has 0 for a next header, which becomes `next`; `last` is where it begins.
struct Chain {
    unsigned first;
    Octets octets;
    std::size_t last = 0;
};
const Chain kLimit{kDestination, {0, 0, 4, 1, 4, 1, 1, 0}};  // as Linux sends it by default (RFC 2473 §5.1)
const Chain kHop{kHopByHop, {0, 0, 5, 2, 0, 0, 1, 0}};
const Chain kRouted{kRouting, {0, 0, 0, 0, 0, 0, 0, 0}};
const Chain kAtomic{kFragment, {0, 0, 0, 0, 0, 0, 0, 9}};
const Chain kAll{
    kHopByHop, {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 4, 1, 4, 1, 1, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 24};
const Chain kRefusedOption{kDestination, {0, 0, 0x80, 4, 0, 0, 0, 0}};
const Chain kSegments{kRouting, {0, 0, 0, 1, 0, 0, 0, 0}};
const Chain kAh{kAuthentication, {0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}};
const Chain kPiece{kFragment, {0, 0, 0, 1, 0, 0, 0, 9}};
const Chain kJumbo{kHopByHop, {0, 0, 0xc2, 4, 0, 0, 0, 200}};

Octets headers(const Chain& chain, unsigned next) {
    auto octets = chain.octets;
    octets[chain.last] = static_cast<std::uint8_t>(next);
    return octets;
}
/// `packet` (IPv6 first) with the chain behind its IPv6 header, which is the last 40 octets before `at`.
Packet with(const Packet& ip, const Chain& chain, unsigned next, std::size_t at = 40) {
    auto octets = ip.octets();
    const auto more = headers(chain, next);
    octets[at - 40 + 6] = static_cast<std::uint8_t>(chain.first);
    const auto length = octets[at - 36] * 256U + octets[at - 35] + more.size();
    octets[at - 36] = static_cast<std::uint8_t>(length >> 8U);
    octets[at - 35] = static_cast<std::uint8_t>(length);
    octets.insert(octets.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
    return Packet().raw(octets, 0x86dd);
}
Packet six_to_us() {
    return Packet().ip6("2001:db8:cafe::7", "2001:db8:ffff::1");
}
Packet core(const Packet& ip) {
    return Packet().ether(kCoreMac, kGatewayMac).then(ip);
}

TEST(Headers, BeforeGre) {
    const auto gre = six_to_us().gre(0).then(down4());
    const std::vector<Output> out{output("access0", at_contoso(hop(down4())))};
    const auto is = [&](const char* name, const Chain& chain, Fate fate) {
        return Case{name, "core0", core(with(gre, chain, kGre)), fate,
                    fate == Fate::sent ? out : std::vector<Output>{}};
    };
    auto many = kLimit;
    for (unsigned i = 0; i < 8; ++i) {
        many.octets.insert(many.octets.begin(), {60, 0, 1, 4, 0, 0, 0, 0});
        many.last += 8;
    }
    check({
        is("an encapsulation limit", kLimit, Fate::sent),
        is("hop-by-hop options", kHop, Fate::sent),
        is("a routing header with no segments left", kRouted, Fate::sent),
        is("an atomic fragment", kAtomic, Fate::sent),
        is("all of them", kAll, Fate::sent),
        is("an option to discard", kRefusedOption, Fate::extension_header),
        is("segments left", kSegments, Fate::extension_header),
        is("an Authentication Header", kAh, Fate::extension_header),
        is("more than are walked", many, Fate::extension_header),
        is("a first fragment", kPiece, Fate::outer_fragment),
        {"a first fragment, options in it",
         "core0",
         core(with(with(gre, kLimit, kGre), kPiece, kDestination)),
         Fate::outer_fragment,
         {}},
        {"no room for GRE",
         "core0",
         core(with(six_to_us().protocol(kGre).payload(3), kLimit, kGre)),
         Fate::outer_truncated,
         {}},
        {"options past the packet",
         "core0",
         core(six_to_us().protocol(kDestination).raw({47, 1, 1, 4, 0, 0, 0, 0})),
         Fate::outer_truncated,
         {}},
        {"to another host",
         "core0",
         core(with(Packet().ip6("2001:db8:cafe::7", "2001:db8:ffff::9").gre(0).then(down4()), kSegments, kGre)),
         Fate::not_for_us,
         {}},
        {"another key", "core0", core(with(six_to_us().gre(7).then(down4()), kLimit, kGre)), Fate::unknown_tunnel, {}},
        {"IPv4 behind an Authentication Header",
         "core0",
         core(Packet().ip4("198.51.100.7", "192.0.2.1").protocol(51).raw(headers(kAh, kGre)).payload(40)),
         Fate::extension_header,
         {}},
    });
}

TEST(Headers, BeforeWhatIsForTheEdge) {
    const auto ask = [](std::string_view from, std::string_view to) {
        return Packet().ip6(from, to).icmp6(128).payload(21);
    };
    const auto reply = [](std::string_view from, std::string_view to) {
        return Packet().ip6(from, to).icmp6(129).payload(21);
    };
    std::vector<Case> cases;
    const auto is = [&](const char* name, const Chain& chain, Fate fate, bool answered) {
        const auto near = with(ask("fd00:172::1", "fd00:172::2"), chain, kIcmp6);
        const auto far = with(ask("2001:db8:9::9", "2001:db8:ffff::1"), chain, kIcmp6);
        const auto inner = with(ask("fd00:100::1", "fd00:172::2"), chain, kIcmp6);
        std::vector<Output> to_near, to_far, to_inner;
        if (answered) {
            to_near.push_back(output("access0", at_contoso(reply("fd00:172::2", "fd00:172::1"))));
            to_far.push_back(output(
                "core0", Packet().ether(kGatewayMac, kCoreMac).then(reply("2001:db8:ffff::1", "2001:db8:9::9"))));
            to_inner.push_back(output("core0", to_gateway("v4key", 0, reply("fd00:172::2", "fd00:100::1"))));
        }
        const char* whose = is_drop(fate) ? kContoso : "";
        cases.push_back({name, "access0", from_contoso(near), fate, to_near, whose});
        cases.push_back({name, "core0", core(far), fate, to_far});
        cases.push_back({name, "core0", from_gateway("v4key", inner), fate, to_inner, whose});
    };
    is("an encapsulation limit", kLimit, Fate::punted, true);
    is("hop-by-hop options", kHop, Fate::punted, true);
    is("no segments left", kRouted, Fate::punted, true);
    is("an atomic fragment", kAtomic, Fate::punted, true);
    is("an option to discard", kRefusedOption, Fate::extension_header, false);
    is("segments left", kSegments, Fate::extension_header, false);
    is("an Authentication Header", kAh, Fate::punted, false);
    check(cases);
}

TEST(Headers, InsideTunnelsTheyAreNotActedUpon) {
    std::vector<Case> cases;
    for (const auto& chain : {kLimit, kHop, kRouted, kAtomic, kRefusedOption, kSegments, kAh, kPiece}) {
        const auto up = with(up6(), chain, kUdp);
        auto one_less = up.octets();
        --one_less[7];
        const auto out = Packet().raw(one_less, 0x86dd);
        cases.push_back({"up",
                         "access0",
                         from_contoso(up),
                         Fate::sent,
                         {output("core0", to_gateway("v4key", 0, out).gre_protocol(0x86dd))}});
    }
    check(cases);
}

TEST(Headers, MssBehindThem) {
    const auto syn = [](unsigned mss) {
        const Octets option{2, 4, static_cast<std::uint8_t>(mss >> 8U), static_cast<std::uint8_t>(mss)};
        return Packet().ip6("fd00:10::1", "fd00:100::1").tcp(2, option);
    };
    std::vector<Case> cases;
    const auto is = [&](const char* name, const Chain& chain, bool clamped) {
        auto out = with(syn(clamped ? 1412 : 1460), chain, kTcp).octets();
        --out[7];
        cases.push_back({name,
                         "access0",
                         from_contoso(with(syn(1460), chain, kTcp)),
                         Fate::sent,
                         {output("core0", to_gateway("v4key", 0, Packet().raw(out, 0x86dd)).gre_protocol(0x86dd))}});
    };
    is("destination options", kLimit, true);
    is("hop-by-hop options", kHop, true);
    is("an atomic fragment", kAtomic, true);
    is("all of them", kAll, true);
    is("a first fragment", kPiece, false);
    is("an Authentication Header", kAh, false);
    check(cases);
}

TEST(Headers, LaterFragmentsAreAnswered) {
    // RFC 4443 §2.4 (e) forbids errors about ICMP errors, not about fragments.
    const auto later = [](std::size_t size, unsigned left) {
        return Packet()
            .ip6("fd00:10::1", "fd00:100::1")
            .protocol(kFragment)
            .ttl(left)
            .raw({17, 0, 0, 8, 0, 0, 0, 9})
            .payload(size);
    };
    const auto error = [](unsigned type, unsigned mtu, const Packet& cause) {
        return std::vector{output("access0", at_contoso(Packet()
                                                            .ip6("fd00:172::2", "fd00:10::1")
                                                            .tos(0xc0)
                                                            .icmp6(type, 0, mtu)
                                                            .payload(Packet(cause).truncate(1280 - 48).octets())))};
    };
    check({
        {"too big", "access0", from_contoso(later(1500, 64)), Fate::too_big, error(2, 1472, later(1500, 64)), kContoso},
        {"hop limit 1", "access0", from_contoso(later(40, 1)), Fate::ttl_expired, error(3, 0, later(40, 1)), kContoso},
    });
}

TEST(Headers, Jumbograms) {
    const auto jumbo = [](const Packet& ip) {
        auto octets = with(ip, kJumbo, kUdp).octets();
        octets[4] = octets[5] = 0;
        return Packet().raw(octets, 0x86dd);
    };
    const auto empty = Packet().ip6("fd00:10::1", "fd00:100::1");
    check({
        {"from a customer", "access0", from_contoso(jumbo(up6())), Fate::jumbogram, {}, kContoso},
        {"from a tunnel",
         "core0",
         from_gateway("v4key", jumbo(down6())).gre_protocol(0x86dd),
         Fate::jumbogram,
         {},
         kContoso},
        {"around GRE", "core0", core(jumbo(six_to_us().gre(0).then(down4()))), Fate::jumbogram, {}},
        {"to another host",
         "core0",
         core(jumbo(Packet().ip6("2001:db8:cafe::7", "2001:db8:ffff::9").gre(0).then(down4()))),
         Fate::not_for_us,
         {}},
        {"an empty packet is none",
         "access0",
         from_contoso(empty),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(empty)))}},
        {"nor is padding behind it",
         "access0",
         from_contoso(Packet(empty).protocol(0)).pad(16, 0),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, hop(Packet(empty).protocol(0))))}},
    });
}

/// One frame from the core to an edge with a protected tunnel.
void expect_fate(const char* name, const std::string& yaml, const Packet& frame, Fate fate, bool charged = true) {
    SCOPED_TRACE(name);
    Edge edge(yaml);
    const auto sent = edge.send("core0", {frame});
    EXPECT_EQ(sent.fate(), fate);
    std::vector<Output> out;
    if (fate == Fate::sent) { out.push_back(output("access0", at_contoso(hop(down4())))); }
    expect_out(sent, out);
    if (!dataplane::is_drop(fate)) { return; }
    EXPECT_EQ(edge.drops(fate), 1U);
    EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_customer).dropped(fate), charged ? 1U : 0U);
}

TEST(Headers, InsideEsp) {
    for (const bool transport : {false, true}) {
        const Vpn vpn{.transport = transport, .tunnel6 = true, .outer6 = true};
        SCOPED_TRACE(title(vpn));
        const auto delivered = vpn.delivery(false, down4());
        const auto frame = [&](const Packet& inside, unsigned first) {
            const auto whole = inside.octets();
            const Octets text = transport ? Octets(whole.begin() + 40, whole.end()) : whole;
            return frame_from_peer(vpn.path(), seal(vpn.own(false), 1, text, transport ? first : vpn.next_header()));
        };
        const auto is = [&](const char* name, const Chain& chain, unsigned next, Fate fate) {
            expect_fate(name, vpn_edge(vpn), frame(with(delivered, chain, next), chain.first), fate);
        };
        const auto bad = transport ? Fate::esp_next_header : Fate::esp_inner_bad;
        is("an encapsulation limit", kLimit, kGre, Fate::sent);
        is("an option to discard", kRefusedOption, kGre, bad);
        is("another protocol behind it", kLimit, kUdp, bad);
        is("a fragment", kPiece, kGre, bad);
        is("segments left", kSegments, kGre, bad);
        is("an Authentication Header", kAh, kGre, bad);
        is("hop-by-hop options", kHop, kGre, transport ? bad : Fate::sent);
        is("all", kAll, kGre, transport ? bad : Fate::sent);
        if (transport) { continue; }
        auto jumbo = with(delivered, kJumbo, kGre).octets();
        jumbo[4] = jumbo[5] = 0;
        expect_fate("a jumbogram", vpn_edge(vpn), frame(Packet().raw(jumbo, 0x86dd), 0), Fate::jumbogram);
    }
}

TEST(Headers, BeforeEsp) {
    const Vpn vpn{.tunnel6 = true, .outer6 = true};
    const auto frame = vpn.down(1, down4()).octets();
    const auto ip = Packet().raw(Octets(frame.begin() + 14, frame.end()), 0x86dd);
    const auto is = [&](const char* name, const Chain& chain, Fate fate) {
        expect_fate(name, vpn_edge(vpn), core(with(ip, chain, kEsp)), fate, false);
    };
    is("an encapsulation limit", kLimit, Fate::sent);
    is("all", kAll, Fate::sent);
    is("segments left", kSegments, Fate::extension_header);
    is("an Authentication Header", kAh, Fate::extension_header);
    is("a fragment", kPiece, Fate::outer_fragment);
}

}  // namespace headers_test
}  // namespace peerlane::test
