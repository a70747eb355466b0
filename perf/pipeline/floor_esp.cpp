#include "perf/pipeline/floor_esp.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace peerlane::perf {
namespace {

constexpr auto kNoLimit = std::numeric_limits<std::uint64_t>::max();

std::uint32_t salt_of(EspSuite suite, const std::vector<std::uint8_t>& material) {
    return row(suite).salt == 0 ? 0 : load<std::uint32_t>(material.data() + row(suite).cipher_key);
}

void fill_header(const FloorSpec& spec, const FloorSpec::Circuit& circuit, FloorSaOut& sa) {
    auto* at = sa.header;
    std::copy(spec.gateway_mac.octets.begin(), spec.gateway_mac.octets.end(), at);
    std::copy(spec.core_mac.octets.begin(), spec.core_mac.octets.end(), at + 6);
    store(at + 12, std::uint16_t{0x0008});
    at += 14;
    at[0] = 0x45;
    at[6] = 0x40;
    at[8] = 64;
    at[9] = 50;
    store(at + 12, __builtin_bswap32(spec.local.value));
    store(at + 16, __builtin_bswap32(circuit.remote.value));
    sa.sum = folded(header_sum(at));
}

}  // namespace

FloorEsp::FloorEsp(const FloorSpec& spec)
    : out(*spec.suite, spec.circuits.size() + 1, true),
      in(*spec.suite, spec.circuits.size() + 1, true),
      local(__builtin_bswap32(spec.local.value)),
      first_spi(spec.circuits.front().spi_in),
      count(static_cast<std::uint32_t>(spec.circuits.size()) + 1),
      iv(row(*spec.suite).iv),
      block_mask(row(*spec.suite).block - 1U),
      sas_out(count),
      sas_in(count),
      rings(count) {
    for (std::uint32_t place = 1; place < count; ++place) {
        const auto& circuit = spec.circuits[place - 1];
        if (circuit.spi_in != first_spi + place - 1) { throw std::length_error("the floor wants SPIs in order"); }
        auto& sender = sas_out[place];
        sender.sequence_limit = std::numeric_limits<std::uint32_t>::max();
        sender.packets_limit = sender.bytes_limit = sender.deadline = kNoLimit;
        sender.spi = __builtin_bswap32(circuit.spi_out);
        sender.salt = salt_of(*spec.suite, circuit.key_out);
        fill_header(spec, circuit, sender);
        auto& receiver = sas_in[place];
        receiver.packets_limit = receiver.bytes_limit = receiver.deadline = kNoLimit;
        receiver.spi = __builtin_bswap32(circuit.spi_in);
        receiver.salt = salt_of(*spec.suite, circuit.key_in);
        receiver.remote = __builtin_bswap32(circuit.remote.value);
        out.set_key(place, circuit.key_out);
        in.set_key(place, circuit.key_in);
    }
}

template <bool kAead>
std::uint64_t floor_open(FloorEsp& esp, std::uint64_t mac, unsigned limit, rte_mbuf* const* packets, unsigned count,
                         std::uint64_t now) noexcept {
    constexpr unsigned kIv = kAead ? 8 : 16;
    constexpr unsigned kAround = 8 + kIv + 16;
    constexpr unsigned kBlock = kAead ? 4 : 16;
    std::uint8_t* headers[kFloorBurst];
    std::uint16_t lengths[kFloorBurst];
    std::uint64_t dropped = 0;  // bit per packet
    const auto* sas = esp.sas_in.data();
    const auto* rings = esp.rings.data();
    const auto* keys = esp.in.keys();
    for (unsigned i = 0; i < count; ++i) {
        prefetch_frame(packets, i, count);
        const rte_mbuf& mbuf = *packets[i];
        auto* frame = static_cast<std::uint8_t*>(mbuf.buf_addr) + mbuf.data_off;
        const unsigned octets = mbuf.data_len;
        auto* outer = frame + 14;
        const unsigned total = __builtin_bswap16(load<std::uint16_t>(outer + 2));
        const auto front = __builtin_bswap64(load<std::uint64_t>(outer + 20));  // SPI, sequence number
        const auto offset = static_cast<std::uint32_t>(front >> 32U) - esp.first_spi + 1;
        const std::uint32_t place = offset < esp.count ? offset : 0;
        __builtin_prefetch(&sas[place], 1);
        __builtin_prefetch(&rings[place].word[(front >> 6U) % FloorRing::kWords], 1);
        prefetch_key(keys[place]);
        const bool good = (((load<std::uint64_t>(frame) ^ mac) << 16U) == 0) && mbuf.nb_segs == 1 && octets >= 62 &&
                          load<std::uint16_t>(frame + 12) == 0x0008 && outer[0] == 0x45 && outer[9] == 50 &&
                          total >= 20 + kAround + 2 && total <= octets - 14 && total <= limit &&
                          ((total - 20 - kAround) & (kBlock - 1)) == 0 &&
                          ((load<std::uint16_t>(outer + 6) & 0xff3fU) == 0) && folded(header_sum(outer)) == 0xffff &&
                          load<std::uint32_t>(outer + 16) == esp.local && place != 0;
        dropped |= std::uint64_t{!good} << i;
        headers[i] = outer + 20;
        lengths[i] = static_cast<std::uint16_t>(total - 20);
        esp.tos[i] = outer[1];
        esp.sa[i] = static_cast<std::uint16_t>(place);
    }
    unsigned ready = 0;
    for (unsigned i = 0; i < count; ++i) {
        if ((dropped >> i & 1U) != 0) [[unlikely]] { continue; }
        auto* header = headers[i];
        const auto place = esp.sa[i];
        const auto& sa = sas[place];
        const std::uint64_t sequence = __builtin_bswap32(load<std::uint32_t>(header + 4));
        const bool new_one = sequence > sa.top ||
                             (sa.top - sequence < kFloorWindow && sequence != 0 &&
                              (rings[place].word[(sequence >> 6U) % FloorRing::kWords] >> (sequence % 64) & 1U) == 0);
        if (load<std::uint32_t>(header - 8) != sa.remote || now >= sa.deadline || sa.packets >= sa.packets_limit ||
            !new_one) [[unlikely]] {
            dropped |= std::uint64_t{1} << i;
            continue;
        }
        auto& job = esp.jobs[ready];
        esp.owner[ready] = static_cast<std::uint8_t>(i);
        esp.sequences[ready++] = static_cast<std::uint32_t>(sequence);
        job.text = header + 8 + kIv;
        job.length = lengths[i] - kAround;
        job.key = place;
        if constexpr (kAead) {
            const auto iv = load<std::uint64_t>(header + 8);
            store(job.nonce,
                  _mm_set_epi64x(static_cast<long long>(iv >> 32U), static_cast<long long>(sa.salt | iv << 32U)));
        }
    }
    esp.in.open({esp.jobs, ready});
    return dropped;
}

template std::uint64_t floor_open<true>(FloorEsp&, std::uint64_t, unsigned, rte_mbuf* const*, unsigned,
                                        std::uint64_t) noexcept;
template std::uint64_t floor_open<false>(FloorEsp&, std::uint64_t, unsigned, rte_mbuf* const*, unsigned,
                                         std::uint64_t) noexcept;

}  // namespace peerlane::perf
