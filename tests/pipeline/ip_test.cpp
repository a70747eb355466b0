// The customer's IP header: lengths, checksums, addresses, options, TTL.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace ip_test {

Case sent4(const char* name, const Packet& ip, const Packet& out) {
    return {name, "access0", from_contoso(ip), Fate::sent, {output("core0", to_gateway("v4key", 0, out))}};
}
Case dropped(const char* name, const Packet& ip, Fate fate) {
    return {name, "access0", from_contoso(ip), fate, {}, kContoso};
}

TEST(Ip, Headers4) {
    const auto ip = up4();
    const auto padded = from_contoso(ip).pad(40);
    check({
        sent4("ordinary", ip, hop(ip)),
        {"padding is cut", "access0", padded, Fate::sent, {output("core0", to_gateway("v4key", 0, hop(ip)))}},
        sent4("options", Packet(ip).options({1, 1, 1, 0}), Packet(ip).options({1, 1, 1, 0}).ttl(63)),
        sent4("40 octets of options", Packet(ip).options(Octets(40, 1)), Packet(ip).options(Octets(40, 1)).ttl(63)),
        sent4("no payload", Packet().ip4("10.0.0.1", "10.100.0.1"), Packet().ip4("10.0.0.1", "10.100.0.1").ttl(63)),
        sent4("TTL 255", Packet(ip).ttl(255), Packet(ip).ttl(254)),
        sent4("TTL 2", Packet(ip).ttl(2), Packet(ip).ttl(1)),
        dropped("version 5", Packet(ip).version(5), Fate::bad_header),
        dropped("version 6", Packet(ip).version(6), Fate::bad_header),
        dropped("version 0", Packet(ip).version(0), Fate::bad_header),
        dropped("4 words", Packet(ip).header_words(4), Fate::bad_header),
        dropped("no words", Packet(ip).header_words(0), Fate::bad_header),
        dropped("header longer than the packet", Packet(ip).header_words(6).total_length(20), Fate::bad_header),
        dropped("total length 19", Packet(ip).total_length(19), Fate::bad_header),
        dropped("total length 0", Packet(ip).total_length(0), Fate::bad_header),
        dropped("total length one more than there is", Packet(ip).total_length(129), Fate::truncated),
        dropped("total length 65535", Packet(ip).total_length(65535), Fate::truncated),
        dropped("a header of options that are not there",
                Packet().ip4("10.0.0.1", "10.100.0.1").header_words(15).total_length(60), Fate::truncated),
        dropped("checksum one more", Packet().ip4("10.0.0.1", "10.100.0.1").wrong_checksum(), Fate::bad_checksum),
        dropped("checksum with options",
                Packet().ip4("10.0.0.1", "10.100.0.1").options({1, 1, 1, 0}).wrong_checksum(0x100), Fate::bad_checksum),
        dropped("IPv6 said to be IPv4", Packet().raw(up6().octets(), 0x0800), Fate::bad_header),
        dropped("IPv4 said to be IPv6", Packet().raw(up4().octets(), 0x86dd).payload(20), Fate::bad_header),
    });
}

TEST(Ip, LengthShorterThanTheFrameIsCut) {
    const auto ip = up4();
    const auto cut = Packet(ip).total_length(60);
    const auto out = Packet().raw(hop(cut).truncate(60).octets(), 0x0800);
    check({sent4("total length 60", cut, out)});
}

TEST(Ip, Headers6) {
    const auto ip = up6();
    const auto out = [](const Packet& inner) { return std::vector{output("core0", to_gateway("v4key", 0, inner))}; };
    check({
        {"ordinary", "access0", from_contoso(ip), Fate::sent, out(hop(ip))},
        {"padding is cut", "access0", from_contoso(ip).pad(33), Fate::sent, out(hop(ip))},
        {"a flow label stays", "access0", from_contoso(Packet(ip).id(0xabcde)), Fate::sent,
         out(hop(Packet(ip).id(0xabcde)))},
        {"no payload", "access0", from_contoso(Packet().ip6("fd00:10::1", "fd00:100::1")), Fate::sent,
         out(Packet().ip6("fd00:10::1", "fd00:100::1").ttl(63))},
        dropped("version 4", Packet(ip).version(4), Fate::bad_header),
        dropped("version 7", Packet(ip).version(7), Fate::bad_header),
        dropped("payload length one more", Packet(ip).total_length(109), Fate::truncated),
        dropped("payload length 65535", Packet(ip).total_length(65535), Fate::truncated),
        dropped("39 octets", Packet().raw(Packet(ip).truncate(39).octets(), 0x86dd), Fate::truncated),
        dropped("from ::", up6("fd00:100::1", "::"), Fate::martian),
        dropped("from ::1", up6("fd00:100::1", "::1"), Fate::martian),
        dropped("from link-local", up6("fd00:100::1", "fe80::1"), Fate::martian),
        dropped("from multicast", up6("fd00:100::1", "ff02::1"), Fate::martian),
        dropped("to ::1", up6("::1"), Fate::martian),
        {"to link-local", "access0", from_contoso(up6("fe80::1")), Fate::punted, {}},
        {"to the end of link-local", "access0", from_contoso(up6("febf::1", "fe80::9")), Fate::punted, {}},
        dropped("to what is behind it", up6("fec0::1", "fe80::9"), Fate::martian),
        dropped("to link-local from ::", up6("fe80::1", "::"), Fate::martian),
        dropped("to link-local from multicast", up6("fe80::1", "ff02::1"), Fate::martian),
        dropped("to multicast", up6("ff0e::1"), Fate::multicast),
        dropped("another's prefix", up6("fd00:100::1", "fd00:11::1"), Fate::source_not_accepted),
    });
}

TEST(Ip, Martians4) {
    std::vector<Case> cases;
    for (const char* address : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.255.255",
                                "240.0.0.1", "255.255.255.254"}) {
        cases.push_back(dropped(address, up4("10.100.0.1", address), Fate::martian));
        cases.push_back(dropped(address, up4(address), Fate::martian));
    }
    cases.push_back(dropped("from multicast", up4("10.100.0.1", "224.0.0.1"), Fate::martian));
    cases.push_back(dropped("from broadcast", up4("10.100.0.1", "255.255.255.255"), Fate::martian));
    cases.push_back(dropped("to multicast", up4("224.0.0.5"), Fate::multicast));
    cases.push_back(dropped("to the last multicast address", up4("239.255.255.255"), Fate::multicast));
    cases.push_back(dropped("to broadcast", up4("255.255.255.255"), Fate::multicast));
    cases.push_back(dropped("to the subnet's broadcast address", up4("172.16.0.3"), Fate::multicast));
    cases.push_back(dropped("to the subnet's own address", up4("172.16.0.0"), Fate::multicast));
    cases.push_back(dropped("to the other link's broadcast address", up4("172.16.0.7"), Fate::multicast));
    check(cases);
}

TEST(Ip, TruncatedAtEveryOctet) {
    for (const auto& ip : {up4(), Packet(up4()).options(Octets(8, 1)), up6()}) {
        const auto whole = from_contoso(ip);
        Edge edge(kPair);
        std::vector<Packet> cut;
        for (std::size_t length = 0; length < whole.size(); ++length) { cut.push_back(Packet(whole).truncate(length)); }
        const auto sent = edge.send("access0", cut);
        for (std::size_t length = 0; length < whole.size(); ++length) {
            EXPECT_EQ(sent.fates[length], length < 22 ? Fate::runt : Fate::truncated) << length;
        }
        EXPECT_TRUE(sent.out.empty());
        EXPECT_EQ(edge.circuit(kContoso, Link::primary, Direction::to_cloud).dropped(Fate::truncated),
                  whole.size() - 22);
    }
}

TEST(Ip, EveryHeaderBitFlipped) {
    // Whatever it makes of it, the fixture's checks hold; a flipped IPv4 header never gets out.
    const auto frame = from_contoso(up4()).octets();
    Edge edge(kPair);
    for (std::size_t bit = 22 * 8; bit < (22 + 20) * 8; ++bit) {
        auto flipped = frame;
        flipped[bit / 8] ^= static_cast<std::uint8_t>(0x80U >> bit % 8);
        const auto sent = edge.send_frames("access0", {flipped});
        EXPECT_TRUE(dataplane::is_drop(sent.fate())) << bit;
        EXPECT_TRUE(sent.out.empty()) << bit;
    }
}

TEST(Ip, PortMtu) {
    constexpr std::string_view kJumbo = R"(
ports:
  access0: { role: access, mtu: 9000 }
  core0: { role: core, mtu: 9600, address: 192.0.2.1/24, gateway_mac: "02:00:00:00:00:fe" }
customers:
  - name: fabrikam
    circuits:
      - { name: single, port: access0, bandwidth: 1 Gbps, peerings: [
          { type: private, vlan: 100, subnet: 172.16.0.0/30, customer_mac: "02:00:00:00:02:02",
            customer_prefixes: [10.0.0.0/16],
            virtual_networks: [ { name: prod, prefixes: [10.100.0.0/16],
                                  tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 0 } } ] } ] }
  - name: contoso
    circuits: [ { name: pair, port: access0, bandwidth: 1 Gbps, peerings: [ { type: private, vlan: 7, subnet: 10.9.9.0/30 } ] } ]
)";
    const auto of = [](std::size_t length) {
        return Packet().ip4("10.0.0.1", "10.100.0.1").udp().payload(length - 28);
    };
    const auto back = [](std::size_t length) {
        return Packet().ip4("10.100.0.1", "10.0.0.1").udp().payload(length - 28);
    };
    check(
        {
            {"as long as the MTU",
             "access0",
             from_fabrikam(of(9000)),
             Fate::sent,
             {output("core0", to_gateway("prod", 0, hop(of(9000))))}},
            {"one octet longer", "access0", from_fabrikam(of(9001)), Fate::oversize, {}, kFabrikam},
            {"padding does not count",
             "access0",
             from_fabrikam(of(9000)).pad(100),
             Fate::sent,
             {output("core0", to_gateway("prod", 0, hop(of(9000))))}},
            {"from the cloud as long as the access MTU",
             "core0",
             from_gateway("prod", back(9000)),
             Fate::sent,
             {output("access0", at_fabrikam(hop(back(9000))))}},
            {"outer as long as the core MTU",
             "core0",
             from_gateway("prod", Packet(back(9572)).df()).pad(3),
             Fate::too_big,
             {output("core0", to_gateway("prod", 0xc0,
                                         Packet()
                                             .ip4("172.16.0.2", "10.100.0.1")
                                             .df()
                                             .tos(0xc0)
                                             .icmp(3, 4, 9000)
                                             .payload(Packet(back(9572)).df().truncate(548).octets())))},
             kFabrikam},
            {"outer one octet longer", "core0", from_gateway("prod", back(9573)), Fate::oversize, {}},
        },
        kJumbo);
}

}  // namespace ip_test
}  // namespace peerlane::test
