// Frames as devices hand them over that take off outer tags (RTE_ETH_RX_OFFLOAD_VLAN_STRIP). Programs of tests do so
// with PEERLANE_TAGS_BESIDE set, and expect the same of everything.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "lib/net/headers.hpp"

namespace peerlane::test {

inline bool tags_are_beside() {
    static const bool are = std::getenv("PEERLANE_TAGS_BESIDE") != nullptr;
    return are;
}

/// Fails a program that was to take off tags and did not.
class TagsTaken : public testing::Environment {
  public:
    void TearDown() override { EXPECT_EQ(count != 0, tags_are_beside()); }
    static inline unsigned count = 0;
};
inline const auto* const tags_taken = testing::AddGlobalTestEnvironment(new TagsTaken);

/// Of a frame that has one.
inline void take_off(rte_mbuf& mbuf) {
    constexpr unsigned kMacs = 12;
    auto* frame = rte_pktmbuf_mtod(&mbuf, std::uint8_t*);
    mbuf.vlan_tci = reinterpret_cast<const ether::Tag*>(frame + sizeof(ether::Header))->tci.get();
    mbuf.ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    std::memmove(frame + sizeof(ether::Tag), frame, kMacs);
    rte_pktmbuf_adj(&mbuf, sizeof(ether::Tag));
}

/// As Linux does; 0x9100 it does not know.
inline void take_off_tag(rte_mbuf& mbuf) {
    if (!tags_are_beside() || mbuf.data_len < sizeof(ether::Header) + sizeof(ether::Tag)) { return; }
    const auto type = rte_pktmbuf_mtod(&mbuf, const ether::Header*)->type.get();
    if (type != ether::kVlan && type != ether::kSvlan) { return; }
    take_off(mbuf);
    ++TagsTaken::count;
}

/// A packet whose tag is beside it and has no room in its buffer.
inline rte_mbuf* crowded(rte_mempool* pool, const std::vector<std::uint8_t>& octets) {
    auto* mbuf = rte_pktmbuf_alloc(pool);
    if (mbuf == nullptr) { throw std::runtime_error("packet buffers were lost"); }
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(octets.size())), octets.data(), octets.size());
    take_off(*mbuf);
    std::memmove(mbuf->buf_addr, rte_pktmbuf_mtod(mbuf, void*), mbuf->data_len);
    mbuf->data_off = 0;
    return mbuf;
}

}  // namespace peerlane::test
