// Frames from customers, changed by anybody: nobody's packet comes out under another customer's tags, GRE key or SA, a
// protected tunnel's never in clear, nothing is lost or counted twice.
#include "tests/fuzz/bench.hpp"

namespace peerlane::fuzz {
namespace {

using test::Packet;

Packet tags_of(unsigned customer, unsigned port) {
    auto frame = Packet().ether(kPortMac[port], "02:00:00:00:01:01");
    if (customer == 1) { return frame.tag(300); }
    return frame.tag(customer == 0 ? 100 : 200, port == kAccess0 ? 0x88a8 : 0x9100).tag(10);
}

Packet ip_of(Input& input, bool six) {
    const auto network = std::to_string(100 + input.below(9));
    const auto where = input.byte();
    const bool near = (where & 7U) == 0;
    const std::string host = std::to_string(1 + (where >> 4U & 7U));
    const auto far4 = near ? "172.16.0." + host : "10." + network + ".0.1";
    const auto far6 = near ? "fd00:172::" + host : "fd00:" + network + "::1";
    const auto from4 = (where & 8U) != 0 ? "172.16.0.1" : "10.0.0.1";
    const auto from6 = (where & 8U) != 0 ? "fd00:172::1" : "fd00:10::1";
    Packet ip = six ? Packet().ip6(from6, far6) : Packet().ip4(from4, far4);
    if (!six && (where & 128U) != 0) { ip.df(); }
    return ip;
}

Packet transport_of(Input& input, Packet ip, bool six) {
    switch (input.below(8)) {
        case 0:
            return six ? ip.icmp6(128) : ip.icmp(8);
        case 1:
            return six ? ip.icmp6(1 + input.below(4)) : ip.icmp(3, input.below(16));
        case 2:
            return ip.tcp(2, {2, 4, input.byte(), input.byte()});
        case 3:
            return ip.gre(input.byte());
        case 4:
            return six ? ip : ip.options({148, 4, 0, 0, input.byte(), input.byte(), 3, 4}).udp();
        case 5:
            return six ? ip.udp() : ip.fragment(input.two() & 0x3fffU).udp();
        default:
            return ip.udp();
    }
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    Input input(data, size);
    Bench bench(false);
    for (unsigned frames = 0; frames < 40 && !input.empty(); ++frames) {
        const auto choice = input.byte();
        const unsigned port = (choice & 1U) != 0 ? kAccess1 : kAccess0;
        Octets frame;
        if ((choice & 62U) == 62) {
            frame = raw_frame(input);
        } else {
            const unsigned customer = (choice >> 1U & 7U) % kThree;
            const bool six = (choice & 16U) != 0;
            constexpr unsigned kSizes[] = {12, 60, 12, 1200, 1260, 1400, 1440, 1520};
            auto ip = transport_of(input, ip_of(input, six), six);
            ip.ttl((choice & 96U) == 96 ? choice & 3U : 64U).payload(bench.payload(kSizes[choice >> 5U]));
            const auto tags = tags_of(customer, port);
            frame = peerlane::test::Packet(tags).then(ip).octets();
            edit(input, frame, tags.octets().size());
        }
        bench.allow(frame, owners_by_tags(port, frame));
        bench.feed(port, choice >> 7U, frame);
        if (input.one_in(8)) { bench.now += 1'000'000U * input.byte(); }
        if (input.one_in(4)) { bench.settle(); }
    }
    bench.settle();
    return 0;
}
