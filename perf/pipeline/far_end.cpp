#include "perf/pipeline/far_end.hpp"

#include <cstring>

#include "perf/pipeline/floor_steps.hpp"

namespace peerlane::perf {

FarEnd::FarEnd(const FloorSpec& spec) : suite_(*spec.suite), bare_(suite_, spec.circuits.size(), false) {
    for (const auto& circuit : spec.circuits) {
        const unsigned cipher_key = row(suite_).cipher_key;
        bare_.set_key(sas_.size(), circuit.key_in);
        sas_.push_back({__builtin_bswap32(circuit.spi_in),
                        row(suite_).salt == 0 ? 0 : load<std::uint32_t>(circuit.key_in.data() + cipher_key),
                        {0, 0}});
    }
}

void FarEnd::put(rte_mbuf& mbuf, const Images& images, std::size_t at, Side side) noexcept {
    constexpr unsigned kLink = 14;
    constexpr unsigned kIp = 20;
    const auto& suite = row(suite_);
    const unsigned circuit = images.circuit[at];
    auto& sa = sas_[circuit];
    const std::uint32_t sequence = __builtin_bswap32(++sa.sequence[static_cast<unsigned>(side)]);
    const auto* image = images.image[at].octets;
    auto* frame = static_cast<std::uint8_t*>(mbuf.buf_addr) + RTE_PKTMBUF_HEADROOM;
    auto* esp = frame + kLink + kIp;
    auto* text = esp + kEspHeader + suite.iv;
    std::memcpy(text - kLink, image, sizeof(Image));  // the link header is written over
    std::memcpy(frame, image, kLink);

    const unsigned payload = images.frame_octets[at] - kLink;
    const unsigned total = kIp + esp_sealed(suite_, payload);
    auto* ip = frame + kLink;
    std::memcpy(ip, image + kLink, kIp);
    ip[1] = images.tos[at];
    store(ip + 2, __builtin_bswap16(static_cast<std::uint16_t>(total)));
    ip[9] = 50;
    store(ip + 10, std::uint16_t{0});
    store(ip + 10, static_cast<std::uint16_t>(~folded(header_sum(ip))));

    store(esp, sa.spi | std::uint64_t{sequence} << 32U);
    auto& job = jobs_[waiting_++];
    job.text = text;
    job.length = total - kIp - kEspHeader - suite.iv - suite.icv;
    job.key = circuit;
    const unsigned pad = job.length - payload - kEspTrailer;
    for (unsigned i = 0; i < pad; ++i) { text[payload + i] = static_cast<std::uint8_t>(i + 1); }
    text[payload + pad] = static_cast<std::uint8_t>(pad);
    text[payload + pad + 1] = 4;  // IPv4
    // With CBC any IV will do here: nobody guesses it.
    for (unsigned i = 0; i < suite.iv; i += 8) { store(esp + kEspHeader + i, std::uint64_t{sequence} << 32U); }
    store(job.nonce, sa.salt);
    std::memcpy(job.nonce + 4, esp + kEspHeader, 8);

    mbuf.data_off = RTE_PKTMBUF_HEADROOM;
    mbuf.data_len = static_cast<std::uint16_t>(kLink + total);
    mbuf.pkt_len = kLink + total;
    if (waiting_ == BareIpsec::kBurst) { flush(); }
}

void FarEnd::flush() noexcept {
    bare_.seal({jobs_, waiting_});
    waiting_ = 0;
}

}  // namespace peerlane::perf
