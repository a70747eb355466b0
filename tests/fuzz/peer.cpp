#include "tests/fuzz/peer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::fuzz {
namespace {

using ipsec::Way;

void put(Octets& to, std::uint64_t value, unsigned octets) {
    for (unsigned i = octets; i-- > 0;) { to.push_back(static_cast<std::uint8_t>(value >> (8U * i))); }
}

const ipsec::Key* ready(const EspKey& key, Way way) {
    static std::map<std::tuple<EspSuite, unsigned, Way>, std::shared_ptr<const ipsec::Key>> keys;
    auto& one = keys[{key.suite, key.number, way}];
    if (!one) {
        ipsec::allow_unlocked();
        one = ipsec::make_key(key.suite, material(key.suite, key.number), way);
    }
    return one.get();
}
ipsec::Engine& engine() {
    static constexpr std::uint8_t kSeed[16] = {7};
    static ipsec::Engine one{std::span(kSeed)};
    return one;
}

/// `esp` from the SPI to the ICV.
ipsec::Job job_of(const EspKey& key, std::uint64_t sequence, Octets& esp, Way way) {
    const auto& suite = row(key.suite);
    ipsec::Job job;
    job.key = ready(key, way);
    job.text = esp.data() + kEspHeader + suite.iv;
    job.length = static_cast<std::uint32_t>(esp.size() - kEspHeader - suite.iv - suite.icv);
    job.sequence_high = static_cast<std::uint32_t>(sequence >> 32U);
    job.suite = key.suite;
    job.esn = key.esn;
    Octets nonce;
    if (suite.salt != 0) {
        const auto all = material(key.suite, key.number);
        nonce.assign(all.begin() + suite.cipher_key, all.end());
    }
    nonce.insert(nonce.end(), esp.begin() + kEspHeader, esp.begin() + kEspHeader + suite.iv);
    std::copy(nonce.begin(), nonce.end(), job.nonce);
    Octets aad(esp.begin(), esp.begin() + 4);
    put(aad, key.esn ? sequence : sequence & 0xffff'ffffU, key.esn ? 8 : 4);
    std::copy(aad.begin(), aad.end(), job.aad);
    return job;
}

}  // namespace

Octets material(EspSuite suite, unsigned number) {
    const auto& parts = row(suite);
    Octets key(parts.material());
    for (std::size_t i = 0; i < key.size(); ++i) {
        const bool cipher = i < parts.cipher_key;
        key[i] =
            static_cast<std::uint8_t>(i * 37U + number * 101U + (cipher ? 1U : 77U + static_cast<unsigned>(suite)));
    }
    return key;
}

std::string hex_key(EspSuite suite, unsigned number) {
    return fmt::format("{:02x}", fmt::join(material(suite, number), ""));
}

Octets seal_text(const EspKey& key, std::uint32_t spi, std::uint64_t sequence, Octets text, std::uint64_t lane) {
    const auto& suite = row(key.suite);
    text.resize(std::max<std::size_t>(text.size() / suite.block, 1) * suite.block);
    Octets esp;
    put(esp, spi, 4);
    put(esp, sequence & 0xffff'ffffU, 4);
    if (suite.counter_mode) {
        put(esp, lane << 56U | sequence, 8);
    } else {
        esp.resize(esp.size() + suite.iv, static_cast<std::uint8_t>(0x40 + sequence));
    }
    esp.insert(esp.end(), text.begin(), text.end());
    esp.resize(esp.size() + suite.icv);
    auto job = job_of(key, sequence, esp, Way::seal);
    engine().seal({&job, 1});
    return esp;
}

Octets seal(const EspKey& key, std::uint32_t spi, std::uint64_t sequence, const Octets& payload, unsigned next_header,
            std::uint64_t lane) {
    Octets text = payload;
    std::uint8_t padding = 0;
    while ((text.size() + kEspTrailer) % row(key.suite).block != 0) { text.push_back(++padding); }
    text.push_back(padding);
    text.push_back(static_cast<std::uint8_t>(next_header));
    return seal_text(key, spi, sequence, std::move(text), lane);
}

std::optional<Opened> open_esp(const EspKey& key, const std::uint8_t* esp, std::size_t size,
                               std::uint32_t sequence_high) {
    const auto& suite = row(key.suite);
    const std::size_t front = kEspHeader + suite.iv;
    if (size < front + suite.block + suite.icv || (size - front - suite.icv) % suite.block != 0) {
        return std::nullopt;
    }
    Octets copy(esp, esp + size);
    std::uint64_t sequence = sequence_high;
    for (unsigned i = 4; i < 8; ++i) { sequence = sequence << 8U | copy[i]; }
    Opened opened;
    for (unsigned i = 8; i < 16; ++i) { opened.iv = opened.iv << 8U | copy[i]; }
    auto job = job_of(key, sequence, copy, Way::open);
    engine().open({&job, 1});
    if (!job.authentic) { return std::nullopt; }
    const auto end = size - suite.icv;
    const std::size_t pad = copy[end - 2];
    if (front + pad + kEspTrailer > end) { return std::nullopt; }
    opened.payload.assign(copy.begin() + static_cast<std::ptrdiff_t>(front),
                          copy.begin() + static_cast<std::ptrdiff_t>(end - kEspTrailer - pad));
    return opened;
}

}  // namespace peerlane::fuzz
