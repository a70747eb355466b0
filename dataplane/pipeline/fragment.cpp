// Inner IPv4 packets larger than the way out, DF clear or ignored: cut before they are encapsulated.
#include "lib/net/fragment.hpp"

#include "dataplane/pipeline/answer.hpp"
#include "dataplane/pipeline/esp_seal.hpp"

namespace peerlane::dataplane {
namespace {

void fragment_slot(Worker& worker, Burst& burst, std::uint32_t slot) noexcept {
    auto& packet = *reinterpret_cast<Ipv4*>(burst.l3[slot]);
    const unsigned length = burst.length[slot];
    const auto plan = plan_fragments(packet, length, burst.cut_mtu[slot]);
    const unsigned extra = plan.pieces - 1;
    rte_mbuf* mbufs[kExtraPieces];
    if (extra > kExtraPieces) { return burst.end(slot, Fate::too_big); }
    if (rte_pktmbuf_alloc_bulk(worker.pool, mbufs, extra) != 0) { return burst.end(slot, Fate::no_memory); }
    for (unsigned k = 0; k < extra; ++k) {
        Burst& pieces = worker.pieces[k];
        if (pieces.count == 0) { pieces.begin_sparse(burst.now, burst.port, burst.direction, Burst::Kind::pieces); }
        auto* out = static_cast<std::uint8_t*>(mbufs[k]->buf_addr) + kOwnHeadroom;
        const unsigned written = write_fragment(out, packet, length, plan, k + 1);
        pieces.add(slot, mbufs[k], out, written);
        pieces.tunnel[slot] = burst.tunnel[slot];
        pieces.exit[slot] = burst.exit[slot];
        pieces.attachment[slot] = burst.attachment[slot];
        pieces.tally[slot] = burst.tally[slot];
    }
    const unsigned first = cut_first_fragment(packet, plan);
    burst.length[slot] = static_cast<std::uint16_t>(first);
    burst.cut_octets[slot] = static_cast<std::uint16_t>(length - first);
}

}  // namespace

void fragment(Worker& worker, Burst& burst) noexcept {
    burst.each([&] [[gnu::always_inline]] (std::uint32_t slot) {
        if (burst.cut_mtu[slot] != 0) { fragment_slot(worker, burst, slot); }
    });
    burst.sweep();
}

void encap_pieces(Worker& worker, Burst& burst) noexcept {
    for (Burst& pieces : worker.pieces) {
        if (pieces.count == 0) { break; }
        gre_encap(worker, pieces);
    }
    if (worker.snapshot->sas_out.empty()) { return; }
    const auto seal = [&](Burst& one, std::uint32_t slot) {
        if (slot >= one.count || one.mbuf[slot] == nullptr || one.fate[slot] != Fate::live) { return; }
        if (detail::is_protected(*worker.snapshot, one, slot)) {
            const auto only = static_cast<std::uint8_t>(slot);
            detail::seal_slots(worker, one, &only, 1);
        }
    };
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        seal(burst, slot);
        for (Burst& pieces : worker.pieces) {
            // What has lost its first piece is lost.
            const bool there = slot < pieces.count && pieces.mbuf[slot] != nullptr;
            if (there && is_drop(burst.fate[slot])) { pieces.end(slot, burst.fate[slot]); }
            seal(pieces, slot);
        }
    }
    burst.sweep();
    for (Burst& pieces : worker.pieces) { pieces.sweep(); }
}

}  // namespace peerlane::dataplane
