#include "perf/ipsec_mb.hpp"

#include <intel-ipsec-mb.h>

#include <new>
#include <vector>

namespace peerlane::perf {

struct Yardstick::Parts {
    IMB_MGR* manager = nullptr;
    alignas(64) gcm_key_data key{};
    alignas(64) gcm_context_data context{};
    alignas(64) std::uint8_t data[64]{}, nonce[12]{}, extra[8]{}, tag[16]{};
};

Yardstick::Yardstick() : parts_(std::make_unique<Parts>()) {
    parts_->manager = alloc_mb_mgr(0);
    if (parts_->manager == nullptr) { throw std::bad_alloc(); }
    init_mb_mgr_auto(parts_->manager, nullptr);
    alignas(64) const std::uint8_t key[16] = {1, 2, 3};
    IMB_AES128_GCM_PRE(parts_->manager, key, &parts_->key);
}

Yardstick::~Yardstick() {
    free_mb_mgr(parts_->manager);
}

void Yardstick::seal(unsigned times) noexcept {
    auto& p = *parts_;
    for (unsigned i = 0; i < times; ++i) {
        IMB_AES128_GCM_ENC(p.manager, &p.key, &p.context, p.data, p.data, sizeof(p.data), p.nonce, p.extra,
                           sizeof(p.extra), p.tag, sizeof(p.tag));
    }
}

namespace {

/// An odd number of cache lines each, or a few sets of the cache would hold them all.
struct alignas(64) BareKey {
    union {
        gcm_key_data gcm;
        struct {
            std::uint8_t inner[32], outer[32], encrypt[240], decrypt[240];
        } cbc;
        std::uint8_t chacha[32];
    };
    std::uint8_t unused[64];
};
static_assert(sizeof(BareKey) % 128 == 64);

}  // namespace

struct BareIpsec::Parts {
    EspSuite suite{};
    IMB_MGR* manager = nullptr;
    std::vector<BareKey> keys;
    alignas(64) gcm_context_data context{};
    alignas(64) std::uint8_t nonce[16]{};
    alignas(64) std::uint8_t tags[kBurst][16]{};
    alignas(64) IMB_JOB work[kBurst]{};

    template <bool kSeal>
    void run(std::span<const BareJob> jobs) noexcept;
    template <bool kSeal>
    void chacha(const BareJob& job) noexcept;
    template <bool kSeal>
    void cbc(std::span<const BareJob> jobs) noexcept;
};

BareIpsec::BareIpsec(EspSuite suite, std::size_t keys, bool wide) : parts_(std::make_unique<Parts>()) {
    auto& p = *parts_;
    p.suite = suite;
    p.keys.resize(keys);
    p.manager = alloc_mb_mgr(0);
    if (p.manager == nullptr) { throw std::bad_alloc(); }
    if (wide) {
        init_mb_mgr_auto(p.manager, nullptr);
    } else {
        init_mb_mgr_avx2(p.manager);
    }
    for (std::size_t i = 0; i < keys; ++i) {
        alignas(64) const std::uint8_t key[32] = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8U)};
        auto& made = p.keys[i];
        switch (suite) {
            case EspSuite::aes_gcm_128:
                IMB_AES128_GCM_PRE(p.manager, key, &made.gcm);
                break;
            case EspSuite::aes_gcm_256:
                IMB_AES256_GCM_PRE(p.manager, key, &made.gcm);
                break;
            case EspSuite::aes_cbc_128_hmac_sha256_128:
                IMB_AES_KEYEXP_128(p.manager, key, made.cbc.encrypt, made.cbc.decrypt);
                break;
            case EspSuite::aes_cbc_256_hmac_sha256_128:
                IMB_AES_KEYEXP_256(p.manager, key, made.cbc.encrypt, made.cbc.decrypt);
                break;
            case EspSuite::chacha20_poly1305:
                break;
        }
    }
}

BareIpsec::~BareIpsec() {
    free_mb_mgr(parts_->manager);
}

template <bool kSeal>
void BareIpsec::Parts::chacha(const BareJob& job) noexcept {
    IMB_JOB& one = *IMB_GET_NEXT_JOB(manager);
    one.enc_keys = one.dec_keys = keys[job.key].chacha;
    one.key_len_in_bytes = 32;
    one.src = one.dst = job.text;
    one.cipher_start_src_offset_in_bytes = one.hash_start_src_offset_in_bytes = 0;
    one.msg_len_to_cipher_in_bytes = one.msg_len_to_hash_in_bytes = job.length;
    one.iv = nonce;
    one.iv_len_in_bytes = 12;
    one.auth_tag_output = kSeal ? job.text + job.length : tags[0];
    one.auth_tag_output_len_in_bytes = 16;
    one.u.CHACHA20_POLY1305.aad = job.text - 16;
    one.u.CHACHA20_POLY1305.aad_len_in_bytes = 8;
    one.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    one.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    one.cipher_direction = kSeal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    one.chain_order = kSeal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    IMB_SUBMIT_JOB_NOCHECK(manager);
}

template <bool kSeal>
void BareIpsec::Parts::cbc(std::span<const BareJob> jobs) noexcept {
    const auto count = static_cast<std::uint32_t>(jobs.size());
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto& job = jobs[i];
        auto& key = keys[job.key].cbc;
        IMB_JOB& one = work[i];
        one.enc_keys = key.encrypt;
        one.dec_keys = key.decrypt;
        one.key_len_in_bytes = row(suite).cipher_key;
        one.src = job.text - 24;
        one.dst = job.text;
        one.cipher_start_src_offset_in_bytes = 24;
        one.msg_len_to_cipher_in_bytes = job.length;
        one.msg_len_to_hash_in_bytes = job.length + 24;
        one.iv = job.text - 16;
        one.iv_len_in_bytes = 16;
        one.auth_tag_output = kSeal ? job.text + job.length : tags[i];
        one.auth_tag_output_len_in_bytes = 16;
        one.u.HMAC._hashed_auth_key_xor_ipad = key.inner;
        one.u.HMAC._hashed_auth_key_xor_opad = key.outer;
    }
    const auto bits = row(suite).cipher_key == 16 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES;
    if constexpr (kSeal) {
        IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, work, count, IMB_CIPHER_CBC, IMB_DIR_ENCRYPT, bits);
        IMB_SUBMIT_HASH_BURST_NOCHECK(manager, work, count, IMB_AUTH_HMAC_SHA_256);
    } else {
        IMB_SUBMIT_HASH_BURST_NOCHECK(manager, work, count, IMB_AUTH_HMAC_SHA_256);
        IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, work, count, IMB_CIPHER_CBC, IMB_DIR_DECRYPT, bits);
    }
}

template <bool kSeal>
void BareIpsec::Parts::run(std::span<const BareJob> jobs) noexcept {
    if (!row(suite).counter_mode) {
        cbc<kSeal>(jobs);
    } else if (suite == EspSuite::chacha20_poly1305) {
        for (const auto& job : jobs) { chacha<kSeal>(job); }
    } else {
        const auto function = suite == EspSuite::aes_gcm_128 ? (kSeal ? manager->gcm128_enc : manager->gcm128_dec)
                                                             : (kSeal ? manager->gcm256_enc : manager->gcm256_dec);
        for (const auto& job : jobs) {
            function(&keys[job.key].gcm, &context, job.text, job.text, job.length, nonce, job.text - 16, 8,
                     kSeal ? job.text + job.length : tags[0], 16);
        }
    }
}

void BareIpsec::seal(std::span<const BareJob> jobs) noexcept {
    parts_->run<true>(jobs);
}

void BareIpsec::open(std::span<const BareJob> jobs) noexcept {
    parts_->run<false>(jobs);
}

}  // namespace peerlane::perf
