#include "perf/pipeline/floor_esp.hpp"
#include "perf/pipeline/floor_steps.hpp"

namespace peerlane::perf {
namespace {

/// RFC 6040 §4.2 by (inner, outer): two bits of result, 4: drop.
constexpr std::uint8_t kMerge[16] = {0, 0, 0, 4, 1, 1, 1, 3, 2, 1, 2, 3, 3, 3, 3, 3};

/// Outer marks onto the inner header, its checksum made anew. False: drop.
[[gnu::noinline]] bool remark(std::uint8_t* ip, unsigned ecn) noexcept {
    if (ecn == 4) { return false; }
    ip[1] = static_cast<std::uint8_t>((ip[1] & 0xfcU) | ecn);
    store(ip + 10, std::uint16_t{0});
    store(ip + 10, static_cast<std::uint16_t>(~folded(header_sum(ip))));
    return true;
}

template <FloorWay kWay>
void to_customer(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
                 std::uint8_t* out_port) noexcept {
    std::uint8_t* ip[kFloorBurst];
    const FloorBucket* bucket[kFloorBurst];
    std::uint32_t destination[kFloorBurst];
    std::uint16_t tunnel[kFloorBurst], circuit[kFloorBurst], length[kFloorBurst];
    std::uint64_t dropped = 0;  // bit per packet

    const auto mac = floor.core_mac;
    const unsigned limit = floor.core_mtu;
    const auto* buckets = floor.buckets.data();
    const auto* vrfs = floor.vrfs.data();
    auto* circuits = floor.to_customer.data();
    auto* tallies = floor.tallies_customer.data();
    [[maybe_unused]] auto* esp = floor.esp.get();
    [[maybe_unused]] unsigned opened = 0;
    if constexpr (kWay != FloorWay::clear) {
        dropped = floor_open < kWay == FloorWay::aead > (*esp, mac, limit, packets, count, now);
    }

    for (unsigned i = 0; i < count; ++i) {
        const rte_mbuf& mbuf = *packets[i];
        auto* frame = static_cast<std::uint8_t*>(mbuf.buf_addr) + mbuf.data_off;
        unsigned octets = mbuf.data_len;
        auto* outer = frame + 14;
        bool good = true;
        unsigned outer_tos = 0;
        if constexpr (kWay == FloorWay::clear) {
            prefetch_frame(packets, i, count);
            good = (((load<std::uint64_t>(frame) ^ mac) << 16U) == 0) && mbuf.nb_segs == 1 && octets >= 62 &&
                   load<std::uint16_t>(frame + 12) == 0x0008;
            outer_tos = outer[1];
        } else if ((dropped >> i & 1U) == 0) [[likely]] {
            const unsigned inside = unwrap(*esp, opened);
            outer = esp->jobs[opened++].text;
            good = inside >= 48;
            octets = inside + 14;
            // The mark of the ESP packet goes to the delivery header first (RFC 6040 §4.2).
            outer_tos = kMerge[(outer[1] & 3U) * 4 + (esp->tos[i] & 3U)];
            good = good && outer_tos != 4;
        }
        auto* l3 = outer + 28;
        const unsigned outer_total = __builtin_bswap16(load<std::uint16_t>(outer + 2));
        const unsigned total = __builtin_bswap16(load<std::uint16_t>(l3 + 2));
        const auto* home = &buckets[bucket_of(floor, load<std::uint32_t>(outer + 16), load<std::uint32_t>(outer + 12),
                                              load<std::uint32_t>(outer + 24))];
        __builtin_prefetch(home);
        // GRE: K alone, whatever the bits that are ignored; IPv4 inside. An outer packet that is no fragment.
        const auto gre = load<std::uint32_t>(outer + 20) & ~0xf803U;
        const auto to = __builtin_bswap32(load<std::uint32_t>(l3 + 16));
        const auto from = __builtin_bswap32(load<std::uint32_t>(l3 + 12));
        good = good && outer[0] == 0x45 && outer[9] == 47 && outer_total >= 48 && outer_total <= octets - 14 &&
               outer_total <= limit && ((load<std::uint16_t>(outer + 6) & 0xff3fU) == 0) &&
               folded(header_sum(outer)) == 0xffff && gre == 0x0008'0020U &&
               forwardable(l3, total, outer_total - 28, 0xffff, from, to);
        const unsigned inner_ecn = l3[1] & 3U;
        const unsigned ecn = kMerge[inner_ecn * 4 + (outer_tos & 3U)];
        if (ecn != inner_ecn) [[unlikely]] { good = good && remark(l3, ecn); }
        dropped |= std::uint64_t{!good} << i;
        ip[i] = l3;
        bucket[i] = home;
        length[i] = static_cast<std::uint16_t>(total);
        destination[i] = to;
    }
    for (unsigned i = 0; i < count; ++i) {
        const auto* outer = ip[i] - 28;
        const unsigned id = match(*bucket[i], load<std::uint32_t>(outer + 16), load<std::uint32_t>(outer + 12),
                                  load<std::uint32_t>(outer + 24));
        dropped |= std::uint64_t{id == 0} << i;
        // Sealed under an SA of this tunnel's.
        if constexpr (kWay != FloorWay::clear) { dropped |= std::uint64_t{id != esp->sa[i]} << i; }
        tunnel[i] = static_cast<std::uint16_t>(id);
        prefetch(vrfs[id]);
        __builtin_prefetch(&tallies[id]);
    }
    for (unsigned i = 0; i < count; ++i) {
        const unsigned way = find(vrfs[tunnel[i]], destination[i]);
        const unsigned index = way & kFloorIndex;
        dropped |= std::uint64_t{(way & kFloorKind) != kFloorCustomer} << i;
        circuit[i] = static_cast<std::uint16_t>(index);
        __builtin_prefetch(&circuits[index]);
    }
    for (unsigned i = 0; i < count; ++i) {
        auto& out = circuits[circuit[i]];
        const unsigned total = length[i];
        if (((dropped >> i & 1U) | (total > out.mtu)) != 0 || !take(out, now, total)) [[unlikely]] {
            out_port[i] = 0xff;
            dropped |= std::uint64_t{1} << i;
            continue;
        }
        auto* l3 = ip[i];
        decrement_ttl(l3);
        store(l3 - 22, load<__m128i>(out.header));
        store(l3 - 8, load<std::uint64_t>(out.header + 14));
        set_frame(*packets[i], l3 - 22, total + 22);
        tallies[tunnel[i]].packets++;
        tallies[tunnel[i]].bytes += total;
        out_port[i] = out.port;
    }
    const auto lost = static_cast<unsigned>(std::popcount(dropped));
    floor.ports[1].received += count;
    floor.ports[1].dropped += lost;
    floor.ports[1].sent += count - lost;
}

}  // namespace

void floor_to_customer(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
                       std::uint8_t* out_port) noexcept {
    switch (floor.way) {
        case FloorWay::clear:
            return to_customer<FloorWay::clear>(floor, packets, count, now, out_port);
        case FloorWay::aead:
            return to_customer<FloorWay::aead>(floor, packets, count, now, out_port);
        case FloorWay::cbc:
            return to_customer<FloorWay::cbc>(floor, packets, count, now, out_port);
    }
}

}  // namespace peerlane::perf
