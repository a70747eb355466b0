// kRight with ESP around its first tunnel.
#pragma once

#include <string>

#include "tests/unit/config_case.hpp"

namespace peerlane::config::test {

// 20 octets each, told apart by their first: key and salt of aes-gcm-128.
inline constexpr std::string_view kKeyA = "a1f0c3d2e5b4978689fa1b2c3d4e5f60718293a4";
inline constexpr std::string_view kKeyB = "b2f0c3d2e5b4978689fa1b2c3d4e5f60718293a4";
inline constexpr std::string_view kKeyC = "c3f0c3d2e5b4978689fa1b2c3d4e5f60718293a4";
inline constexpr std::string_view kKeyD = "d4f0c3d2e5b4978689fa1b2c3d4e5f60718293a4";

inline const Edit kOneWorker{1, "edge: { name: e1 }"};

/// Line 22 or 38 (the tunnels), and `lines` of the mapping `ipsec` behind it: they begin on line 24, or 40.
inline Edit ipsec(const std::string& lines, int line = 22, const std::string& ends = "") {
    std::string result = line == 22 ? "                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 1 }"
                                    : "                tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: 2 }";
    if (!ends.empty()) result = "                tunnel: { " + ends + " }";
    result += "\n                ipsec:";
    std::size_t from = 0;
    while (from < lines.size()) {
        const std::size_t end = std::min(lines.find('\n', from), lines.size());
        result += "\n                  " + lines.substr(from, end - from);
        from = end + 1;
    }
    return {line, result};
}

/// Lines 24 to 26: suite, outbound and inbound.
inline std::string sas(std::string_view out, std::string_view in, const std::string& suite = "aes-gcm-128") {
    return "suite: " + suite + "\noutbound: { spi: 0x1001, key: " + std::string(out) +
           " }\ninbound: { spi: 0x2001, key: " + std::string(in) + " }";
}

}  // namespace peerlane::config::test
