// The hash that spreads flows over links: against CRC-32C bit by bit, what it looks at, and how evenly it spreads.
#include "lib/net/flow_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string_view>
#include <vector>

namespace peerlane {
namespace flow_hash_test {

using Octets = std::vector<std::uint8_t>;

/// RFC 3720 §12.1, bit by bit.
std::uint32_t crc32c(const Octets& octets) {
    std::uint32_t crc = 0xffff'ffff;
    for (const auto octet : octets) {
        crc ^= octet;
        for (int bit = 0; bit < 8; ++bit) { crc = (crc & 1U) != 0 ? crc >> 1U ^ 0x82f6'3b78U : crc >> 1U; }
    }
    return ~crc;
}

struct Flow {
    unsigned version = 4;
    std::uint64_t source = 0x0a64'0001, destination = 0x0a00'0001;
    std::uint8_t protocol = ip::kUdp;
    unsigned from = 1000, to = 2000;
    unsigned options = 0, fragment = 0;
    unsigned payload = 8;

    [[nodiscard]] Octets packet() const {
        const unsigned header = version == 4 ? 20 + options : 40;
        Octets octets(header + std::max(payload, 4U), 0xcc);  // what is beyond its length is not read
        if (version == 4) {
            auto& four = *reinterpret_cast<Ipv4*>(octets.data());
            four.version_ihl = static_cast<std::uint8_t>(0x40U | header / 4);
            four.protocol = protocol;
            four.fragment.set(static_cast<std::uint16_t>(fragment));
            four.source.set(static_cast<std::uint32_t>(source));
            four.destination.set(static_cast<std::uint32_t>(destination));
        } else {
            auto& six = *reinterpret_cast<Ipv6*>(octets.data());
            six.version_class_flow.set(6U << 28U | 0x12345U);
            six.next_header = protocol;
            six.source_high.set(0xfd00'0100'0000'0000);
            six.source_low.set(source);
            six.destination_high.set(0xfd00'0010'0000'0000);
            six.destination_low.set(destination);
        }
        reinterpret_cast<Be16*>(octets.data() + header)->set(static_cast<std::uint16_t>(from));
        reinterpret_cast<Be16*>(octets.data() + header + 2)->set(static_cast<std::uint16_t>(to));
        return octets;
    }
    [[nodiscard]] std::uint32_t hash() const {
        const auto octets = packet();
        if (version == 4) { return flow_hash(*reinterpret_cast<const Ipv4*>(octets.data()), 20 + options + payload); }
        return flow_hash(*reinterpret_cast<const Ipv6*>(octets.data()), 40 + payload);
    }
    /// The octets that count, picked out of the packet.
    [[nodiscard]] Octets counting(bool ports) const {
        const auto octets = packet();
        const auto at = [&](std::ptrdiff_t index) { return octets.begin() + index; };
        Octets chosen = version == 4 ? Octets(at(12), at(20)) : Octets(at(8), at(40));
        chosen.push_back(protocol);
        const std::ptrdiff_t header = version == 4 ? 20 + options : 40;
        if (ports) { chosen.insert(chosen.end(), at(header), at(header + 4)); }
        return chosen;
    }
};

TEST(FlowHash, TheReferenceIsTheRfcs) {
    constexpr std::string_view check = "123456789";
    EXPECT_EQ(crc32c(Octets(check.begin(), check.end())), 0xe306'9283U);
    EXPECT_EQ(crc32c(Octets(32, 0)), 0x8a91'36aaU);  // RFC 3720 appendix B.4
    EXPECT_EQ(crc32c(Octets(32, 0xff)), 0x62a8'ab43U);
}

TEST(FlowHash, IsTheReference) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 20'000; ++i) {
        Flow flow{.version = random() % 2 == 0 ? 4U : 6U, .source = random(), .destination = random()};
        flow.protocol = std::vector<std::uint8_t>{ip::kTcp, ip::kUdp, ip::kIcmp, 44, 0, 132}[random() % 6];
        flow.from = random() % 65536;
        flow.to = random() % 65536;
        flow.options = random() % 4 == 0 ? static_cast<unsigned>(random() % 11) * 4 : 0;
        flow.fragment = std::vector<unsigned>{0, 0, 0x4000, 0x2000, 0x00b9, 0x20b9, 0x8000}[random() % 7];
        flow.payload = static_cast<unsigned>(random() % 12);
        const bool whole = flow.version == 6 || (flow.fragment & 0x3fffU) == 0;
        const bool ports = (flow.protocol == 6 || flow.protocol == 17) && whole && flow.payload >= 4;
        ASSERT_EQ(flow.hash(), crc32c(flow.counting(ports)))
            << "IPv" << flow.version << ", protocol " << unsigned{flow.protocol} << ", " << flow.payload
            << " octets, fragment " << flow.fragment;
    }
}

TEST(FlowHash, FragmentsOfAPacketGoOneWay) {
    const auto first = Flow{.fragment = 0x2000}.hash();
    EXPECT_EQ((Flow{.from = 7, .to = 9, .fragment = 0x20b9}.hash()), first);
    EXPECT_EQ((Flow{.from = 1, .to = 2, .fragment = 0x0172, .payload = 2}.hash()), first);
    EXPECT_NE(Flow{}.hash(), first) << "whole packets of the flow have ports";
}

TEST(FlowHash, SpreadsEvenly) {
    constexpr unsigned kFlows = 10'000;
    struct Pattern {
        const char* name;
        std::function<void(Flow&, unsigned)> set;
    };
    const std::vector<Pattern> patterns{
        {"sources", [](Flow& flow, unsigned i) { flow.source += i; }},
        {"destinations", [](Flow& flow, unsigned i) { flow.destination += i; }},
        {"source ports", [](Flow& flow, unsigned i) { flow.from = 1024 + i; }},
        {"destination ports", [](Flow& flow, unsigned i) { flow.to = 1024 + i; }},
        {"even ports, as Linux gives them", [](Flow& flow, unsigned i) { flow.from = 32768 + 2 * i; }},
        {"both addresses", [](Flow& flow, unsigned i) { flow.source += i, flow.destination += i; }},
        {"both ports", [](Flow& flow, unsigned i) { flow.from += i, flow.to += i; }},
        {"a port for each destination", [](Flow& flow, unsigned i) { flow.destination += i, flow.to += i; }},
        {"everything", [](Flow& flow, unsigned i) { flow.source += i, flow.destination += i, flow.from += i; }},
        {"one address of each /24", [](Flow& flow, unsigned i) { flow.destination += i * 256; }},
        {"a grid of hosts", [](Flow& flow, unsigned i) { flow.source += i / 100, flow.destination += i % 100; }},
        {"addresses without ports", [](Flow& flow, unsigned i) { flow.destination += i, flow.protocol = ip::kIcmp; }},
    };
    for (const unsigned version : {4U, 6U}) {
        for (const auto& [name, set] : patterns) {
            unsigned second = 0;
            for (unsigned i = 0; i < kFlows; ++i) {
                Flow flow{.version = version};
                set(flow, i);
                second += flow.hash() & 1U;
            }
            EXPECT_GT(second, kFlows * 45 / 100) << name << ", IPv" << version;
            EXPECT_LT(second, kFlows * 55 / 100) << name << ", IPv" << version;
        }
    }
}

}  // namespace flow_hash_test
}  // namespace peerlane
