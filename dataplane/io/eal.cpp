#include "dataplane/io/eal.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "dataplane/io/drivers.hpp"

namespace peerlane::dataplane {

void start_eal(const std::vector<std::string>& arguments) {
    // DPDK keeps pointers into its arguments.
    static std::vector<std::string> kept;
    static std::vector<char*> pointers;
    kept = {"peerlane"};
    kept.insert(kept.end(), arguments.begin(), arguments.end());
    pointers.clear();
    for (auto& argument : kept) { pointers.push_back(argument.data()); }
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0) {
        throw std::runtime_error(std::string("DPDK does not start: ") + rte_strerror(rte_errno));
    }
}

std::vector<std::string> private_memory(unsigned megabytes) {
    std::vector<std::string> arguments{"--no-huge",      "--no-pci",      "--no-shconf", "--no-telemetry",
                                       "--iova-mode=va", "--log-level=4", "-m",          std::to_string(megabytes),
                                       "--lcores=0"};
    std::ranges::copy(driver_arguments({}), std::back_inserter(arguments));
    return arguments;
}

void keep_out_of_dumps(rte_mempool& pool) {
    const auto hide = [](rte_mempool* /*pool*/, void* /*unused*/, rte_mempool_memhdr* memory, unsigned /*index*/) {
        constexpr std::uintptr_t kPage = 4096;
        auto* start = static_cast<std::uint8_t*>(memory->addr);
        const auto before = -reinterpret_cast<std::uintptr_t>(start) & (kPage - 1);
        if (memory->len > before) { madvise(start + before, (memory->len - before) & ~(kPage - 1), MADV_DONTDUMP); }
    };
    rte_mempool_mem_iter(&pool, hide, nullptr);
}

rte_mempool* make_pool(const std::string& name, unsigned buffers, std::uint16_t mtu, unsigned cache) {
    constexpr unsigned kLink = 14 + 8 + 4;  // Ethernet, two tags, FCS where a device leaves it
    constexpr unsigned kOuter = 64;         // a tunnel's header, when the same buffers serve a core port
    constexpr unsigned kTail = 64;          // padding and ICV of ESP
    const unsigned room =
        std::max<unsigned>(RTE_PKTMBUF_HEADROOM + mtu + kLink + kOuter + kTail, RTE_MBUF_DEFAULT_BUF_SIZE);
    const auto rounded = static_cast<std::uint16_t>((room + 63U) & ~63U);
    auto* pool = rte_pktmbuf_pool_create(name.c_str(), buffers, cache, 0, rounded, SOCKET_ID_ANY);
    if (pool == nullptr) {
        throw std::runtime_error("no memory for " + std::to_string(buffers) + " packet buffers of " +
                                 std::to_string(rounded) + " octets: " + rte_strerror(rte_errno));
    }
    keep_out_of_dumps(*pool);
    return pool;
}

}  // namespace peerlane::dataplane
