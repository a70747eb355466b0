#include "lib/steer/statistics.hpp"

#include <linux/if_xdp.h>
#include <sys/socket.h>

namespace peerlane::steer {

XdpStatistics xdp_statistics(std::span<const int> sockets) {
    XdpStatistics sums{};
    for (const int socket : sockets) {
        struct ::xdp_statistics one{};  // kernels before 5.9 fill the first three
        socklen_t length = sizeof(one);
        if (getsockopt(socket, SOL_XDP, XDP_STATISTICS, &one, &length) != 0) { continue; }
        const XdpStatistics counts{one.rx_dropped,   one.rx_invalid_descs,         one.tx_invalid_descs,
                                   one.rx_ring_full, one.rx_fill_ring_empty_descs, one.tx_ring_empty_descs};
        for (std::size_t i = 0; i < sums.size(); ++i) { sums[i] += counts[i]; }
    }
    return sums;
}

}  // namespace peerlane::steer
