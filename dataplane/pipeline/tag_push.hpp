// Back to Ethernet: the customer's MAC, the circuit's tags, the access port.
#pragma once

#include "dataplane/pipeline/gre_encap.hpp"
#include "dataplane/pipeline/tpids.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// Puts the link header before the packet: one copy of 32 octets that ends where the packet begins.
[[gnu::always_inline]] inline void push_slot(Burst& burst, std::uint32_t slot, const Exit& exit) noexcept {
    std::uint8_t* l3 = burst.l3[slot];
    std::memcpy(l3 - 32, &exit, 32);
    const bool four = l3[0] >> 4U == 4;
    reinterpret_cast<Be16*>(l3 - 2)->set(four ? ether::kIpv4 : ether::kIpv6);
    set_frame(burst.mbuf[slot], l3 - exit.header_length, exit.header_length + burst.length[slot]);
}

inline void tag_push(Worker& worker, Burst& burst) noexcept {
    const Exit* exits = worker.snapshot->exits.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) { push_slot(burst, slot, exits[burst.exit[slot]]); });
    if (worker.snapshot->hears_tpids) [[unlikely]] { put_heard_tpids(worker, burst); }
}

inline void send_to_access(Worker& worker, Burst& burst) noexcept {
    const Exit* exits = worker.snapshot->exits.data();
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        const Exit& exit = exits[burst.exit[slot]];
        put_customer(worker.state, burst.mbuf[slot], exit, burst.exit[slot], burst.l3[slot][0] >> 4U);
        burst.out_port[slot] = exit.port;
        burst.fate[slot] = Fate::sent;
    });
}

/// to_cloud: what the route sends back to a link of the same peering.
[[gnu::noinline, gnu::cold]] inline void push_hairpins(Worker& worker, Burst& burst) noexcept {
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        if (burst.tunnel[slot] != kNowhere) { return; }
        const Exit& exit = worker.snapshot->exits[burst.exit[slot]];
        push_slot(burst, slot, exit);
        put_heard_tpid(worker.state, exit, burst.exit[slot], burst.l3[slot] - exit.header_length);
        put_customer(worker.state, burst.mbuf[slot], exit, burst.exit[slot], burst.l3[slot][0] >> 4U);
        burst.out_port[slot] = exit.port;
        burst.fate[slot] = Fate::sent;
    });
}

}  // namespace peerlane::dataplane
