// IPsec-MB alone, as others would call it: the yardstick of the machine and the floor below our sealing and opening.
// Shares nothing with the product.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "lib/base/esp_suite.hpp"

namespace peerlane::perf {

/// A fixed piece of other people's work, measured beside ours: if its cycles change, the machine did. IPsec-MB seals 64
/// octets with AES-128-GCM by the direct call.
class Yardstick {
  public:
    Yardstick();
    ~Yardstick();
    void seal(unsigned times) noexcept;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// One packet for the bare library. ESP header and IV lie before `text`, room for the ICV behind it.
struct BareJob {
    std::uint8_t* text;
    std::uint32_t length;
    std::uint32_t key;                     // 0 .. keys - 1
    alignas(16) std::uint8_t nonce[16]{};  // of an AEAD, 12 octets
};

/// A key made ready for both ways. An odd number of cache lines each, or a few sets of the cache would hold them all.
struct alignas(64) BareKey {
    std::uint8_t octets[1088];
};

/// The calls that an application cannot avoid, and nothing around them: AES-GCM one direct call a packet, ChaCha20 a
/// job each, CBC and HMAC one synchronous pass each over the burst. open() computes ICVs and decrypts, and compares
/// nothing.
class BareIpsec {
  public:
    static constexpr unsigned kBurst = 64;
    /// `wide`: with AVX-512 where there is, else with AVX2 at most. Throws std::bad_alloc.
    BareIpsec(EspSuite suite, std::size_t keys, bool wide);
    ~BareIpsec();
    /// `material`: row(suite).material() octets. Until then a key is anything.
    void set_key(std::size_t index, std::span<const std::uint8_t> material);
    /// From now on CBC encrypts and hashes with the wide instructions, or not.
    void use(bool wide) noexcept;
    /// kBurst jobs at most.
    void seal(std::span<const BareJob> jobs) noexcept;
    void open(std::span<const BareJob> jobs) noexcept;
    /// The ICVs as they ought to be, of the jobs opened last.
    [[nodiscard]] const std::uint8_t (*icvs() const noexcept)[16];
    [[nodiscard]] const BareKey* keys() const noexcept;
    /// Octets that nobody can predict: AES in counter mode, kBurst blocks a call.
    void fill_ivs(std::uint8_t (*sixteen)[16]) noexcept;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace peerlane::perf
