#include "dataplane/io/handover.hpp"

#include <rte_errno.h>

#include <string>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

HandoverRings::HandoverRings(unsigned workers) {
    for (unsigned i = 0; workers > 1 && i < workers; ++i) {
        const auto name = "handover" + std::to_string(i);
        auto* ring = rte_ring_create(name.c_str(), kHandoverRoom, SOCKET_ID_ANY, RING_F_SC_DEQ);
        if (ring == nullptr) {
            throw Failure(name, rte_strerror(rte_errno), "give DPDK more memory, or fewer workers");
        }
        rings_.push_back(ring);
    }
}

HandoverRings::~HandoverRings() {
    for (auto* ring : rings_) {
        void* packet = nullptr;
        while (rte_ring_dequeue(ring, &packet) == 0) { rte_pktmbuf_free(static_cast<rte_mbuf*>(packet)); }
        rte_ring_free(ring);
    }
}

}  // namespace peerlane::dataplane
