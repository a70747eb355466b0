#include "lib/net/reply_options.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kEnd = 0, kNothing = 1, kRecordRoute = 7, kTimestamp = 68;
constexpr std::uint32_t kNoStandardTime = 0x8000'0000;

void put(std::uint8_t* at, std::uint32_t value) noexcept {
    reinterpret_cast<Be32*>(at)->set(value);
}

/// The pointer of an option counts from 1 and says where the next entry goes.
void record_route(std::uint8_t* option, unsigned size, std::uint32_t own) noexcept {
    constexpr unsigned kFirst = 4, kEntry = 4;
    const unsigned pointer = option[2];
    if (pointer < kFirst || pointer - 1 + kEntry > size) { return; }
    put(option + pointer - 1, own);
    option[2] = static_cast<std::uint8_t>(pointer + kEntry);
}

void record_time(std::uint8_t* option, unsigned size, std::uint32_t own, std::uint32_t time) noexcept {
    constexpr unsigned kFirst = 5;
    enum : std::uint8_t { times = 0, addresses = 1, asked = 3 };
    const unsigned flag = option[3] & 0x0fU;
    const unsigned pointer = option[2];
    if ((flag != times && flag != addresses && flag != asked) || pointer < kFirst) { return; }
    const unsigned entry = flag == times ? 4 : 8;
    if (pointer - 1 + entry > size) {
        const unsigned missed = option[3] >> 4U;
        if (flag != asked && missed < 15) { option[3] = static_cast<std::uint8_t>((missed + 1U) << 4U | flag); }
        return;
    }
    auto* at = option + pointer - 1;
    if (flag == asked && reinterpret_cast<const Be32*>(at)->get() != own) { return; }
    if (flag != times) { put(at, own); }
    put(at + entry - 4, time | kNoStandardTime);
    option[2] = static_cast<std::uint8_t>(pointer + entry);
}

}  // namespace

unsigned reply_options(const Ipv4& request, std::uint32_t own, std::uint32_t time, std::uint8_t* out) noexcept {
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&request);
    const unsigned end = request.header_length();
    unsigned length = 0;
    for (unsigned at = sizeof(Ipv4); at < end && octets[at] != kEnd;) {
        if (octets[at] == kNothing) {
            ++at;
            continue;
        }
        const unsigned size = at + 1 < end ? octets[at + 1] : 0;
        if (size < 2 || at + size > end) { break; }
        const bool route = octets[at] == kRecordRoute && size >= 3;
        const bool times = octets[at] == kTimestamp && size >= 4;
        if (route || times) {
            std::memcpy(out + length, octets + at, size);
            if (route) { record_route(out + length, size, own); }
            if (times) { record_time(out + length, size, own, time); }
            length += size;
        }
        at += size;
    }
    for (; length % 4 != 0; ++length) { out[length] = kEnd; }
    return length;
}

}  // namespace peerlane
