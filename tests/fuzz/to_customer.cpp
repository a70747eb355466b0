// Frames from the core, changed by anybody, also inside: sealed under the right keys after what they carry was made to
// lie. A packet comes out at nobody but the customer whose SA or GRE key it came under.
#include "tests/fuzz/bench.hpp"

namespace peerlane::fuzz {
namespace {

using test::Packet;

Packet inner(Input& input, Bench& bench, const BenchTunnel& tunnel) {
    const auto where = input.byte();
    const bool six = (where & 1U) != 0;
    const auto network = std::to_string(100 + ((where & 2U) != 0 ? input.below(9) : tunnel.number));
    constexpr const char* kTo4[] = {"10.0.0.1",   "10.0.0.2", "172.16.0.1", "172.16.0.5",
                                    "172.16.0.2", "10.0.7.7", "10.99.0.1",  "10.101.0.1"};
    constexpr const char* kTo6[] = {"fd00:10::1",  "fd00:10::2", "fd00:172::1", "fd00:172::5",
                                    "fd00:172::2", "fd00:10::7", "fe80::1",     "fd00:101::1"};
    Packet ip = six ? Packet().ip6("fd00:" + network + "::1", kTo6[where >> 2U & 7U])
                    : Packet().ip4("10." + network + ".0.1", kTo4[where >> 2U & 7U]);
    if (!six && (where & 32U) != 0) { ip.df(); }
    const auto kind = input.byte();
    if ((kind & 7U) == 7) { ip.ttl(kind >> 6U); }
    if ((kind & 56U) == 8) {
        six ? ip.icmp6(128) : ip.icmp(8);
    } else if ((kind & 56U) == 16) {
        ip.tcp(2, {2, 4, input.byte(), input.byte()});
    } else {
        ip.udp(1000 + (kind >> 3U), 2000);
    }
    constexpr unsigned kSizes[] = {12, 60, 1200, 1252, 1300, 1400, 12, 400};
    return ip.payload(bench.payload(kSizes[kind & 7U]));
}

/// The text that ESP carries, its trailer included, and what it says there.
Octets sealed_text(Input& input, const BenchTunnel& tunnel, const Octets& delivery) {
    const std::size_t header = !tunnel.transport ? 0U : tunnel.six ? 40U : 20U;
    Octets text(delivery.begin() + static_cast<std::ptrdiff_t>(std::min(header, delivery.size())), delivery.end());
    const auto block = row(tunnel.suite).block;
    const auto lie = input.byte();
    std::uint8_t padding = 0;
    while ((text.size() + kEspTrailer) % block != 0 || (padding < 16 && (lie & 7U) == 6)) { text.push_back(++padding); }
    if ((lie & 15U) == 7 && padding != 0) { text.back() = input.byte(); }
    text.push_back((lie & 15U) == 1 ? input.byte() : padding);
    const std::uint8_t next = tunnel.transport ? 47 : tunnel.six ? 41 : 4;
    text.push_back((lie & 15U) == 2 ? input.byte() : next);
    return text;
}

Octets frame_of(Input& input, Bench& bench, std::map<unsigned, std::uint64_t>& sequences) {
    const auto& tunnel = bench_tunnels()[input.below(8)];
    auto delivery = bench_delivery(tunnel, inner(input, bench, tunnel)).octets();
    Packet frame = Packet().ether(kPortMac[kCore], kGatewayMac);
    if (!tunnel.sealed) {
        auto octets = frame.raw({}, tunnel.six ? 0x86dd : 0x0800).payload(delivery).octets();
        edit(input, octets, 14);
        bench.allow(octets, owners_by_key(octets));
        return octets;
    }
    edit(input, delivery, tunnel.six ? 0 : (input.one_in(2) ? 28 : 0));
    bench.allow(delivery, 1U << tunnel.customer);
    const auto numbers = input.byte();
    auto& last = sequences[tunnel.number];
    const std::uint64_t sequence = (numbers & 7U) == 7   ? last
                                   : (numbers & 7U) == 6 ? last + 1 + (numbers >> 3U) * 100U
                                                         : last + 1;
    last = std::max(last, sequence);
    const auto esp =
        seal_text(bench_key(tunnel, false), bench_spi(tunnel, false), sequence, sealed_text(input, tunnel, delivery));
    if (tunnel.six) {
        frame.ip6("2001:db8:cafe::7", "2001:db8:ffff::1");
    } else {
        frame.ip4(kRemote[1], kLocal);
    }
    auto octets = frame.raw({}, 50).payload(esp).octets();
    if (input.one_in(4)) { edit(input, octets, 14); }
    return octets;
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    Input input(data, size);
    Bench bench(false);
    std::map<unsigned, std::uint64_t> sequences;
    for (unsigned frames = 0; frames < 40 && !input.empty(); ++frames) {
        const auto choice = input.byte();
        Octets frame;
        if ((choice & 15U) == 15) {
            frame = raw_frame(input);
            bench.allow(frame, owners_by_key(frame));
        } else {
            frame = frame_of(input, bench, sequences);
        }
        bench.feed(kCore, choice >> 7U, frame);
        if ((choice & 96U) == 32) { bench.feed(kCore, choice >> 7U, frame); }
        if (input.one_in(8)) { bench.now += 1'000'000U * input.byte(); }
        if (input.one_in(4)) { bench.settle(); }
    }
    bench.settle();
    return 0;
}
