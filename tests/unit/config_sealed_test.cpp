// Sizes of sealed packets: against figures worked out by hand, and the largest that fits against a search.
#include <gtest/gtest.h>

#include "config/derive.hpp"

namespace peerlane::config::test {
namespace {

struct Kind {
    bool four = true;
    bool key = true;
    bool outer_four = true;
    bool udp = false;
    IpsecMode mode = IpsecMode::tunnel;
};

VirtualNetwork network_of(const Kind& kind, EspSuite suite) {
    const IpAddress v4 = *parse_ip("192.0.2.1");
    const IpAddress v6 = *parse_ip("2001:db8::1");
    VirtualNetwork network;
    network.tunnel.local = network.tunnel.remote = kind.four ? v4 : v6;
    if (kind.key) network.tunnel.key = GreKey{7};
    Ipsec& ipsec = network.ipsec.emplace();
    ipsec.mode = kind.mode;
    ipsec.suite = suite;
    ipsec.udp_encapsulation = kind.udp;
    ipsec.local = ipsec.remote = kind.outer_four ? v4 : v6;
    return network;
}

TEST(ConfigSealed, ByHand) {
    const auto size = [](const Kind& kind, EspSuite suite, std::uint32_t inner) {
        return sealed_size(network_of(kind, suite), inner);
    };
    // 20 outer, 8 ESP, 8 IV, 20 + 8 + 1400 payload, 2 trailer, 2 padding, 16 ICV.
    EXPECT_EQ(size({}, EspSuite::aes_gcm_128, 1400), 1484U);
    EXPECT_EQ(size({}, EspSuite::aes_gcm_256, 1402), 1484U);  // no padding
    EXPECT_EQ(size({}, EspSuite::aes_gcm_128, 1403), 1488U);
    // 20, 8, 16, 1428 + 2 + 10 = 90 blocks, 16.
    EXPECT_EQ(size({}, EspSuite::aes_cbc_128_hmac_sha256_128, 1400), 1500U);
    EXPECT_EQ(size({}, EspSuite::aes_cbc_256_hmac_sha256_128, 1411), 1516U);
    // 20, 8, 8, 8 + 1400 payload, 2 trailer, 2 padding, 16.
    EXPECT_EQ(size({.mode = IpsecMode::transport}, EspSuite::chacha20_poly1305, 1400), 1464U);
    // 40, 8 UDP, 8, 8, 40 + 4 + 1400, 2 + 2, 16.
    EXPECT_EQ(size({.four = false, .key = false, .outer_four = false, .udp = true}, EspSuite::aes_gcm_128, 1400),
              1528U);

    VirtualNetwork clear = network_of({}, EspSuite::aes_gcm_128);
    clear.ipsec.reset();
    EXPECT_EQ(sealed_size(clear, 1400), 1428U);
    EXPECT_EQ(largest_inner(clear, 1428), 1400U);
    EXPECT_EQ(largest_inner(clear, 28), 0U);
    EXPECT_EQ(largest_inner(clear, 27), 0U);
}

TEST(ConfigSealed, TheLargestThatFits) {
    std::size_t compared = 0;
    for (unsigned bits = 0; bits < 32; ++bits) {
        const Kind kind{.four = (bits & 1U) != 0,
                        .key = (bits & 2U) != 0,
                        .outer_four = (bits & 4U) != 0,
                        .udp = (bits & 8U) != 0,
                        .mode = (bits & 16U) != 0 ? IpsecMode::tunnel : IpsecMode::transport};
        if (kind.mode == IpsecMode::transport && kind.four != kind.outer_four) continue;
        for (std::size_t suite = 0; suite < kEspSuites.size(); ++suite) {
            const VirtualNetwork network = network_of(kind, static_cast<EspSuite>(suite));
            std::uint32_t fits = 0;  // grows with the MTU
            for (std::uint32_t mtu = 0; mtu <= 1600; ++mtu) {
                while (sealed_size(network, fits + 1) <= mtu) ++fits;
                ASSERT_EQ(largest_inner(network, mtu), fits) << kEspSuites[suite].name << " " << bits << " " << mtu;
                ++compared;
            }
            EXPECT_GT(fits, 1400U);
        }
    }
    EXPECT_EQ(compared, 24U * 5U * 1601U);
}

TEST(ConfigSealed, TheCorePortIsThatOfTheOuterAddress) {
    Model model;
    model.ports.resize(2);
    for (Port& port : model.ports) port.role = Role::core;
    model.ports[0].address = parse_prefix4("192.0.2.1/24");
    model.ports[1].address6 = parse_prefix6("2001:db8::1/64");
    VirtualNetwork network = network_of({.outer_four = false}, EspSuite::aes_gcm_128);
    EXPECT_EQ(core_port_of(model, network), 1U);
    EXPECT_EQ(core_port_of(model, network.tunnel), 0U);
    network.ipsec.reset();
    EXPECT_EQ(core_port_of(model, network), 0U);
}

}  // namespace
}  // namespace peerlane::config::test
