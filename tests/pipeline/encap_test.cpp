// What goes into tunnels: outer headers, DSCP, ECN, every kind of tunnel.
#include "tests/pipeline/configs.hpp"

namespace peerlane::test {
namespace encap_test {

TEST(Encap, EveryTunnel) {
    struct Kind {
        const char* network;
        const char* to4;
        const char* to6;
        unsigned tos;  // of the outer header
    };
    for (const auto& [network, to4, to6, tos] :
         {Kind{"v4key", "10.100.0.1", "fd00:100::1", 0}, Kind{"v4none", "10.101.0.1", "fd00:101::1", 46 << 2},
          Kind{"v6key", "10.102.0.1", "fd00:102::1", 0}, Kind{"v6none", "10.103.0.1", "fd00:103::1", 0}}) {
        check({{network,
                "access0",
                from_contoso(up4(to4)),
                Fate::sent,
                {output("core0", to_gateway(network, tos, hop(up4(to4))))}},
               {network,
                "access0",
                from_contoso(up6(to6)),
                Fate::sent,
                {output("core0", to_gateway(network, tos, hop(up6(to6))))}},
               {network,
                "core0",
                from_gateway(network, down4()),
                Fate::sent,
                {output("access0", at_contoso(hop(down4())))}},
               {network,
                "core0",
                from_gateway(network, down6()),
                Fate::sent,
                {output("access0", at_contoso(hop(down6())))}}});
    }
}

TEST(Encap, EveryTosIsCopied) {
    // RFC 6040 §4.1, normal mode: the outer ECN field is the inner one; the DSCP is copied too.
    Edge edge(kPair);
    for (unsigned tos = 0; tos < 256; ++tos) {
        SCOPED_TRACE(tos);
        const auto four = Packet(up4()).tos(tos);
        const auto six = Packet(up6("fd00:102::1")).tos(tos);
        const auto sent = edge.send("access0", {from_contoso(four), from_contoso(six)});
        expect_out(sent, {output("core0", to_gateway("v4key", tos, hop(four))),
                          output("core0", to_gateway("v6key", tos, hop(six)))});
    }
}

TEST(Encap, FixedDscpKeepsEcn) {
    Edge edge(kPair);
    for (unsigned tos = 0; tos < 256; ++tos) {
        SCOPED_TRACE(tos);
        const auto four = Packet(up4("10.101.0.1")).tos(tos);
        const auto six = Packet(up6("fd00:101::1")).tos(tos);
        const auto sent = edge.send("access0", {from_contoso(four), from_contoso(six)});
        const unsigned outer = 46 << 2 | (tos & 3U);
        expect_out(sent, {output("core0", to_gateway("v4none", outer, hop(four))),
                          output("core0", to_gateway("v4none", outer, hop(six)))});
    }
}

TEST(Encap, EveryLengthKeepsTheOuterChecksum) {
    Edge edge(kPair);
    std::vector<Packet> in;
    std::vector<Output> out;
    for (std::size_t size = 0; size <= 1440; size += 3) {
        const auto ip = Packet()
                            .ip4("10.0.0.1", "10.100.0.1")
                            .tos(static_cast<unsigned>(size) & 0xffU)
                            .id(static_cast<unsigned>(size))
                            .udp()
                            .payload(size);
        in.push_back(from_contoso(ip));
        out.push_back(output("core0", to_gateway("v4key", static_cast<unsigned>(size) & 0xffU, hop(ip))));
    }
    expect_out(edge.send("access0", in), out);
}

TEST(Encap, EveryTtlKeepsTheInnerChecksum) {
    // RFC 1624: no TTL and no checksum at the edge of 16 bits goes wrong.
    Edge edge(kPair);
    for (unsigned ttl = 2; ttl < 256; ++ttl) {
        std::vector<Packet> in;
        std::vector<Output> out;
        for (unsigned id = 0; id < 64; ++id) {
            const auto ip = Packet(up4()).ttl(ttl).id(id * 1021 + ttl * 257);
            in.push_back(from_contoso(ip));
            out.push_back(output("core0", to_gateway("v4key", 0, hop(ip, ttl - 1))));
        }
        expect_out(edge.send("access0", in), out);
    }
    // Checksums 0xffff - 1 .. 0x0100 by the right ID.
    for (unsigned id = 0; id < 0x10000; id += 1) {
        const auto header = Packet(up4()).id(id).octets();
        const unsigned sum = header[10] << 8U | header[11];
        if (sum > 2 && sum < 0xfefd) { continue; }
        const auto ip = Packet(up4()).id(id);
        expect_out(edge.send("access0", {from_contoso(ip)}), {output("core0", to_gateway("v4key", 0, hop(ip)))});
    }
}

TEST(Encap, WhatIsInsideIsNobodysBusiness) {
    const auto sent = [](const char* name, const Packet& ip) {
        return Case{name, "access0", from_contoso(ip), Fate::sent, {output("core0", to_gateway("v4key", 0, hop(ip)))}};
    };
    Packet nested = Packet().ip4("10.0.0.1", "10.100.0.1");
    for (int depth = 0; depth < 20; ++depth) { nested.gre(7).ip4("10.0.0.1", "10.100.0.1"); }
    nested.udp().payload(10);
    // hop() changes the last IP header; of these the first counts.
    auto outermost = nested.octets();
    outermost[8] = 63;
    outermost[10] = static_cast<std::uint8_t>(outermost[10] + 1);
    check({
        sent("a customer's own ESP", Packet().ip4("10.0.0.1", "10.100.0.1").protocol(50).payload(64)),
        sent("a customer's own protocol 47", Packet().ip4("10.0.0.1", "10.100.0.1").protocol(47).payload(64)),
        sent("a fragment", Packet(up4()).fragment(0x2003)),
        sent("TCP with a wrong checksum", Packet().ip4("10.0.0.1", "10.100.0.1").tcp(0x10).payload(7)),
        {"GRE nested twenty times",
         "access0",
         from_contoso(nested),
         Fate::sent,
         {output("core0", to_gateway("v4key", 0, Packet().raw(outermost, 0x0800)))}},
    });
}

}  // namespace encap_test
}  // namespace peerlane::test
