// Sealing and opening ESP (RFC 4303) with Intel IPsec-MB: keys, jobs, and one engine per worker. crypto.cpp is the one
// file that knows the library.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "lib/base/esp_suite.hpp"

namespace peerlane::ipsec {

/// A key made ready for one direction: round keys, hash keys. In locked memory (locked_memory.hpp), wiped when the last
/// owner lets it go. What is inside is crypto.cpp's.
struct alignas(64) Key {
    static constexpr unsigned kOctets = 1024;
    std::uint8_t octets[kOctets];
};
enum class Way : std::uint8_t { seal, open };

/// Fetches what every packet needs of a key, one burst ahead: round keys. The hash keys behind them come in time by
/// themselves. With packets of 64 octets and AES-GCM-128 it costs 3 cycles a packet while all keys are in the second
/// level cache (1,000 keys), and gains 3 of 77 with 4,000 keys, 30 and more of 130 with 16,000.
inline void prefetch_key(const Key& key) noexcept {
    for (unsigned line = 0; line < 3; ++line) { __builtin_prefetch(key.octets + 64 * line); }
}

/// `material` as in the configuration: cipher key ‖ salt (RFC 4106 §8.1, RFC 7634 §2) or cipher key ‖ authentication
/// key, row(suite).material() octets, or std::invalid_argument. The salt is not kept: it is the nonce template's.
/// Control thread, also where the last owner lets go. Throws LockedMemoryError (locked_memory.hpp) if there is no room.
std::shared_ptr<const Key> make_key(EspSuite suite, std::span<const std::uint8_t> material, Way way);

/// Names a cipher key without telling it: the first 16 octets of SHA-256 over a fixed label and the cipher key (without
/// salt or authentication key).
using Fingerprint = std::array<std::uint8_t, 16>;
Fingerprint fingerprint(EspSuite suite, std::span<const std::uint8_t> material);

/// SHA-256 (FIPS 180-4).
std::array<std::uint8_t, 32> sha256(std::span<const std::uint8_t> octets);

/// One packet for the crypto pass; one cache line. The packet lies in one piece: ESP header, IV, text, ICV.
struct alignas(64) Job {
    const Key* key = nullptr;
    std::uint8_t* text = nullptr;  // behind the IV: plaintext with its ESP trailer, or ciphertext; worked on in place
    std::uint32_t length = 0;      // of text, octets, whole blocks of the suite; the ICV is behind it
    std::uint32_t sequence_high = 0;  // upper half of the extended sequence number, host order; used with esn
    EspSuite suite = EspSuite::aes_gcm_128;
    bool esn = false;        // the ICV covers sequence_high (RFC 4304)
    bool authentic = false;  // open(): the ICV is right
    std::uint8_t unused[5]{};
    /// AEAD: salt ‖ IV, 12 octets (RFC 4106 §4, RFC 7634 §2). CBC: the IV, 16 octets.
    alignas(16) std::uint8_t nonce[16]{};
    /// AEAD: SPI ‖ sequence number, or SPI ‖ upper half ‖ lower half with esn (RFC 4106 §5); network byte order.
    std::uint8_t aad[16]{};
};
static_assert(sizeof(Job) == 64);

/// One worker's. Not shared between threads.
class Engine {
  public:
    /// `iv_seed`: the key the IVs of CBC come from (RFC 3602 §3: unpredictable); random but in replay.
    explicit Engine(std::span<const std::uint8_t, 16> iv_seed);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Encrypts every job's text in place and writes its ICV behind it. Nothing but text and ICV is written.
    void seal(std::span<Job> jobs) noexcept;
    /// Verifies the ICV (in constant time) and, where it is right, decrypts the text in place. Text whose ICV is wrong
    /// is not to be looked at.
    void open(std::span<Job> jobs) noexcept;
    /// The next unpredictable IV: AES in counter mode under the seed.
    void next_iv(std::uint8_t* sixteen) noexcept;

  private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

}  // namespace peerlane::ipsec
