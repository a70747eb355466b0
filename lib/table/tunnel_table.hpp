// Which tunnel a received GRE packet belongs to.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "lib/base/address.hpp"

namespace peerlane::table {

/// What must agree, all of it, for a packet to be a tunnel's (RFC 2784, RFC 2890 §2.1). Addresses as two halves in
/// host byte order, IPv4 as ::ffff:a.b.c.d; local is the packet's destination.
struct TunnelIdentity {
    std::uint64_t local_high = 0;
    std::uint64_t local_low = 0;
    std::uint64_t remote_high = 0;
    std::uint64_t remote_low = 0;
    std::uint32_t key = 0;          ///< host byte order; 0 where has_key is 0
    std::uint32_t has_key : 1 = 0;  ///< the K bit: key 0 is not "no key"; assign `x & 1U`
    std::uint32_t sa : 31 = 0;      ///< the SA it arrived through, 0 in clear; assign `x & 0x7fff'ffffU`

    /// Key, K bit and SA as one number.
    [[nodiscard]] std::uint64_t tail() const noexcept {
        std::uint64_t number = 0;
        std::memcpy(&number, reinterpret_cast<const char*>(this) + 32, sizeof(number));
        return number;
    }
    /// In one store: tail() of an identity just filled in field by field would wait for the fields to reach the cache.
    void set_tail(std::uint32_t new_key, bool keyed, std::uint32_t new_sa) noexcept {
        const auto number = std::uint64_t{new_key} | std::uint64_t{(keyed ? 1U : 0U) | new_sa << 1U} << 32U;
        std::memcpy(reinterpret_cast<char*>(this) + 32, &number, sizeof(number));
    }
    /// Without a branch per field.
    [[gnu::always_inline]] bool operator==(const TunnelIdentity& other) const noexcept {
        return ((local_high ^ other.local_high) | (local_low ^ other.local_low) | (remote_high ^ other.remote_high) |
                (remote_low ^ other.remote_low) | (tail() ^ other.tail())) == 0;
    }
};
static_assert(sizeof(TunnelIdentity) == 40);

/// The low half of an IPv4 address as TunnelIdentity holds it; the high half is 0.
constexpr std::uint64_t mapped(Ip4 address) noexcept {
    return std::uint64_t{0xffff'0000'0000} | address.value;
}

/// A hash table whose buckets are one cache line: eight tags, compared at once, and eight places in the entries. A
/// tunnel is in its bucket or nowhere: the constructor tries seeds, and then more buckets, until no bucket overflows.
/// So a look-up costs the same whatever a hostile sender puts into the headers. Immutable once built; read by any
/// thread.
template <class Payload>
class TunnelTable {
  public:
    struct alignas(64) Entry {
        TunnelIdentity identity;
        Payload payload;
    };
    static_assert(sizeof(Payload) > 24 || sizeof(Entry) == 64);

    TunnelTable() : TunnelTable(std::span<const Entry>{}) {}

    /// Throws std::invalid_argument if two entries have the same identity, or one has a key and not has_key.
    explicit TunnelTable(std::span<const Entry> entries) : entries_(entries.begin(), entries.end()) {
        for (const auto& entry : entries_) {
            if (entry.identity.has_key == 0 && entry.identity.key != 0) {
                throw std::invalid_argument("a tunnel without a key has key 0");
            }
        }
        // Places of empty tags lead to entry 0; without entries, to one that matches nothing as no identity is like it.
        if (entries_.empty()) { entries_.push_back({.identity = {.key = 1}, .payload = {}}); }
        for (auto buckets = std::bit_ceil((entries_.size() / 2) + 1);; buckets *= 2) {
            for (unsigned tries = 0; tries < 8; ++tries) {
                ++seed_;
                if (fill(entries.size(), buckets)) { return; }
            }
        }
    }

    /// The tunnel, or nullptr.
    [[nodiscard]] const Entry* find(const TunnelIdentity& identity) const noexcept {
        const auto* entry = candidate(hash(identity));
        return entry != nullptr && entry->identity == identity ? entry : nullptr;
    }

    /// The same in steps, for a burst: hash all, prefetch_index() all, candidate() all and prefetch what it returns,
    /// then compare candidate->identity.
    [[nodiscard, gnu::always_inline]] std::uint64_t hash(const TunnelIdentity& identity) const noexcept {
        return fold(identity.local_high ^ mix_[0], identity.local_low ^ mix_[1]) ^
               fold(identity.remote_high ^ mix_[2], identity.remote_low ^ mix_[3]) ^
               fold(identity.tail() ^ mix_[4], mix_[5]);
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

    /// Both halves of the product, so that every bit of either factor reaches every bit of the result.
    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
        __extension__ using Product = unsigned __int128;
        const auto product = Product{a} * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    }

    /// False if a bucket overflows or two entries cannot be told apart by tag.
    bool fill(std::size_t count, std::size_t buckets) {
        for (std::uint64_t i = 0; i < 6; ++i) {
            const auto state = ((seed_ * 6) + i + 1) * 0x9e37'79b9'7f4a'7c15U;  // odd steps of a Weyl sequence
            mix_[i] = fold(state, 0xd6e8'feb8'6659'fd93U) | 1U;
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
                throw std::invalid_argument("two tunnels have the same identity");
            }
            bucket.tag[places] = tag(sum);
            bucket.place[places++] = static_cast<std::uint32_t>(i);
        }
        return true;
    }

    std::vector<Entry> entries_;
    std::vector<Bucket> buckets_;
    std::uint64_t mask_ = 0;
    std::uint64_t mix_[6] = {};
    std::uint64_t seed_ = 0;
    std::size_t size_ = 0;
};

}  // namespace peerlane::table
