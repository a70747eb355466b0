// Packet buffers of one page each, in one piece: what an AF_XDP port's memory has to look like.
#pragma once

#include <rte_mempool.h>

#include <cstddef>
#include <string>

namespace peerlane::dataplane {

/// Bytes that make_page_pool() takes for each buffer: a page. An AF_XDP chunk can be no larger, and one that lies in
/// two pages is refused where a device reads it by DMA.
std::size_t page_buffer_size() noexcept;

/// DPDK's net_af_xdp registers a pool as `number of buffers * bytes of each` from its first byte on. That is only true
/// of memory without gaps. rte_pktmbuf_pool_create() leaves gaps: no buffer may cross a page there, which is 4 KiB
/// without hugepages. So each buffer fills a page here, and all lie in one memory zone. The headroom, the kernel's
/// XDP_PACKET_HEADROOM and 3300 bytes of IP with all that goes around them fit. Throws std::runtime_error where there
/// is no such memory in one piece.
rte_mempool* make_page_pool(const std::string& name, unsigned buffers, unsigned cache);

/// Whether all buffers lie in what net_af_xdp would register.
bool lies_in_one_piece(rte_mempool& pool);

}  // namespace peerlane::dataplane
