// The memory of AF_XDP ports, and what is said of their statistics.
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <set>

#include "dataplane/io/eal.hpp"
#include "dataplane/io/page_pool.hpp"
#include "dataplane/io/xdp_watch.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kBuffers = 5049;

class PagePool : public testing::Test {
  protected:
    static void SetUpTestSuite() { start_eal(private_memory(64)); }
};

TEST_F(PagePool, EachBufferFillsAPageAndAllLieInWhatIsRegistered) {
    auto* const pool = make_page_pool("pages", kBuffers, 256);
    EXPECT_EQ(pool->populated_size, kBuffers);
    EXPECT_EQ(rte_mempool_calc_obj_size(pool->elt_size, pool->flags, nullptr), page_buffer_size());
    std::set<std::uintptr_t> pages;
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool* of, void* found, void* object, unsigned /*index*/) {
            const auto first = reinterpret_cast<std::uintptr_t>(object) - of->header_size;
            static_cast<std::set<std::uintptr_t>*>(found)->insert(first);
        },
        &pages);
    EXPECT_EQ(pages.size(), kBuffers);
    EXPECT_EQ(*pages.begin() % page_buffer_size(), 0U);
    EXPECT_EQ(*pages.rbegin() - *pages.begin(), (kBuffers - 1) * page_buffer_size()) << "no gap";
    EXPECT_TRUE(lies_in_one_piece(*pool));

    auto* const one = rte_pktmbuf_alloc(pool);
    ASSERT_NE(one, nullptr);
    // XDP_PACKET_HEADROOM, the largest IP packet that `check` allows, Ethernet and two tags, ESP's padding and ICV.
    EXPECT_GE(rte_pktmbuf_tailroom(one), 256 + 3300 + 22 + 64);
    EXPECT_EQ(rte_pktmbuf_headroom(one), RTE_PKTMBUF_HEADROOM);
    rte_pktmbuf_free(one);
    rte_mempool_free(pool);
    auto* const again = make_page_pool("pages", kBuffers, 256);
    EXPECT_NE(again, nullptr) << "its memory was given back";
    rte_mempool_free(again);
}

TEST_F(PagePool, DpdksOwnPoolsHaveGapsWithoutHugepages) {
    auto* const pool = make_pool("gaps", 512, 1500);
    EXPECT_FALSE(lies_in_one_piece(*pool)) << "no buffer crosses a page of 4 KiB there";
    rte_mempool_free(pool);
}

TEST_F(PagePool, MoreThanThereIsIsRefused) {
    EXPECT_THROW(make_page_pool("many", 100'000, 256), std::runtime_error);
    auto* const pool = make_page_pool("many", 64, 0);
    EXPECT_NE(pool, nullptr) << "nothing of the first is left";
    rte_mempool_free(pool);
}

TEST(XdpWatch, SaysWhatIsNewOfLossesAndThenKeepsSilentForAWhile) {
    XdpWatch watch(2);
    EXPECT_EQ(watch.follow({0, 0, 0, 0, 0, 100}, 0, 1), "") << "an empty transmit ring is no loss";
    EXPECT_EQ(watch.follow({1, 0, 2, 0, 0, 100}, 0, 2), " rx_dropped 1, tx_invalid_descs 2");
    EXPECT_EQ(watch.follow({1, 0, 9, 0, 0, 100}, 0, 3), "") << "one line in ten seconds";
    EXPECT_EQ(watch.follow({0, 0, 0, 4, 0, 0}, 1, 3), " rx_ring_full 4") << "each port has its own";
    EXPECT_EQ(watch.follow({1, 0, 9, 0, 0, 0}, 0, 2 + XdpWatch::kSilence), " tx_invalid_descs 7");
    EXPECT_EQ(watch.follow({1, 0, 9, 0, 0, 0}, 0, 2 + 2 * XdpWatch::kSilence), "");
    EXPECT_EQ(watch.follow({0, 0, 3, 0, 0, 0}, 0, 2 + 2 * XdpWatch::kSilence), " tx_invalid_descs 3") << "opened again";
}

}  // namespace
}  // namespace peerlane::dataplane
