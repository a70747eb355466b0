// A burst: fixed slots, columns beside the mbuf pointers, and the list of slots that are still on their way.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/pipeline/fate.hpp"
#include "lib/base/address.hpp"
#include "lib/base/types.hpp"
#include "lib/table/route_table.hpp"
#include "lib/table/tunnel_table.hpp"

namespace peerlane::dataplane {

inline constexpr unsigned kBurst = 32;
inline constexpr std::uint32_t kNowhere = 0xffffffff;

/// A value of Burst::type beside the EtherTypes: the frame went to a group MAC, only ARP and neighbour discovery may.
/// It is a TPID, which no frame has behind its tags.
inline constexpr std::uint16_t kGroupMac = 0x8100;

inline constexpr int kPoison = 0xdb;  // in every byte of a column that no stage has written (debug builds)

/// Up to kBurst packets that came in by one port, at one time. A stage goes through them with each(); a drop
/// writes the slot's fate, and the slot leaves the list when the stage ends. Columns are never compacted: an observer
/// can still read a dropped packet.
struct alignas(64) Burst {
    Nanoseconds now = 0;
    std::uint32_t count = 0;       // slots in use
    std::uint32_t live_count = 0;  // of them still on their way
    std::uint8_t port = 0;         // index of the port they came in by
    Direction direction = Direction::to_cloud;
    enum class Kind : std::uint8_t {
        received,
        released,  // waited for its next hop; it was received before
        replies,
        pieces
    } kind = Kind::received;  // replies and pieces are originated
    bool swept = true;        // no drop since the list was last made
    bool answers = false;     // some slot wants an ICMP answer
    bool hairpins = false;    // some slot goes back to a customer (to_cloud only)
    bool cuts = false;        // some slot is to be fragmented
    bool hands = false;       // some slot goes to another worker
    bool holds = false;       // some slot waits for its next hop
    bool punts = false;       // some slot is for the edge itself
    bool tpids = false;       // some slot may have other TPIDs than are sent there (tpids.hpp)
    bool vouched = false;     // received from a device that verifies IPv4 checksums (device_marks.hpp)
    bool strips = false;      // received from a device that may have taken off outer tags (device_marks.hpp)
    bool unfinished = false;  // received from a device that leaves checksums and segmentation (unfinished.hpp)
    std::uint32_t v4_count = 0, v6_count = 0, esp_count = 0;

    alignas(64) std::uint8_t live[kBurst];
    Fate fate[kBurst];
    rte_mbuf* mbuf[kBurst];

    // the link header
    std::uint8_t* l3[kBurst];    // where the IP header begins
    std::uint16_t left[kBurst];  // octets from l3 to the end of the frame
    std::uint16_t type[kBurst];  // EtherType at l3, or kGroupMac
    std::uint16_t tci[kBurst];   // outer tag: PCP, DEI, VID
    std::uint16_t inner_vid[kBurst];

    // whose it is
    std::uint32_t attachment[kBurst];  // to_cloud: where it came in
    std::uint32_t tunnel[kBurst];      // to_cloud: way out; to_customer: way in
    std::uint32_t exit[kBurst];        // attachment it leaves by, to a customer

    // the IP packet
    std::uint16_t length[kBurst];  // IP length in octets, padding excluded
    std::uint8_t v4[kBurst];       // slots that hold IPv4: v4[0 .. v4_count)
    std::uint8_t v6[kBurst];
    const table::RouteTable4* routes4[kBurst];
    const table::RouteTable6* routes6[kBurst];
    std::uint32_t source4[kBurst], destination4[kBurst];  // host byte order
    std::uint32_t source_route[kBurst], route[kBurst];    // what the VRF's table answers (namespace route)
    Ip6 source6[kBurst], destination6[kBurst];

    // received tunnel packets
    std::uint8_t outer_tos[kBurst];
    std::uint16_t gre_length[kBurst];  // octets from the GRE header to the end of the outer packet
    std::uint64_t hash[kBurst];        // of identity
    table::TunnelIdentity identity[kBurst];
    std::uint8_t esp[kBurst];    // slots that hold ESP: esp[0 .. esp_count); l3 and gre_length are of the ESP packet
    bool in_udp[kBurst];         // … inside UDP
    std::uint32_t sa[kBurst];    // sa_number() of the SA it was opened with; 0: it came in clear
    std::uint8_t owner[kBurst];  // worker it is handed to
    std::uint16_t clamp_mtu[kBurst];  // of the tunnel, 0: no MSS clamp

    // the way out
    std::uint16_t cut_mtu[kBurst];     // not 0: fragment to this
    std::uint16_t cut_octets[kBurst];  // where cut_mtu is not 0: bytes that fragmenting has taken off the first piece
    std::uint8_t
        charged[kBurst];  // 1: the entry's buckets, 2: the exit's; given back if the packet is dropped after all
    std::uint32_t tally[kBurst];
    std::uint8_t out_port[kBurst];

    /// The mbufs are in place: everything lives, nothing is known. `in_port` says the direction's side it came from.
    void begin(Nanoseconds time, std::uint8_t in_port, Direction way, std::uint32_t packets,
               Kind what = Kind::received) noexcept {
        now = time;
        kind = what;
        port = in_port;
        direction = way;
        count = live_count = packets;
        swept = true;
        answers = hairpins = cuts = hands = holds = punts = tpids = false;
        v4_count = v6_count = esp_count = 0;
#ifndef NDEBUG
        poison();
#endif
        for (unsigned slot = 0; slot < kBurst; ++slot) { live[slot] = static_cast<std::uint8_t>(slot); }
        for (auto& one : fate) { one = Fate::live; }
        for (auto& one : attachment) { one = kNowhere; }
        for (auto& one : tunnel) { one = kNowhere; }
        for (auto& one : sa) { one = 0; }
        for (auto& one : charged) { one = 0; }
    }

    /// Debug builds: overwrites every column that a stage has to write before another one reads it, so that no stage
    /// works by what an earlier burst left in it.
    void poison() noexcept {
        const auto spoil = [](auto&... columns) {
            (std::memset(static_cast<void*>(columns), kPoison, sizeof(columns)), ...);
        };
        spoil(l3, left, type, tci, inner_vid, exit);
        spoil(length, v4, v6, routes4, routes6, source4, destination4, source_route, route, source6, destination6);
        spoil(outer_tos, gre_length, hash, identity, esp, in_udp, owner, clamp_mtu);
        spoil(cut_mtu, cut_octets, tally, out_port);
    }

    /// As begin(), with no packet yet: add() fills chosen slots.
    void begin_sparse(Nanoseconds time, std::uint8_t in_port, Direction way, Kind what) noexcept {
        begin(time, in_port, way, 0, what);
        for (auto& one : mbuf) { one = nullptr; }
    }
    void add(std::uint32_t slot, rte_mbuf* packet, std::uint8_t* ip, unsigned ip_length) noexcept {
        mbuf[slot] = packet;
        l3[slot] = ip;
        length[slot] = static_cast<std::uint16_t>(ip_length);
        cut_mtu[slot] = 0;
        live[live_count++] = static_cast<std::uint8_t>(slot);
        count = slot + 1 > count ? slot + 1 : count;
    }

    /// Ends a slot's way. It stays in the list until sweep().
    void end(std::uint32_t slot, Fate why) noexcept {
        fate[slot] = why;
        swept = false;
        punts |= why == Fate::punted;
    }

    /// visit(slot) for every slot on its way. The usual burst, of which nothing was dropped, is walked without the
    /// list. As there are two walks, a body is not inlined by itself: stages ask for it.
    template <class Visit>
    [[gnu::always_inline]] void each(Visit visit) const noexcept {
        if (live_count == count) [[likely]] {
            const std::uint32_t n = count;
            for (std::uint32_t slot = 0; slot < n; ++slot) { visit(slot); }
        } else {
            const std::uint32_t n = live_count;
            for (std::uint32_t k = 0; k < n; ++k) { visit(live[k]); }
        }
    }

    /// Takes the slots whose way has ended off the list. Every stage that may end a way ends with it.
    void sweep() noexcept {
        if (swept) [[likely]] { return; }
        std::uint32_t kept = 0;
        for (std::uint32_t k = 0; k < live_count; ++k) {
            live[kept] = live[k];
            kept += fate[live[k]] == Fate::live ? 1U : 0U;
        }
        live_count = kept;
        swept = true;
    }
};

}  // namespace peerlane::dataplane
