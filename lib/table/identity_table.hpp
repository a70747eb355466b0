// An exact-match table of things with an identity: tunnels, security associations.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace peerlane::table {

/// Both halves of the product, so that every bit of either factor reaches every bit of the result.
inline std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using Product = unsigned __int128;
    const auto product = Product{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

/// Numbers that a table draws anew until its entries fall apart well.
using Mix = std::uint64_t[6];

/// A hash table whose buckets are one cache line: eight tags, compared at once, and eight places in the entries. An
/// entry is in its bucket or nowhere: the constructor tries seeds, and then more buckets, until no bucket overflows.
/// So a look-up costs the same whatever a hostile sender puts into the headers. Immutable once built; read by any
/// thread. An Identity says what equals it, hash(Mix), whether it can be on the wire (possible()), and one that never
/// is (none()).
template <class Identity, class Payload>
class IdentityTable {
  public:
    struct alignas(64) Entry {
        Identity identity;
        Payload payload;
    };
    static_assert(sizeof(Payload) > 64 - sizeof(Identity) || sizeof(Entry) == 64);

    IdentityTable() : IdentityTable(std::span<const Entry>{}) {}

    /// Throws std::invalid_argument if two entries have the same identity, or one is not possible.
    explicit IdentityTable(std::span<const Entry> entries) : entries_(entries.begin(), entries.end()) {
        for (const auto& entry : entries_) {
            if (!entry.identity.possible()) { throw std::invalid_argument("an identity that no packet can have"); }
        }
        // Places of empty tags lead to entry 0; without entries, to one that matches nothing as no identity is like it.
        if (entries_.empty()) { entries_.push_back({.identity = Identity::none(), .payload = {}}); }
        for (auto buckets = std::bit_ceil((entries_.size() / 2) + 1);; buckets *= 2) {
            for (unsigned tries = 0; tries < 8; ++tries) {
                ++seed_;
                if (fill(entries.size(), buckets)) { return; }
            }
        }
    }

    /// The entry, or nullptr.
    [[nodiscard]] const Entry* find(const Identity& identity) const noexcept {
        const auto* entry = candidate(hash(identity));
        return entry != nullptr && entry->identity == identity ? entry : nullptr;
    }

    /// The same in steps, for a burst: hash all, prefetch_index() all, candidate() all and prefetch what it returns,
    /// then compare candidate->identity.
    [[nodiscard, gnu::always_inline]] std::uint64_t hash(const Identity& identity) const noexcept {
        return identity.hash(mix_);
    }
    void prefetch_index(std::uint64_t hash) const noexcept { __builtin_prefetch(&buckets_[hash & mask_]); }
    /// The only entry that may have this hash, or nullptr.
    [[nodiscard, gnu::always_inline]] const Entry* candidate(std::uint64_t hash) const noexcept {
        const auto& bucket = buckets_[hash & mask_];
        const auto matches = bucket.matches(tag(hash));
        return matches == 0 ? nullptr : &entries_[bucket.place[std::countr_zero(matches)]];
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sizeof(*this) + (entries_.capacity() * sizeof(Entry)) + (buckets_.capacity() * sizeof(Bucket));
    }

  private:
    static constexpr unsigned kPlaces = 8;
    struct alignas(64) Bucket {
        std::uint32_t tag[kPlaces];
        std::uint32_t place[kPlaces];

        /// Bit k set: tag k is the one sought.
        [[nodiscard]] unsigned matches(std::uint32_t sought) const noexcept {
            const auto all = _mm_set1_epi32(static_cast<int>(sought));
            const auto low = _mm_cmpeq_epi32(all, _mm_load_si128(reinterpret_cast<const __m128i*>(tag)));
            const auto high = _mm_cmpeq_epi32(all, _mm_load_si128(reinterpret_cast<const __m128i*>(tag + 4)));
            return static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(low, high), __m128i{})));
        }
    };

    static std::uint32_t tag(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32U); }

    /// False if a bucket overflows or two entries cannot be told apart by tag.
    bool fill(std::size_t count, std::size_t buckets) {
        for (std::uint64_t i = 0; i < 6; ++i) {
            const auto state = ((seed_ * 6) + i + 1) * 0x9e37'79b9'7f4a'7c15U;  // odd steps of a Weyl sequence
            mix_[i] = mixed(state, 0xd6e8'feb8'6659'fd93U) | 1U;
        }
        mask_ = buckets - 1;
        size_ = count;
        buckets_.assign(buckets, Bucket{});
        std::vector<std::uint8_t> used(buckets, 0);
        for (std::size_t i = 0; i < count; ++i) {
            const auto sum = hash(entries_[i].identity);
            auto& bucket = buckets_[sum & mask_];
            auto& places = used[sum & mask_];
            if (places == kPlaces) { return false; }
            for (unsigned k = 0; k < places; ++k) {
                if (bucket.tag[k] != tag(sum)) { continue; }
                if (entries_[bucket.place[k]].identity != entries_[i].identity) { return false; }
                throw std::invalid_argument("two entries have the same identity");
            }
            bucket.tag[places] = tag(sum);
            bucket.place[places++] = static_cast<std::uint32_t>(i);
        }
        return true;
    }

    std::vector<Entry> entries_;
    std::vector<Bucket> buckets_;
    std::uint64_t mask_ = 0;
    Mix mix_ = {};
    std::uint64_t seed_ = 0;
    std::size_t size_ = 0;
};

}  // namespace peerlane::table
