#include "dataplane/io/page_pool.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <stdexcept>

#include "dataplane/io/eal.hpp"

namespace peerlane::dataplane {
namespace {

void free_zone(rte_mempool_memhdr* /*chunk*/, void* zone) {
    rte_memzone_free(static_cast<const rte_memzone*>(zone));
}

/// A page without DPDK's header and trailer of a pool's element.
unsigned element_size() {
    rte_mempool_objsz around{};
    rte_mempool_calc_obj_size(RTE_CACHE_LINE_SIZE, RTE_MEMPOOL_F_NO_SPREAD, &around);
    return static_cast<unsigned>(page_buffer_size()) - around.header_size - around.trailer_size;
}

[[noreturn]] void no_memory(unsigned buffers, int error) {
    throw std::runtime_error(fmt::format("no memory in one piece for {} packet buffers of {} bytes: {}", buffers,
                                         page_buffer_size(), rte_strerror(error)));
}

}  // namespace

std::size_t page_buffer_size() noexcept {
    static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return size;
}

rte_mempool* make_page_pool(const std::string& name, unsigned buffers, unsigned cache) {
    const auto element = element_size();
    std::unique_ptr<rte_mempool, decltype(&rte_mempool_free)> pool(
        rte_mempool_create_empty(name.c_str(), buffers, element, cache, sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
                                 RTE_MEMPOOL_F_NO_SPREAD),
        &rte_mempool_free);
    if (!pool || rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr) != 0) {
        no_memory(buffers, rte_errno);
    }
    rte_pktmbuf_pool_private sizes{};
    sizes.mbuf_data_room_size = static_cast<std::uint16_t>(element - sizeof(rte_mbuf));
    rte_pktmbuf_pool_init(pool.get(), &sizes);
    const auto page = page_buffer_size();
    const auto* zone = rte_memzone_reserve_aligned((name + "-pages").c_str(), buffers * page, SOCKET_ID_ANY, 0,
                                                   static_cast<unsigned>(page));
    if (zone == nullptr) { no_memory(buffers, rte_errno); }
    const int populated = rte_mempool_populate_virt(pool.get(), static_cast<char*>(zone->addr), zone->len, page,
                                                    free_zone, const_cast<rte_memzone*>(zone));
    if (populated < 0) {
        rte_memzone_free(zone);
        no_memory(buffers, -populated);
    }
    if (static_cast<unsigned>(populated) != buffers || !lies_in_one_piece(*pool)) { no_memory(buffers, ENOMEM); }
    rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
    keep_out_of_dumps(*pool);
    return pool.release();
}

bool lies_in_one_piece(rte_mempool& pool) {
    struct Piece {
        std::uintptr_t begin, end;
        bool whole = true;
    };
    const auto size = rte_mempool_calc_obj_size(pool.elt_size, pool.flags, nullptr);
    const auto begin = reinterpret_cast<std::uintptr_t>(STAILQ_FIRST(&pool.mem_list)->addr);
    Piece piece{begin, begin + std::uintptr_t{pool.populated_size} * size};
    rte_mempool_obj_iter(
        &pool,
        [](rte_mempool* of, void* argument, void* object, unsigned /*index*/) {
            auto& within = *static_cast<Piece*>(argument);
            const auto first = reinterpret_cast<std::uintptr_t>(object) - of->header_size;
            const auto last = reinterpret_cast<std::uintptr_t>(object) + of->elt_size + of->trailer_size;
            within.whole = within.whole && first >= within.begin && last <= within.end;
        },
        &piece);
    return piece.whole;
}

}  // namespace peerlane::dataplane
