// Frames for the XDP program, put together octet by octet.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "lib/base/address.hpp"

namespace peerlane::steer {

inline void put(std::vector<std::uint8_t>& frame, std::uint64_t value, unsigned octets) {
    while (octets-- > 0) { frame.push_back(static_cast<std::uint8_t>(value >> (8 * octets))); }
}
inline void put(std::vector<std::uint8_t>& frame, const Ip6& address) {
    put(frame, address.high, 8);
    put(frame, address.low, 8);
}

/// Ethernet with (TPID, TCI) tags, then `type`; filled up to `length` octets.
inline std::vector<std::uint8_t> ethernet(std::initializer_list<std::pair<std::uint16_t, std::uint16_t>> tags,
                                          std::uint16_t type, std::size_t length = 60) {
    std::vector<std::uint8_t> frame;
    put(frame, 0x0200'0000'00a0, 6);
    put(frame, 0x0200'0000'0101, 6);
    for (const auto& [tpid, tci] : tags) {
        put(frame, tpid, 2);
        put(frame, tci, 2);
    }
    put(frame, type, 2);
    frame.resize(length, 0);
    return frame;
}

inline std::vector<std::uint8_t> start(std::uint16_t type) {
    return ethernet({}, type, 14);
}

inline std::vector<std::uint8_t> ip4(std::uint32_t target) {
    auto frame = start(0x0800);
    put(frame, 0x4500'0028'0000'4000, 8);
    put(frame, 0x402f'0000, 4);
    put(frame, 0xc633'6407, 4);
    put(frame, target, 4);
    frame.resize(60, 0);
    return frame;
}

/// `operation` 1: request, 2: reply.
inline std::vector<std::uint8_t> arp(unsigned operation, std::uint32_t sender, std::uint32_t target) {
    auto frame = start(0x0806);
    put(frame, 0x0001'0800'0604, 6);
    put(frame, operation, 2);
    put(frame, 0x0200'0000'00fe, 6);
    put(frame, sender, 4);
    put(frame, 0, 6);
    put(frame, target, 4);
    frame.resize(60, 0);
    return frame;
}

inline std::vector<std::uint8_t> ip6(const Ip6& target, std::uint8_t next, std::size_t payload = 20) {
    auto frame = start(0x86dd);
    put(frame, 0x6000'0000, 4);
    put(frame, payload, 2);
    put(frame, next, 1);
    put(frame, 255, 1);
    put(frame, Ip6{0xfe80'0000'0000'0000, 0xfe});
    put(frame, target);
    frame.resize(54 + payload, 0);
    return frame;
}

/// RFC 4861 §4.3 and §4.4: `type` 135 is a solicitation, 136 an advertisement.
inline std::vector<std::uint8_t> discovery(std::uint8_t type, const Ip6& destination, const Ip6& target) {
    auto frame = ip6(destination, 58, 0);
    put(frame, type, 1);
    put(frame, 0, 7);
    put(frame, target);
    return frame;
}

/// RFC 4291 §2.7.1.
inline Ip6 solicited_node(const Ip6& address) {
    return {0xff02'0000'0000'0000, 0x0000'0001'ff00'0000 | (address.low & 0xff'ffff)};
}

}  // namespace peerlane::steer
