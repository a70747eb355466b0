#include "lib/ipsec/crypto.hpp"

#include <intel-ipsec-mb.h>
#include <string.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string_view>

#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::ipsec {
namespace {

constexpr unsigned kIcv = 16;
constexpr unsigned kPass = 64;  // jobs of one pass; IPsec-MB takes up to 128
constexpr unsigned kCbcIv = 16;

/// What a Key holds of AES-CBC with HMAC-SHA-256. With AES-128 it is four cache lines.
struct CbcKey {
    std::uint8_t inner[32];  // SHA-256 behind the key xor ipad (RFC 2104 §4)
    std::uint8_t outer[32];
    alignas(64) std::uint8_t schedule[240];  // for encryption or decryption
};
struct ChachaKey {
    std::uint8_t key[32];
};
static_assert(sizeof(gcm_key_data) <= Key::kOctets && sizeof(CbcKey) <= Key::kOctets);
static_assert(alignof(gcm_key_data) <= alignof(Key) && alignof(CbcKey) <= alignof(Key));

template <class Inside>
const Inside& inside(const Key* key) noexcept {
    return *reinterpret_cast<const Inside*>(key->octets);
}

/// Whether two ICVs are equal, in the same time wherever they differ.
bool equal_icv(const std::uint8_t* a, const std::uint8_t* b) noexcept {
    std::uint64_t x[2];
    std::uint64_t y[2];
    std::memcpy(x, a, sizeof(x));
    std::memcpy(y, b, sizeof(y));
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

unsigned aad_length(const Job& job) noexcept {
    return job.esn ? 12 : 8;
}

/// IPsec-MB's functions and buffers for one architecture. The memory may hold keys for a moment; it is wiped.
class Manager {
  public:
    using Init = void (*)(IMB_MGR*);
    explicit Manager(Init init) : manager_(alloc_mb_mgr(0)) {
        if (manager_ == nullptr) { throw std::bad_alloc(); }
        init(manager_);
        constexpr std::uint64_t kTested = IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;
        const bool failed = (manager_->features & kTested) == IMB_FEATURE_SELF_TEST;
        if (failed || manager_->get_next_job == nullptr) {
            free_mb_mgr(manager_);
            throw std::runtime_error("IPsec-MB fails its self-test on this processor");
        }
    }
    ~Manager() { free_mb_mgr(manager_); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    IMB_MGR* operator->() const noexcept { return manager_; }
    operator IMB_MGR*() const noexcept { return manager_; }

  private:
    IMB_MGR* manager_;
};

void init_best(IMB_MGR* manager) {
    init_mb_mgr_auto(manager, nullptr);
}

/// For the functions that keep nothing between calls. Control thread.
const Manager& shared_manager() {
    static const Manager manager(init_best);
    return manager;
}

/// Blocks SHA-256 works on under an HMAC: the message with its padding behind the inner key, and the outer one.
unsigned hmac_blocks(unsigned length) noexcept {
    return (length + 9 + 63) / 64 + 1;
}

void expand_cbc_key(CbcKey& key, unsigned cipher_key, std::span<const std::uint8_t> material, Way way) {
    const auto& manager = shared_manager();
    alignas(16) std::uint8_t encrypt[240]{};
    alignas(16) std::uint8_t decrypt[240]{};
    const auto expand = cipher_key == 16 ? manager->keyexp_128 : manager->keyexp_256;
    expand(material.data(), encrypt, decrypt);
    std::memcpy(key.schedule, way == Way::seal ? encrypt : decrypt, sizeof(key.schedule));
    std::uint8_t block[64];
    for (const auto& [pad, state] : {std::pair{0x36, key.inner}, {0x5c, key.outer}}) {
        std::memset(block, pad, sizeof(block));
        for (unsigned i = 0; i < 32; ++i) { block[i] ^= material[cipher_key + i]; }
        manager->sha256_one_block(block, state);
    }
    explicit_bzero(encrypt, sizeof(encrypt));
    explicit_bzero(decrypt, sizeof(decrypt));
    explicit_bzero(block, sizeof(block));
}

void require_material(EspSuite suite, std::span<const std::uint8_t> material) {
    if (material.size() != row(suite).material()) { throw std::invalid_argument("key material of the wrong length"); }
}

}  // namespace

std::shared_ptr<const Key> make_key(EspSuite suite, std::span<const std::uint8_t> material, Way way) {
    require_material(suite, material);
    const auto& manager = shared_manager();
    std::shared_ptr<Key> key(take_key_room(), release_key_room);
    auto* octets = key->octets;
    switch (suite) {
        case EspSuite::aes_gcm_128:
            manager->gcm128_pre(material.data(), reinterpret_cast<gcm_key_data*>(octets));
            break;
        case EspSuite::aes_gcm_256:
            manager->gcm256_pre(material.data(), reinterpret_cast<gcm_key_data*>(octets));
            break;
        case EspSuite::aes_cbc_128_hmac_sha256_128:
        case EspSuite::aes_cbc_256_hmac_sha256_128:
            expand_cbc_key(*reinterpret_cast<CbcKey*>(octets), row(suite).cipher_key, material, way);
            break;
        case EspSuite::chacha20_poly1305:
            std::memcpy(reinterpret_cast<ChachaKey*>(octets)->key, material.data(), sizeof(ChachaKey::key));
            break;
    }
    return key;
}

std::array<std::uint8_t, 32> sha256(std::span<const std::uint8_t> octets) {
    static constexpr std::uint8_t kNothing = 0;
    std::array<std::uint8_t, 32> digest{};
    shared_manager()->sha256(octets.empty() ? &kNothing : octets.data(), octets.size(), digest.data());
    return digest;
}

Fingerprint fingerprint(EspSuite suite, std::span<const std::uint8_t> material) {
    require_material(suite, material);
    constexpr std::string_view kLabel = "peerlane cipher key";
    std::array<std::uint8_t, kLabel.size() + 32> message{};
    const auto length = kLabel.size() + row(suite).cipher_key;
    std::copy(kLabel.begin(), kLabel.end(), message.begin());
    std::copy_n(material.begin(), row(suite).cipher_key, message.begin() + kLabel.size());
    const auto digest = sha256(std::span(message).first(length));
    explicit_bzero(message.data(), message.size());
    Fingerprint print{};
    std::copy_n(digest.begin(), print.size(), print.begin());
    return print;
}

struct Engine::Inside {
    Manager best{init_best};
    /// SHA-256 instructions, two messages at a time, against sixteen in AVX-512 registers; the same as `best` where
    /// there is no choice.
    std::unique_ptr<Manager> narrow;
    alignas(64) gcm_key_data iv_key{};
    alignas(64) std::uint8_t ivs[64][kCbcIv]{};
    std::uint64_t iv_batch = 0;
    unsigned ivs_used = 64;
    alignas(64) gcm_context_data context{};
    alignas(64) std::uint8_t icvs[kPass][kIcv]{};      // as they ought to be
    alignas(64) std::uint8_t received[kPass][kIcv]{};  // where the packet had to be changed for the hash
    alignas(64) IMB_JOB work[kPass]{};                 // of CBC, both passes
    Job* cbc[kPass]{};

    explicit Inside(std::span<const std::uint8_t, 16> seed) {
        constexpr std::uint64_t kChoice = IMB_FEATURE_AVX512_SKX | IMB_FEATURE_SHANI;
        if ((best->features & kChoice) == kChoice) { narrow = std::make_unique<Manager>(init_mb_mgr_avx2); }
        best->gcm128_pre(seed.data(), &iv_key);
        for (auto& job : work) {
            job.iv_len_in_bytes = kCbcIv;
            job.auth_tag_output_len_in_bytes = kIcv;
            job.cipher_mode = IMB_CIPHER_CBC;
            job.hash_alg = IMB_AUTH_HMAC_SHA_256;
        }
    }
    ~Inside() {
        explicit_bzero(&iv_key, sizeof(iv_key));
        explicit_bzero(ivs, sizeof(ivs));
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

    template <Way kWay>
    void run(std::span<Job> jobs) noexcept;
    template <Way kWay>
    void gcm(aes_gcm_enc_dec_t function, Job& job) noexcept;
    template <Way kWay>
    void chacha(Job& job) noexcept;
    unsigned prepare_cbc(std::span<Job> jobs) noexcept;
    IMB_MGR* fastest(unsigned count) noexcept;
    void seal_cbc(std::span<Job> jobs) noexcept;
    void open_cbc(std::span<Job> jobs) noexcept;
    unsigned short_keys = 0;  // of the prepared ones those with AES-128, which come first
};

template <Way kWay>
void Engine::Inside::gcm(aes_gcm_enc_dec_t function, Job& job) noexcept {
    const auto& key = inside<gcm_key_data>(job.key);
    std::uint8_t* icv = job.text + job.length;
    std::uint8_t* computed = kWay == Way::seal ? icv : icvs[0];
    function(&key, &context, job.text, job.text, job.length, job.nonce, job.aad, aad_length(job), computed, kIcv);
    if constexpr (kWay == Way::open) { job.authentic = equal_icv(computed, icv); }
}

template <Way kWay>
void Engine::Inside::chacha(Job& job) noexcept {
    // A job of its own is done at once, in fewer passes than the direct calls make: 340 cycles against 580 for 64
    // octets, 1250 against 1500 for 1420.
    std::uint8_t* icv = job.text + job.length;
    std::uint8_t* computed = kWay == Way::seal ? icv : icvs[0];
    IMB_JOB& one = *IMB_GET_NEXT_JOB(best);
    one.enc_keys = one.dec_keys = inside<ChachaKey>(job.key).key;
    one.key_len_in_bytes = sizeof(ChachaKey::key);
    one.src = one.dst = job.text;
    one.cipher_start_src_offset_in_bytes = one.hash_start_src_offset_in_bytes = 0;
    one.msg_len_to_cipher_in_bytes = one.msg_len_to_hash_in_bytes = job.length;
    one.iv = job.nonce;
    one.iv_len_in_bytes = 12;
    one.auth_tag_output = computed;
    one.auth_tag_output_len_in_bytes = kIcv;
    one.u.CHACHA20_POLY1305.aad = job.aad;
    one.u.CHACHA20_POLY1305.aad_len_in_bytes = aad_length(job);
    one.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    one.hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    one.cipher_direction = kWay == Way::seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    one.chain_order = kWay == Way::seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    const IMB_JOB* done = IMB_SUBMIT_JOB_NOCHECK(best);
    const bool complete = done == &one && one.status == IMB_STATUS_COMPLETED;
    if constexpr (kWay == Way::open) { job.authentic = complete && equal_icv(computed, icv); }
    if (kWay == Way::seal && !complete) [[unlikely]] { std::memset(job.text, 0, job.length); }
}

/// Describes the jobs with CBC to IPsec-MB, AES-128 first. Returns how many there are.
unsigned Engine::Inside::prepare_cbc(std::span<Job> jobs) noexcept {
    unsigned count = 0;
    for (const auto suite : {EspSuite::aes_cbc_128_hmac_sha256_128, EspSuite::aes_cbc_256_hmac_sha256_128}) {
        for (Job& job : jobs) {
            if (job.suite != suite) { continue; }
            const auto& key = inside<CbcKey>(job.key);
            IMB_JOB& one = work[count];
            cbc[count++] = &job;
            one.enc_keys = one.dec_keys = key.schedule;
            one.key_len_in_bytes = row(suite).cipher_key;
            one.src = job.text - kCbcIv - kEspHeader;
            one.dst = job.text;
            one.cipher_start_src_offset_in_bytes = kCbcIv + kEspHeader;
            one.msg_len_to_cipher_in_bytes = job.length;
            one.msg_len_to_hash_in_bytes = kEspHeader + kCbcIv + job.length + (job.esn ? 4 : 0);
            one.iv = job.nonce;
            one.u.HMAC._hashed_auth_key_xor_ipad = key.inner;
            one.u.HMAC._hashed_auth_key_xor_opad = key.outer;
        }
        if (suite == EspSuite::aes_cbc_128_hmac_sha256_128) { short_keys = count; }
    }
    return count;
}

/// What hashes the prepared jobs fastest, and encrypts them: one after the other in different instruction sets is
/// slower than either.
IMB_MGR* Engine::Inside::fastest(unsigned count) noexcept {
    if (narrow == nullptr) { return best; }
    // Cycles, measured: sixteen lanes take 785 a block however few are used, and 90 a message; SHA-256's instructions
    // 82 a block and 14 a message.
    unsigned total = 0;
    unsigned longest = 0;
    for (unsigned i = 0; i < count; ++i) {
        const unsigned blocks = hmac_blocks(static_cast<unsigned>(work[i].msg_len_to_hash_in_bytes));
        total += blocks;
        longest = std::max(longest, blocks);
    }
    const unsigned wide = 785 * ((count + 15) / 16) * longest + 90 * count;
    return 82 * total + 14 * count < wide ? *narrow : best;
}

/// False: the library did not do all of it.
bool cipher_cbc(IMB_MGR* manager, std::span<IMB_JOB> jobs, IMB_CIPHER_DIRECTION way, IMB_KEY_SIZE_BYTES key) noexcept {
    const auto count = static_cast<std::uint32_t>(jobs.size());
    return count == 0 ||
           IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager, jobs.data(), count, IMB_CIPHER_CBC, way, key) == count;
}

bool hash_cbc(IMB_MGR* manager, std::span<IMB_JOB> jobs) noexcept {
    const auto count = static_cast<std::uint32_t>(jobs.size());
    return count == 0 || IMB_SUBMIT_HASH_BURST_NOCHECK(manager, jobs.data(), count, IMB_AUTH_HMAC_SHA_256) == count;
}

/// Puts the upper half of the sequence number where the ICV's first octets go (RFC 4303 §2.2.1).
void write_high(const Job& job, std::uint8_t* icv) noexcept {
    const std::uint32_t high = __builtin_bswap32(job.sequence_high);
    std::memcpy(icv, &high, sizeof(high));
}

void Engine::Inside::seal_cbc(std::span<Job> jobs) noexcept {
    const unsigned count = prepare_cbc(jobs);
    for (unsigned i = 0; i < count; ++i) {
        std::uint8_t* icv = cbc[i]->text + cbc[i]->length;
        work[i].auth_tag_output = icv;
        if (cbc[i]->esn) { write_high(*cbc[i], icv); }
    }
    IMB_MGR* manager = fastest(count);
    const auto all = std::span(work).first(count);
    const bool done = cipher_cbc(manager, all.first(short_keys), IMB_DIR_ENCRYPT, IMB_KEY_128_BYTES) &&
                      cipher_cbc(manager, all.subspan(short_keys), IMB_DIR_ENCRYPT, IMB_KEY_256_BYTES) &&
                      hash_cbc(manager, all);
    for (unsigned i = 0; !done && i < count; ++i) [[unlikely]] {  // nothing leaves in clear
        std::memset(cbc[i]->text, 0, cbc[i]->length);
    }
}

void Engine::Inside::open_cbc(std::span<Job> jobs) noexcept {
    const unsigned count = prepare_cbc(jobs);
    for (unsigned i = 0; i < count; ++i) {
        std::uint8_t* icv = cbc[i]->text + cbc[i]->length;
        std::memcpy(received[i], icv, kIcv);
        std::memset(icvs[i], 0, kIcv);
        work[i].auth_tag_output = icvs[i];
        if (cbc[i]->esn) { write_high(*cbc[i], icv); }
    }
    const bool hashed = hash_cbc(fastest(count), std::span(work).first(count));
    unsigned authentic = 0;
    unsigned authentic_short = 0;
    for (unsigned i = 0; i < count; ++i) {
        Job& job = *cbc[i];
        std::memcpy(job.text + job.length, received[i], kIcv);
        job.authentic = equal_icv(icvs[i], received[i]) && hashed;
        if (!job.authentic) { continue; }
        if (authentic != i) { work[authentic] = work[i]; }
        ++authentic;
        if (i < short_keys) { ++authentic_short; }
    }
    // The blocks of a message are independent here: the widest registers are the fastest.
    const auto right = std::span(work).first(authentic);
    cipher_cbc(best, right.first(authentic_short), IMB_DIR_DECRYPT, IMB_KEY_128_BYTES);
    cipher_cbc(best, right.subspan(authentic_short), IMB_DIR_DECRYPT, IMB_KEY_256_BYTES);
}

template <Way kWay>
void Engine::Inside::run(std::span<Job> jobs) noexcept {
    bool any_cbc = false;
    for (Job& job : jobs) {
        switch (job.suite) {
            case EspSuite::aes_gcm_128:
                gcm<kWay>(kWay == Way::seal ? best->gcm128_enc : best->gcm128_dec, job);
                break;
            case EspSuite::aes_gcm_256:
                gcm<kWay>(kWay == Way::seal ? best->gcm256_enc : best->gcm256_dec, job);
                break;
            case EspSuite::chacha20_poly1305:
                chacha<kWay>(job);
                break;
            case EspSuite::aes_cbc_128_hmac_sha256_128:
            case EspSuite::aes_cbc_256_hmac_sha256_128:
                any_cbc = true;
                break;
        }
    }
    if (!any_cbc) { return; }
    if constexpr (kWay == Way::seal) {
        seal_cbc(jobs);
    } else {
        open_cbc(jobs);
    }
}

Engine::Engine(std::span<const std::uint8_t, 16> iv_seed) : inside_(std::make_unique<Inside>(iv_seed)) {}
Engine::~Engine() = default;

void Engine::seal(std::span<Job> jobs) noexcept {
    for (; jobs.size() > kPass; jobs = jobs.subspan(kPass)) { inside_->run<Way::seal>(jobs.first(kPass)); }
    inside_->run<Way::seal>(jobs);
}

void Engine::open(std::span<Job> jobs) noexcept {
    for (; jobs.size() > kPass; jobs = jobs.subspan(kPass)) { inside_->run<Way::open>(jobs.first(kPass)); }
    inside_->run<Way::open>(jobs);
}

void Engine::next_iv(std::uint8_t* sixteen) noexcept {
    auto& in = *inside_;
    if (in.ivs_used == std::size(in.ivs)) {
        static constexpr std::uint8_t kZeroes[sizeof(in.ivs)]{};
        std::uint8_t nonce[12]{};
        std::uint8_t tag[kIcv];
        std::memcpy(nonce, &in.iv_batch, sizeof(in.iv_batch));
        ++in.iv_batch;
        in.best->gcm128_enc(&in.iv_key, &in.context, in.ivs[0], kZeroes, sizeof(in.ivs), nonce, nonce, 0, tag,
                            sizeof(tag));
        in.ivs_used = 0;
    }
    std::memcpy(sixteen, in.ivs[in.ivs_used++], kCbcIv);
}

}  // namespace peerlane::ipsec
