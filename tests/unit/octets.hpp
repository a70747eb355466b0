// Packets as octets: from hex, and copies that end where AddressSanitizer looks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace peerlane {

using Octets = std::vector<std::uint8_t>;

/// Two hex digits an octet; blanks between octets do not count.
inline Octets from_hex(std::string_view text) {
    Octets octets;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == ' ') {
            ++at;
            continue;
        }
        const std::string pair(text.substr(at, 2));
        std::size_t used = 0;
        octets.push_back(static_cast<std::uint8_t>(std::stoul(pair, &used, 16)));
        if (used != 2) { throw std::invalid_argument(pair); }
        at += 2;
    }
    return octets;
}

/// The first `length` octets at an odd address, in memory of their own that ends with the last of them.
class Cut {
  public:
    Cut(const Octets& octets, std::size_t length) : memory_(new std::uint8_t[length + 1]) {
        std::copy_n(octets.begin(), length, memory_.get() + 1);
    }
    [[nodiscard]] const std::uint8_t* data() const { return memory_.get() + 1; }

  private:
    std::unique_ptr<std::uint8_t[]> memory_;
};

}  // namespace peerlane
