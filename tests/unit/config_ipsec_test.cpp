// The mapping `ipsec`: every field, every value that is none.
#include <gtest/gtest.h>

#include "config/key_material.hpp"
#include "tests/unit/config_ipsec_case.hpp"

namespace peerlane::config::test {
namespace {

const Ipsec& first_ipsec(const Loaded& loaded) {
    return loaded.model.customers.at(0).circuits.at(0).peerings.at(0).virtual_networks.at(0).ipsec.value();
}

/// Octets as hex, to compare with what was written.
std::string hex(const Secret& secret) {
    std::string result;
    for (const std::uint8_t octet : secret.octets()) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        result += kDigits[octet >> 4U];
        result += kDigits[octet & 15U];
    }
    return result;
}

TEST(ConfigIpsec, EveryFieldIsStored) {
    const std::string yaml =
        edited({kOneWorker,
                {5,
                 "  c0: { role: core, mtu: 9000, address: 192.0.2.1/24, address6: \"2001:db8::1/64\", gateway_mac: "
                 "02:00:00:00:00:fe }"},
                ipsec("lifetime:\n"
                      "  soft: { packets: 1000000, bytes: 1.5 TB, time: 3 min }\n"
                      "  hard: { packets: 9000000000000000000, bytes: 9000000 TB, time: 7.5 h }\n"
                      "outbound:\n"
                      "  - { spi: 0x1001, spi_count: 4, first_lane: 252, key: 0x" +
                      std::string(kKeyA) +
                      " }\n"
                      "  - { spi: 4294967292, spi_count: 4, key: '" +
                      std::string(kKeyB) +
                      "' }\n"
                      "inbound:\n"
                      "  - { spi: 256, key: " +
                      std::string(kKeyC) +
                      " }\n"
                      "  - spi: 257\n"
                      "    key: 01234567890123456789012345678901 01234567\n"
                      "replay_window: 8192\n"
                      "esn: true\n"
                      "udp_encapsulation: true\n"
                      "dscp: 63\n"
                      "mode: tunnel\n"
                      "local: 2001:db8::1\n"
                      "remote: 2001:db8::7\n"
                      "suite: aes-gcm-128")});
    const Loaded loaded = load_text(yaml, "f.yaml");
    ASSERT_TRUE(loaded.ok()) << text(loaded.findings);
    const Ipsec& got = first_ipsec(loaded);
    EXPECT_EQ(got.mode, IpsecMode::tunnel);
    EXPECT_EQ(got.suite, EspSuite::aes_gcm_128);
    EXPECT_EQ(got.local, parse_ip("2001:db8::1"));
    EXPECT_EQ(got.remote, parse_ip("2001:db8::7"));
    ASSERT_EQ(got.outbound.size(), 2U);
    EXPECT_EQ(got.outbound[0].spi, 0x1001U);
    EXPECT_EQ(got.outbound[0].spi_count, 4U);
    EXPECT_EQ(got.outbound[0].first_lane, 252U);
    EXPECT_EQ(hex(got.outbound[0].key), kKeyA);
    EXPECT_EQ(got.outbound[1].spi, 0xfffffffcU);
    EXPECT_EQ(got.outbound[1].spi_count, 4U);
    EXPECT_EQ(got.outbound[1].first_lane, 0U);
    EXPECT_EQ(hex(got.outbound[1].key), kKeyB);
    ASSERT_EQ(got.inbound.size(), 2U);
    EXPECT_EQ(got.inbound[0].spi, 256U);
    EXPECT_EQ(hex(got.inbound[0].key), kKeyC);
    EXPECT_EQ(got.inbound[1].spi, 257U);
    EXPECT_EQ(hex(got.inbound[1].key), "0123456789012345678901234567890101234567");
    EXPECT_EQ(got.replay_window, 8192U);
    EXPECT_TRUE(got.esn);
    EXPECT_TRUE(got.udp_encapsulation);
    EXPECT_EQ(got.dscp, 63);
    EXPECT_EQ(got.soft.packets, 1'000'000U);
    EXPECT_EQ(got.soft.bytes, 1'500'000'000'000U);
    EXPECT_EQ(got.hard.milliseconds, 27'000'000U);
    EXPECT_EQ(got.hard.packets, 9'000'000'000'000'000'000U);
    EXPECT_EQ(got.hard.bytes, 9'000'000'000'000'000'000U);
    EXPECT_EQ(got.soft.milliseconds, 180'000U);
    EXPECT_EQ(got.place.line, 24U);
    EXPECT_EQ(got.outbound[0].place.line, 28U);
    EXPECT_EQ(got.inbound[1].place.line, 32U);
}

TEST(ConfigIpsec, DefaultsAreTheModels) {
    const Loaded loaded = load_text(edited({kOneWorker, ipsec(sas(kKeyA, kKeyB))}), "f.yaml");
    ASSERT_TRUE(loaded.findings.empty()) << text(loaded.findings);
    const Ipsec& got = first_ipsec(loaded);
    const Ipsec model;
    EXPECT_EQ(got.mode, model.mode);
    EXPECT_EQ(got.replay_window, model.replay_window);
    EXPECT_EQ(got.esn, model.esn);
    EXPECT_EQ(got.udp_encapsulation, model.udp_encapsulation);
    EXPECT_EQ(got.dscp, model.dscp);
    EXPECT_EQ(got.soft.packets + got.soft.bytes + got.soft.milliseconds, 0U);
    EXPECT_EQ(got.hard.packets + got.hard.bytes + got.hard.milliseconds, 0U);
    EXPECT_EQ(got.outbound.at(0).spi_count, OutboundSa{}.spi_count);
    EXPECT_EQ(got.outbound.at(0).first_lane, OutboundSa{}.first_lane);
    EXPECT_EQ(got.local, parse_ip("192.0.2.1"));  // the tunnel's
    EXPECT_EQ(got.remote, parse_ip("198.51.100.7"));
    EXPECT_FALSE(loaded.model.customers.at(1).circuits.at(0).peerings.at(0).virtual_networks.at(0).ipsec.has_value());
}

TEST(ConfigIpsec, EverySuite) {
    for (std::size_t i = 0; i < kEspSuites.size(); ++i) {
        const EspSuiteRow& suite = kEspSuites[i];
        const auto key = [&](char digit) { return std::string(2U * suite.material(), digit); };
        const Loaded loaded =
            load_text(edited({kOneWorker, ipsec(sas(key('1'), key('2'), std::string(suite.name)))}), "f.yaml");
        EXPECT_TRUE(loaded.findings.empty()) << text(loaded.findings);
        EXPECT_EQ(static_cast<std::size_t>(first_ipsec(loaded).suite), i);
        EXPECT_EQ(hex(first_ipsec(loaded).outbound.at(0).key), key('1'));
        EXPECT_EQ(hex(first_ipsec(loaded).inbound.at(0).key), key('2'));
    }
}

}  // namespace
}  // namespace peerlane::config::test
