// What a port uses of its device, and what it knows of its interface.
#include <gtest/gtest.h>
#include <net/if.h>

#include "dataplane/io/interface.hpp"
#include "dataplane/io/offloads.hpp"

namespace peerlane::dataplane {
namespace {

/// A NIC that can do all that is asked for.
rte_eth_dev_info able() {
    rte_eth_dev_info info{};
    info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_TCP_LRO;
    info.flow_type_rss_offloads =
        RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_L2_PAYLOAD | RTE_ETH_RSS_LEVEL_INNERMOST;
    return info;
}

TEST(Offloads, WhatTheDeviceCanIsUsedAndSaid) {
    const auto core = choose_offloads(able(), "net_mlx5", true, 4);
    EXPECT_TRUE(core.checksums && core.may_strip && !core.strip);
    EXPECT_EQ(core.rss, RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_LEVEL_INNERMOST);
    EXPECT_EQ(core.used, "rx_checksum, rss inner ip");
    EXPECT_EQ(core.in_software, "tx_checksum, vlan_strip, vlan_insert");
    const auto access = choose_offloads(able(), "net_mlx5", false, 4);
    EXPECT_EQ(access.rss, RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP) << "what a customer tunnels is his affair";
    EXPECT_TRUE(access.may_strip && !access.strip) << "nobody knows which of two tags";
    EXPECT_EQ(access.used, "rx_checksum, rss ip");
    const auto system = choose_offloads(able(), "net_af_packet", false, 4);
    EXPECT_TRUE(system.strip);
    EXPECT_EQ(system.used, "rx_checksum, vlan_strip, rss ip");
    EXPECT_EQ(system.in_software, "tx_checksum, vlan_insert");
    EXPECT_FALSE(choose_offloads(able(), "net_af_packet", true, 4).strip) << "the core has no tags";
}

TEST(Offloads, WhatItCannotIsDoneInSoftware) {
    const auto none = choose_offloads({}, "net_null", true, 4);
    EXPECT_TRUE(!none.checksums && !none.strip && !none.may_strip && none.rss == 0);
    EXPECT_EQ(none.used, "none");
    EXPECT_EQ(none.in_software, "rx_checksum, tx_checksum, vlan_strip, vlan_insert");
    auto shallow = able();
    shallow.flow_type_rss_offloads = RTE_ETH_RSS_IP;
    EXPECT_EQ(choose_offloads(shallow, "net_ixgbe", true, 2).used, "rx_checksum, rss ip");
    EXPECT_EQ(choose_offloads(able(), "net_mlx5", true, 1).used, "rx_checksum") << "one queue needs no spreading";
    EXPECT_FALSE(choose_offloads(able(), "net_tap", true, 1).checksums) << "the driver sums itself";
}

TEST(Offloads, AWordThatIsNotKeptCanBeTakenBack) {
    auto offloads = choose_offloads(able(), "net_mlx5", true, 4);
    spread_by_outer(offloads);
    EXPECT_EQ(offloads.rss, RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
    EXPECT_EQ(offloads.used, "rx_checksum, rss ip");
}

TEST(Interface, IsFoundByName) {
    const auto loopback = look_at_interface("lo");
    EXPECT_EQ(loopback.index, if_nametoindex("lo"));
    EXPECT_GT(loopback.index, 0U);
    EXPECT_GT(loopback.mtu, 0U);
    EXPECT_EQ(interface_name(loopback.index), "lo");
    for (const auto* name : {"", "no-such-one", "a-name-too-long-for-the-kernel"}) {
        EXPECT_EQ(look_at_interface(name).index, 0U) << name;
        EXPECT_FALSE(look_at_interface(name).up) << name;
    }
    EXPECT_EQ(interface_name(0), "");
    EXPECT_FALSE(bool(listen_to_groups(0xffffff, false))) << "there is no such interface";
}

}  // namespace
}  // namespace peerlane::dataplane
