// ESP packets (RFC 4303) sealed by OpenSSL, and the way of the same packets through the engine.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "lib/ipsec/crypto.hpp"

namespace peerlane::test {

using Octets = std::vector<std::uint8_t>;

inline Octets hex(std::string_view digits) {
    Octets octets;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        octets.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
    }
    return octets;
}

inline void append(Octets& to, std::span<const std::uint8_t> octets) {
    to.insert(to.end(), octets.begin(), octets.end());
}

/// What one packet is made of. `text` has its padding and trailer.
struct EspPacket {
    EspSuite suite;
    Octets material;
    bool esn = false;
    std::uint64_t sequence = 1;
    Octets spi = {0, 0, 0, 1};
    Octets iv;
    Octets text;
};

inline Octets big_endian(std::uint64_t number, unsigned octets) {
    Octets result;
    for (unsigned i = octets; i-- > 0;) { result.push_back(static_cast<std::uint8_t>(number >> (8 * i))); }
    return result;
}

/// SPI ‖ sequence number, with its upper half where it counts for an AEAD with ESN.
inline Octets esp_front(const EspPacket& packet, bool extended) {
    Octets front = packet.spi;
    append(front, big_endian(packet.sequence, extended ? 8 : 4));
    return front;
}

/// Encrypts with OpenSSL; with `tag` an AEAD, of which `aad` is the associated data.
inline Octets openssl_encrypt(const EVP_CIPHER* cipher, std::span<const std::uint8_t> key,
                              std::span<const std::uint8_t> iv, std::span<const std::uint8_t> aad,
                              std::span<const std::uint8_t> text, Octets* tag) {
    const std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
    Octets out(text.size() + 16);
    int length = 0;
    const auto require = [](int result) {
        if (result != 1) { throw std::runtime_error("OpenSSL"); }
    };
    require(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), iv.data()));
    require(EVP_CIPHER_CTX_set_padding(context.get(), 0));
    if (tag != nullptr) {
        require(EVP_EncryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())));
    }
    require(EVP_EncryptUpdate(context.get(), out.data(), &length, text.data(), static_cast<int>(text.size())));
    int rest = 0;
    require(EVP_EncryptFinal_ex(context.get(), out.data() + length, &rest));
    out.resize(text.size());
    if (tag != nullptr) {
        tag->resize(16);
        require(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag->data()));
    }
    return out;
}

/// From SPI to ICV, by OpenSSL.
inline Octets seal_with_openssl(const EspPacket& packet) {
    const auto& suite = row(packet.suite);
    const auto material = std::span(packet.material);
    const auto key = material.first(suite.cipher_key);
    Octets sealed = esp_front(packet, false);
    append(sealed, packet.iv);
    Octets icv;
    if (suite.counter_mode) {
        const auto* cipher = packet.suite == EspSuite::aes_gcm_128   ? EVP_aes_128_gcm()
                             : packet.suite == EspSuite::aes_gcm_256 ? EVP_aes_256_gcm()
                                                                     : EVP_chacha20_poly1305();
        Octets nonce(material.begin() + suite.cipher_key, material.end());
        append(nonce, packet.iv);
        append(sealed, openssl_encrypt(cipher, key, nonce, esp_front(packet, packet.esn), packet.text, &icv));
    } else {
        const auto* cipher = suite.cipher_key == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
        append(sealed, openssl_encrypt(cipher, key, packet.iv, {}, packet.text, nullptr));
        Octets hashed = sealed;
        if (packet.esn) { append(hashed, big_endian(packet.sequence >> 32U, 4)); }
        icv.resize(32);
        HMAC(EVP_sha256(), material.data() + suite.cipher_key, suite.authentication_key, hashed.data(), hashed.size(),
             icv.data(), nullptr);
        icv.resize(16);
    }
    append(sealed, icv);
    return sealed;
}

/// A packet in memory as the data plane has it, other octets before and behind it, and its job.
class EspRoom {
  public:
    static constexpr std::size_t kAround = 64;

    /// `octets`: from SPI to ICV; `esn_high` as the receiver would guess it.
    EspRoom(const EspPacket& packet, std::shared_ptr<const ipsec::Key> key, const Octets& octets)
        : key_(std::move(key)), memory_(octets.size() + 2 * kAround, 0xa5) {
        const auto& suite = row(packet.suite);
        std::copy(octets.begin(), octets.end(), memory_.begin() + kAround);
        auto* esp = memory_.data() + kAround;
        const unsigned header = kEspHeader + suite.iv;
        job_.key = key_.get();
        job_.text = esp + header;
        job_.length = static_cast<std::uint32_t>(octets.size() - header - suite.icv);
        job_.sequence_high = static_cast<std::uint32_t>(packet.sequence >> 32U);
        job_.suite = packet.suite;
        job_.esn = packet.esn;
        Octets nonce;
        if (suite.counter_mode) {
            nonce.assign(packet.material.begin() + suite.cipher_key, packet.material.end());
            Octets aad(esp, esp + 4);
            if (packet.esn) { append(aad, big_endian(packet.sequence >> 32U, 4)); }
            aad.insert(aad.end(), esp + 4, esp + 8);
            std::copy(aad.begin(), aad.end(), job_.aad);
        }
        nonce.insert(nonce.end(), esp + kEspHeader, esp + header);
        std::copy(nonce.begin(), nonce.end(), job_.nonce);
    }

    /// With the plaintext as text, and something where the ICV will be.
    static EspRoom to_seal(const EspPacket& packet, std::shared_ptr<const ipsec::Key> key) {
        Octets octets = esp_front(packet, false);
        append(octets, packet.iv);
        append(octets, packet.text);
        octets.resize(octets.size() + 16, 0x5a);
        return {packet, std::move(key), octets};
    }

    [[nodiscard]] ipsec::Job& job() noexcept { return job_; }
    [[nodiscard]] Octets esp() const { return {memory_.begin() + kAround, memory_.end() - kAround}; }
    [[nodiscard]] Octets text() const { return {job_.text, job_.text + job_.length}; }
    [[nodiscard]] bool untouched_around() const {
        for (std::size_t i = 0; i < kAround; ++i) {
            if (memory_[i] != 0xa5 || memory_[memory_.size() - 1 - i] != 0xa5) { return false; }
        }
        return true;
    }

  private:
    std::shared_ptr<const ipsec::Key> key_;
    Octets memory_;
    ipsec::Job job_;
};

}  // namespace peerlane::test
