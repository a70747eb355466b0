#include "perf/pipeline/floor_esp.hpp"
#include "perf/pipeline/floor_steps.hpp"

namespace peerlane::perf {
namespace {

template <FloorWay kWay>
void to_cloud(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
              std::uint8_t* out_port) noexcept {
    std::uint8_t* ip[kFloorBurst];
    std::uint32_t source[kFloorBurst], destination[kFloorBurst];
    std::uint16_t circuit[kFloorBurst], tunnel[kFloorBurst], length[kFloorBurst];
    std::uint64_t dropped = 0;  // bit per packet

    const auto mac = floor.access_mac;
    const unsigned limit = floor.access_mtu;
    const auto* service = floor.service.data();
    const auto* ids = floor.ids.data();
    const auto* vrfs = floor.vrfs.data();
    auto* circuits = floor.to_cloud.data();
    auto* tunnels = floor.tunnels.data();
    [[maybe_unused]] auto* esp = floor.esp.get();
    [[maybe_unused]] unsigned jobs = 0;

    for (unsigned i = 0; i < count; ++i) {
        prefetch_frame(packets, i, count);
        const rte_mbuf& mbuf = *packets[i];
        auto* frame = static_cast<std::uint8_t*>(mbuf.buf_addr) + mbuf.data_off;
        const unsigned octets = mbuf.data_len;
        const auto tags = __builtin_bswap64(load<std::uint64_t>(frame + 12));  // TPID, TCI, TPID, TCI
        const auto tpid = static_cast<unsigned>(tags >> 48U);
        const auto& span = service[tags >> 32U & 0xfffU];
        const unsigned place = static_cast<unsigned>(tags & 0xfffU) - span.first;
        const unsigned id = ids[place < span.count ? span.base + place : 0];
        auto* l3 = frame + 22;
        const auto addresses = __builtin_bswap64(load<std::uint64_t>(l3 + 12));
        const auto from = static_cast<std::uint32_t>(addresses >> 32U);
        const auto to = static_cast<std::uint32_t>(addresses);
        const unsigned total = __builtin_bswap16(load<std::uint16_t>(l3 + 2));
        const bool good = (((load<std::uint64_t>(frame) ^ mac) << 16U) == 0) && mbuf.nb_segs == 1 && octets >= 42 &&
                          (tpid == 0x88a8 || tpid == 0x8100 || tpid == 0x9100) &&
                          ((tags & 0xffff'0000U) == 0x8100'0000U) && load<std::uint16_t>(frame + 20) == 0x0008 &&
                          id != 0 && forwardable(l3, total, octets - 22, limit, from, to);
        prefetch(vrfs[id]);
        __builtin_prefetch(&circuits[id]);
        dropped |= std::uint64_t{!good} << i;
        ip[i] = l3;
        circuit[i] = static_cast<std::uint16_t>(id);
        length[i] = static_cast<std::uint16_t>(total);
        source[i] = from;
        destination[i] = to;
    }
    for (unsigned i = 0; i < count; ++i) {
        const auto& vrf = vrfs[circuit[i]];
        const unsigned way = find(vrf, destination[i]);
        const bool good = (find(vrf, source[i]) & kFloorAccept) != 0 && (way & kFloorKind) == kFloorTunnel;
        const unsigned index = way & kFloorIndex;
        dropped |= std::uint64_t{!good} << i;
        tunnel[i] = static_cast<std::uint16_t>(index);
        __builtin_prefetch(&tunnels[index]);
        __builtin_prefetch(ip[i] - 42);
        if constexpr (kWay != FloorWay::clear) {
            __builtin_prefetch(&esp->sas_out[index], 1);
            __builtin_prefetch(esp->sas_out[index].header);
            __builtin_prefetch(ip[i] - 86);
            __builtin_prefetch(ip[i] + length[i]);
            prefetch_key(esp->out.keys()[index]);
        }
    }
    for (unsigned i = 0; i < count; ++i) {
        auto& out = tunnels[tunnel[i]];
        const unsigned total = length[i];
        if (((dropped >> i & 1U) | (total > out.mtu)) != 0 || !take(circuits[circuit[i]], now, total)) [[unlikely]] {
            out_port[i] = 0xff;
            dropped |= std::uint64_t{1} << i;
            continue;
        }
        auto* l3 = ip[i];
        decrement_ttl(l3);
        store(l3 - 42, load<__m256i>(out.header));
        store(l3 - 16, load<__m128i>(out.header + 26));
        const auto outer = __builtin_bswap16(static_cast<std::uint16_t>(total + 28));
        const unsigned tos = l3[1];
        l3[-27] = static_cast<std::uint8_t>(tos);
        store(l3 - 26, outer);
        const std::uint32_t sum = std::uint32_t{out.sum} + outer + (tos << 8U);
        store(l3 - 18, static_cast<std::uint16_t>(~(sum + (sum >> 16U))));
        if constexpr (kWay == FloorWay::clear) {
            set_frame(*packets[i], l3 - 42, total + 42);
        } else if (!wrap < kWay == FloorWay::aead > (*esp, tunnel[i], *packets[i], l3 - 28, total + 28, tos, now,
                                                     esp->jobs[jobs++])) [[unlikely]] {
            --jobs;
            out_port[i] = 0xff;
            dropped |= std::uint64_t{1} << i;
            continue;
        }
        out.packets++;
        out.bytes += total;
        out_port[i] = out.port;
    }
    if constexpr (kWay != FloorWay::clear) { esp->out.seal({esp->jobs, jobs}); }
    const auto lost = static_cast<unsigned>(std::popcount(dropped));
    floor.ports[0].received += count;
    floor.ports[0].dropped += lost;
    floor.ports[0].sent += count - lost;
}

}  // namespace

void floor_to_cloud(Floor& floor, rte_mbuf* const* packets, unsigned count, std::uint64_t now,
                    std::uint8_t* out_port) noexcept {
    switch (floor.way) {
        case FloorWay::clear:
            return to_cloud<FloorWay::clear>(floor, packets, count, now, out_port);
        case FloorWay::aead:
            return to_cloud<FloorWay::aead>(floor, packets, count, now, out_port);
        case FloorWay::cbc:
            return to_cloud<FloorWay::cbc>(floor, packets, count, now, out_port);
    }
}

}  // namespace peerlane::perf
