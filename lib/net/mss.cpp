#include "lib/net/mss.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kEndOfOptions = 0;
constexpr std::uint8_t kNoOperation = 1;
constexpr std::uint8_t kMss = 2;

// The checksum sums 16-bit words; a word at an odd offset spans two of them, and swapping its octets accounts for that.
constexpr std::uint16_t swap(std::uint16_t word) noexcept {
    return __builtin_bswap16(word);
}

}  // namespace

bool clamp_mss(std::uint8_t* segment, unsigned length, unsigned ip_header, unsigned mtu) noexcept {
    if (length < sizeof(Tcp)) { return false; }
    auto& tcp = *reinterpret_cast<Tcp*>(segment);
    const unsigned header = (tcp.data_offset >> 4U) * 4U;
    if ((tcp.flags & Tcp::kSyn) == 0 || header > length || mtu <= ip_header + sizeof(Tcp)) { return false; }
    const auto limit = static_cast<std::uint16_t>(mtu - ip_header - sizeof(Tcp));
    for (unsigned at = sizeof(Tcp); at < header && segment[at] != kEndOfOptions;) {
        if (segment[at] == kNoOperation) {
            ++at;
            continue;
        }
        if (at + 2 > header || segment[at + 1] < 2 || at + segment[at + 1] > header) { return false; }
        if (segment[at] == kMss && segment[at + 1] == 4) {
            auto& option = *reinterpret_cast<Be16*>(segment + at + 2);
            const auto from = option.get();
            if (from <= limit) { return false; }
            option.set(limit);
            const bool odd = at % 2 != 0;
            tcp.checksum.set(checksum_update(tcp.checksum.get(), odd ? swap(from) : from, odd ? swap(limit) : limit));
            return true;
        }
        at += segment[at + 1];
    }
    return false;
}

}  // namespace peerlane
