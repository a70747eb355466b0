#include "dataplane/io/shared_ring.hpp"

#include <rte_errno.h>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

SharedRing::SharedRing(const std::string& name, unsigned room, unsigned flags)
    : ring_(rte_ring_create(name.c_str(), room, SOCKET_ID_ANY, flags | RING_F_SC_DEQ)) {
    if (ring_ == nullptr) { throw Failure(name, rte_strerror(rte_errno), "give DPDK more memory, or fewer workers"); }
}

SharedRing::~SharedRing() {
    void* packet = nullptr;
    while (rte_ring_dequeue(ring_, &packet) == 0) { rte_pktmbuf_free(static_cast<rte_mbuf*>(packet)); }
    rte_ring_free(ring_);
}

}  // namespace peerlane::dataplane
