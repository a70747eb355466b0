#include "perf/ipsec_mb.hpp"

#include <intel-ipsec-mb.h>

#include <cstring>
#include <new>
#include <utility>
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

struct CbcKey {
    std::uint8_t inner[32], outer[32];
    alignas(64) std::uint8_t encrypt[240], decrypt[240];
};
static_assert(sizeof(BareKey) % 128 == 64);
static_assert(sizeof(gcm_key_data) <= sizeof(BareKey) && sizeof(CbcKey) <= sizeof(BareKey));

template <class Inside>
Inside& inside(BareKey& key) noexcept {
    return *reinterpret_cast<Inside*>(key.octets);
}

void init_widest(IMB_MGR* manager) {
    init_mb_mgr_auto(manager, nullptr);
}

IMB_MGR* make_manager(void (*init)(IMB_MGR*)) {
    auto* manager = alloc_mb_mgr(0);
    if (manager == nullptr) { throw std::bad_alloc(); }
    init(manager);
    return manager;
}

}  // namespace

struct BareIpsec::Parts {
    EspSuite suite{};
    IMB_MGR* widest = make_manager(init_widest);
    IMB_MGR* narrow = make_manager(init_mb_mgr_avx2);
    IMB_MGR* manager = widest;  // of the two
    std::vector<BareKey> keys;
    alignas(64) gcm_context_data context{};
    alignas(64) gcm_key_data iv_key{};
    std::uint64_t iv_batch = 0;
    alignas(64) std::uint8_t tags[kBurst][16]{};
    alignas(64) IMB_JOB work[kBurst]{};

    Parts() = default;
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;
    ~Parts() {
        free_mb_mgr(widest);
        free_mb_mgr(narrow);
    }
    template <bool kSeal>
    void run(std::span<const BareJob> jobs) noexcept;
    template <bool kSeal>
    void chacha(const BareJob& job, std::uint8_t* tag) noexcept;
    template <bool kSeal>
    void cbc(std::span<const BareJob> jobs) noexcept;
};

BareIpsec::BareIpsec(EspSuite suite, std::size_t keys, bool wide) : parts_(std::make_unique<Parts>()) {
    auto& p = *parts_;
    p.suite = suite;
    p.keys.resize(keys);
    use(wide);
    std::uint8_t material[64]{};
    IMB_AES128_GCM_PRE(p.widest, material, &p.iv_key);
    for (std::size_t i = 0; i < keys; ++i) {
        material[0] = static_cast<std::uint8_t>(i);
        material[1] = static_cast<std::uint8_t>(i >> 8U);
        set_key(i, {material, row(suite).material()});
    }
}

BareIpsec::~BareIpsec() = default;

void BareIpsec::set_key(std::size_t index, std::span<const std::uint8_t> material) {
    auto& p = *parts_;
    auto& made = p.keys[index];
    alignas(64) std::uint8_t key[32]{};
    const unsigned octets = row(p.suite).cipher_key;
    std::memcpy(key, material.data(), octets);
    switch (p.suite) {
        case EspSuite::aes_gcm_128:
            IMB_AES128_GCM_PRE(p.manager, key, &inside<gcm_key_data>(made));
            break;
        case EspSuite::aes_gcm_256:
            IMB_AES256_GCM_PRE(p.manager, key, &inside<gcm_key_data>(made));
            break;
        case EspSuite::aes_cbc_128_hmac_sha256_128:
        case EspSuite::aes_cbc_256_hmac_sha256_128: {
            auto& cbc = inside<CbcKey>(made);
            if (octets == 16) {
                IMB_AES_KEYEXP_128(p.manager, key, cbc.encrypt, cbc.decrypt);
            } else {
                IMB_AES_KEYEXP_256(p.manager, key, cbc.encrypt, cbc.decrypt);
            }
            for (const auto& [pad, state] : {std::pair{0x36, cbc.inner}, {0x5c, cbc.outer}}) {
                alignas(64) std::uint8_t block[64];
                for (unsigned i = 0; i < 64; ++i) {
                    const unsigned octet = i < 32 ? material[octets + i] : 0U;
                    block[i] = static_cast<std::uint8_t>(octet ^ static_cast<unsigned>(pad));
                }
                IMB_SHA256_ONE_BLOCK(p.manager, block, state);
            }
            break;
        }
        case EspSuite::chacha20_poly1305:
            std::memcpy(made.octets, key, sizeof(key));
            break;
    }
}

void BareIpsec::use(bool wide) noexcept {
    parts_->manager = wide ? parts_->widest : parts_->narrow;
}

const std::uint8_t (*BareIpsec::icvs() const noexcept)[16] {
    return parts_->tags;
}

const BareKey* BareIpsec::keys() const noexcept {
    return parts_->keys.data();
}

void BareIpsec::fill_ivs(std::uint8_t (*sixteen)[16]) noexcept {
    static constexpr std::uint8_t kZeroes[kBurst * 16]{};
    auto& p = *parts_;
    std::uint8_t nonce[12]{};
    std::uint8_t tag[16];
    std::memcpy(nonce, &++p.iv_batch, sizeof(p.iv_batch));
    IMB_AES128_GCM_ENC(p.widest, &p.iv_key, &p.context, sixteen[0], kZeroes, sizeof(kZeroes), nonce, nonce, 0, tag,
                       sizeof(tag));
}

template <bool kSeal>
void BareIpsec::Parts::chacha(const BareJob& job, std::uint8_t* tag) noexcept {
    IMB_JOB& one = *IMB_GET_NEXT_JOB(manager);
    one.enc_keys = one.dec_keys = keys[job.key].octets;
    one.key_len_in_bytes = 32;
    one.src = one.dst = job.text;
    one.cipher_start_src_offset_in_bytes = one.hash_start_src_offset_in_bytes = 0;
    one.msg_len_to_cipher_in_bytes = one.msg_len_to_hash_in_bytes = job.length;
    one.iv = job.nonce;
    one.iv_len_in_bytes = 12;
    one.auth_tag_output = kSeal ? job.text + job.length : tag;
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
        auto& key = inside<CbcKey>(keys[job.key]);
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
        // Decryption has no chain to wait for: wide registers are the fastest whatever hashes.
        IMB_SUBMIT_CIPHER_BURST_NOCHECK(widest, work, count, IMB_CIPHER_CBC, IMB_DIR_DECRYPT, bits);
    }
}

template <bool kSeal>
void BareIpsec::Parts::run(std::span<const BareJob> jobs) noexcept {
    if (!row(suite).counter_mode) {
        cbc<kSeal>(jobs);
    } else if (suite == EspSuite::chacha20_poly1305) {
        auto* tag = tags;
        for (const auto& job : jobs) { chacha<kSeal>(job, *tag++); }
    } else {
        const auto function = suite == EspSuite::aes_gcm_128 ? (kSeal ? manager->gcm128_enc : manager->gcm128_dec)
                                                             : (kSeal ? manager->gcm256_enc : manager->gcm256_dec);
        auto* tag = tags;
        for (const auto& job : jobs) {
            function(&inside<gcm_key_data>(keys[job.key]), &context, job.text, job.text, job.length, job.nonce,
                     job.text - 16, 8, kSeal ? job.text + job.length : *tag++, 16);
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
