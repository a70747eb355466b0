// What goes along with a packet between a worker and control, in the first octets of its buffer: by value, nothing of a
// snapshot, so that a reload in between leads no packet astray.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <new>

#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"
#include "lib/table/tunnel_table.hpp"

namespace peerlane::dataplane {

struct Note {
    enum class Kind : std::uint8_t {
        punted,    // to control: for the edge itself, the frame as it came
        held,      // to control: waits for its next hop
        released,  // back to the worker that held it: begins again, and is not held again
        own        // to a worker: a whole frame that control made, or that came by a tap
    } kind = Kind::punted;
    std::uint8_t port = 0;    // it came in by; own: it leaves by
    std::uint8_t worker = 0;  // that had it
    // Held on its way from a tunnel: what it was opened as. It begins again at find_tunnel.
    std::uint16_t protocol = 0;          // of GRE
    std::uint16_t offset = 0, left = 0;  // of the inner packet: from the start of the buffer; octets
    std::uint32_t word = 0;              // of State::neighbours: whom it waits for; says nothing of where it goes
    // PeeringInfo::mark: nobody else's, whatever a reload makes of its tags or key. Of a frame of control's own too.
    std::uint64_t owner = 0;
    std::uint64_t sa_mark = 0;  // of the key it was sealed under (Snapshot::sa_marks)
    table::TunnelIdentity identity;
};
/// Octets at the start of a buffer that a packet with a note leaves free.
inline constexpr unsigned kNoteRoom = sizeof(Note);
static_assert(kNoteRoom <= RTE_PKTMBUF_HEADROOM - sizeof(ether::Tag));  // which is put back before

inline Note& note_of(const rte_mbuf* mbuf) noexcept {
    return *std::launder(reinterpret_cast<Note*>(mbuf->buf_addr));
}

/// The mark of the peering that a packet came in for.
inline std::uint64_t owner_of(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    const bool from_tunnel = burst.direction == Direction::to_customer;
    const auto peering = from_tunnel ? snapshot.tunnels[burst.tunnel[slot]].peering()
                                     : snapshot.attachments[burst.attachment[slot]].peering;
    return snapshot.peerings[peering].mark;
}

/// Writes what a packet that waits needs to begin again. False: there is no room for it.
[[gnu::noinline, gnu::cold]] inline bool write_note(const Worker& worker, const Burst& burst, std::uint32_t slot,
                                                    std::uint32_t word) noexcept {
    rte_mbuf* mbuf = burst.mbuf[slot];
    const bool from_tunnel = burst.direction == Direction::to_customer;
    const auto* start = static_cast<const std::uint8_t*>(mbuf->buf_addr);
    const auto room = from_tunnel ? static_cast<unsigned>(burst.l3[slot] - start) : unsigned{mbuf->data_off};
    if (room < kNoteRoom) { return false; }
    auto* note = new (mbuf->buf_addr) Note;
    note->kind = Note::Kind::held;
    note->port = burst.port;
    note->worker = static_cast<std::uint8_t>(worker.index);
    note->word = word;
    note->owner = owner_of(*worker.snapshot, burst, slot);
    if (!from_tunnel) { return true; }
    note->protocol = burst.type[slot];
    note->offset = static_cast<std::uint16_t>(room);
    note->left = burst.left[slot];
    note->identity = burst.identity[slot];
    if (burst.sa[slot] != 0) { note->sa_mark = worker.snapshot->sa_marks[burst.sa[slot] - 1]; }
    return true;
}

/// Packets from tunnels that waited: what parse_outer, esp_open and parse_gre had found, if it still holds. An SA that
/// has another key by now is another SA.
inline void recall(Worker& worker, Burst& burst) noexcept {
    const auto& snapshot = *worker.snapshot;
    burst.each([&](std::uint32_t slot) {
        const Note& note = note_of(burst.mbuf[slot]);
        burst.identity[slot] = note.identity;
        burst.sa[slot] = note.identity.sa;
        burst.type[slot] = note.protocol;
        burst.left[slot] = note.left;
        burst.l3[slot] = static_cast<std::uint8_t*>(burst.mbuf[slot]->buf_addr) + note.offset;
        burst.outer_tos[slot] = 0;  // the inner packet has its marks
        burst.hash[slot] = snapshot.tunnel_table.hash(note.identity);
        const std::uint32_t sa = burst.sa[slot];
        if (sa != 0 && (sa > snapshot.sa_marks.size() || snapshot.sa_marks[sa - 1] != note.sa_mark)) {
            burst.end(slot, Fate::no_neighbour);
        }
    });
    burst.sweep();
}

/// Packets that waited, when it is known again whose they are: where a reload gave their tags, GRE key or SA to another
/// peering meanwhile, they are not that one's, and it is not charged for them.
inline void keep_owner(const Worker& worker, Burst& burst) noexcept {
    if (burst.kind != Burst::Kind::released) [[likely]] { return; }
    burst.each([&](std::uint32_t slot) {
        if (note_of(burst.mbuf[slot]).owner != owner_of(*worker.snapshot, burst, slot)) {
            burst.attachment[slot] = burst.tunnel[slot] = kNowhere;
            burst.end(slot, Fate::no_neighbour);
        }
    });
    burst.sweep();
}

}  // namespace peerlane::dataplane
