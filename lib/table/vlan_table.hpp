// Which attachment a frame's VLAN tags mean, per access port.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace peerlane::table {

inline constexpr std::uint32_t kNoVlan = 0xffff'ffff;

/// Two array look-ups: the outer VID finds the span of inner VIDs in use behind it, the inner VID the id. Memory: 32
/// KiB per port, and four bytes for every inner VID between the lowest and the highest in use of each outer one: 16 KiB
/// at worst, for an outer VID that uses inner VIDs 1 and 4094. Immutable once built; read by any thread.
class VlanTable {
  public:
    struct Entry {
        std::uint16_t outer;  ///< S-VID, or the only tag's VID; 0 .. 4095
        std::uint16_t inner;  ///< C-VID; 0 for frames with one tag
        std::uint32_t id;     ///< anything but kNoVlan
    };

    VlanTable() = default;

    /// Throws std::invalid_argument for a VID above 4095; of two entries with the same VIDs the later one counts.
    explicit VlanTable(std::span<const Entry> entries) {
        std::array<Span, kVids> ends{};  // first .. count as first .. last + 1
        for (const auto& entry : entries) {
            if (entry.outer >= kVids || entry.inner >= kVids) { throw std::invalid_argument("a VLAN id is 0 .. 4095"); }
            auto& span = ends[entry.outer];
            if (span.count == 0) { span.first = entry.inner; }
            span.first = std::min(span.first, entry.inner);
            span.count = std::max(span.count, static_cast<std::uint16_t>(entry.inner + 1));
        }
        for (unsigned vid = 0; vid < kVids; ++vid) {
            auto& span = spans_[vid];
            span.first = ends[vid].first;
            span.count = static_cast<std::uint16_t>(ends[vid].count - ends[vid].first);
            span.base = static_cast<std::uint32_t>(ids_.size());
            ids_.resize(ids_.size() + span.count, kNoVlan);
        }
        for (const auto& entry : entries) {
            const auto& span = spans_[entry.outer];
            ids_[span.base + entry.inner - span.first] = entry.id;
        }
    }

    /// The id, or kNoVlan. `outer` may carry PCP and DEI bits above the VID; `inner` is 0 for a frame with one tag.
    [[nodiscard]] std::uint32_t find(std::uint32_t outer, std::uint32_t inner) const noexcept {
        const auto& span = spans_[outer & (kVids - 1)];
        const auto at = (inner & (kVids - 1)) - span.first;
        return ids_[at < span.count ? span.base + at : 0];
    }

    /// What it was made of, in order of the VIDs.
    [[nodiscard]] std::vector<Entry> entries() const {
        std::vector<Entry> all;
        for (unsigned outer = 0; outer < kVids; ++outer) {
            const auto& span = spans_[outer];
            for (unsigned i = 0; i < span.count; ++i) {
                const auto id = ids_[span.base + i];
                if (id == kNoVlan) { continue; }
                all.push_back({static_cast<std::uint16_t>(outer), static_cast<std::uint16_t>(span.first + i), id});
            }
        }
        return all;
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return sizeof(*this) + (ids_.capacity() * sizeof(ids_[0])); }

  private:
    static constexpr unsigned kVids = 4096;
    struct Span {
        std::uint32_t base;   // place of `first` in ids_
        std::uint16_t first;  // lowest inner VID in use
        std::uint16_t count;  // inner VIDs up to the highest in use
    };
    static_assert(sizeof(Span) == 8);

    std::array<Span, kVids> spans_{};
    std::vector<std::uint32_t> ids_{kNoVlan};  // the first one answers whatever is outside a span
};

}  // namespace peerlane::table
