#include "dataplane/pcapng.hpp"

#include <pcap/pcap.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace peerlane::dataplane {
namespace {

constexpr std::uint32_t kSection = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1, kObsoletePacket = 2, kSimplePacket = 3, kEnhancedPacket = 6;
constexpr std::uint32_t kOrder = 0x1a2b3c4d;
constexpr std::uint32_t kLongestBlock = 16U << 20U;
constexpr std::uint16_t kEthernet = 1;

std::uint32_t load32(const std::uint8_t* at, bool swapped) noexcept {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof(value));
    return swapped ? __builtin_bswap32(value) : value;
}

/// Option if_tsresol: a power of ten, or of two where the highest bit is set.
std::uint64_t units_of(std::uint8_t resolution) noexcept {
    const unsigned power = resolution & 0x7fU;
    if ((resolution & 0x80U) != 0) { return power < 63 ? std::uint64_t{1} << power : std::uint64_t{1} << 62U; }
    std::uint64_t units = 1;
    for (unsigned i = 0; i < std::min(power, 18U); ++i) { units *= 10; }
    return units;
}

}  // namespace

std::string link_type_name(unsigned link_type) {
    // libpcap's names are of DLT values, which differ from those in files for raw IP only.
    const char* name = pcap_datalink_val_to_name(link_type == 101 ? DLT_RAW : static_cast<int>(link_type));
    return (name == nullptr ? std::string("link type") : std::string(name)) + " (" + std::to_string(link_type) + ")";
}

bool PcapngReader::is_pcapng(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) { return false; }
    const std::unique_ptr<std::FILE, Close> opened(std::fopen(file.c_str(), "rb"));
    std::uint32_t type = 0;
    return opened && std::fread(&type, sizeof(type), 1, opened.get()) == 1 && type == kSection;
}

PcapngReader::PcapngReader(const std::filesystem::path& file) : file_(std::fopen(file.c_str(), "rb")) {
    if (!file_) { throw std::runtime_error(file.string() + ": " + std::strerror(errno)); }
}

bool PcapngReader::next() {
    std::uint32_t type = 0;
    while (read_block(type)) {
        if (type == kInterface) {
            add_interface();
        } else if (type == kEnhancedPacket || type == kSimplePacket || type == kObsoletePacket) {
            if (take_packet(type)) { return true; }
            if (!error_.empty()) { return false; }
        }
    }
    return false;
}

bool PcapngReader::fail(const char* why) {
    error_ = why;
    return false;
}

/// The byte order of a new section is in its body. Takes back what was read of the body.
bool PcapngReader::read_section(std::uint8_t (&head)[8]) {
    std::uint8_t order[4];
    if (std::fread(order, sizeof(order), 1, file_.get()) != 1) { return fail("truncated section header"); }
    std::fseek(file_.get(), -static_cast<long>(sizeof(order)), SEEK_CUR);
    swapped_ = load32(order, false) != kOrder;
    if (load32(order, swapped_) != kOrder) { return fail("bad byte order in a section header"); }
    interfaces_.clear();
    return load32(head + 4, swapped_) >= 28 || fail("bad length of a section header");
}

/// False at the end of the file, and where it is damaged.
bool PcapngReader::read_block(std::uint32_t& type) {
    std::uint8_t head[8];
    const auto got = std::fread(head, 1, sizeof(head), file_.get());
    if (got == 0) { return false; }
    if (got != sizeof(head)) { return fail("truncated block header"); }
    type = load32(head, swapped_);
    if (load32(head, false) == kSection) {
        if (!read_section(head)) { return false; }
        type = kSection;
    }
    const std::uint32_t length = load32(head + 4, swapped_);
    if (length < 12 || length % 4 != 0 || length > kLongestBlock) { return fail("bad block length"); }
    body_.resize(length - 8);
    if (std::fread(body_.data(), 1, body_.size(), file_.get()) != body_.size()) { return fail("truncated block"); }
    if (load32(body_.data() + body_.size() - 4, swapped_) != length) { return fail("block lengths do not match"); }
    body_.resize(body_.size() - 4);
    return true;
}

std::uint16_t PcapngReader::get16(std::size_t at) const noexcept {
    std::uint16_t value;
    std::memcpy(&value, &body_[at], sizeof(value));
    return swapped_ ? __builtin_bswap16(value) : value;
}
std::uint32_t PcapngReader::get32(std::size_t at) const noexcept {
    return load32(&body_[at], swapped_);
}

void PcapngReader::add_interface() {
    constexpr std::uint16_t kResolution = 9, kOffset = 14;
    if (body_.size() < 8) { return; }
    Interface interface{.link_type = get16(0), .snap_length = get32(4)};
    for (std::size_t at = 8; at + 4 <= body_.size();) {
        const auto code = get16(at);
        const std::size_t length = get16(at + 2);
        at += 4;
        if (code == 0 || length > body_.size() - at) { break; }
        if (code == kResolution && length == 1) { interface.units = units_of(body_[at]); }
        if (code == kOffset && length == 8) {
            const std::uint64_t first = get32(at);
            const std::uint64_t second = get32(at + 4);
            const bool little = (std::endian::native == std::endian::little) != swapped_;
            interface.offset = static_cast<std::int64_t>(little ? second << 32U | first : first << 32U | second);
        }
        at += (length + 3) & ~std::size_t{3};
    }
    interfaces_.push_back(interface);
}

Nanoseconds PcapngReader::time_of(const Interface& interface, std::uint64_t stamp) const noexcept {
    __extension__ using Wide = __int128;
    const Wide time = static_cast<Wide>(stamp) * kNanosecondsPerSecond / interface.units +
                      static_cast<Wide>(interface.offset) * static_cast<Wide>(kNanosecondsPerSecond);
    return static_cast<Nanoseconds>(std::clamp<Wide>(time, 0, static_cast<Wide>(INT64_MAX)));
}

/// True if it is an Ethernet frame.
bool PcapngReader::take_packet(std::uint32_t type) {
    const bool simple = type == kSimplePacket;
    const std::size_t header = simple ? 4 : 20;
    if (body_.size() < header) { return fail("truncated packet block"); }
    const std::uint32_t index = simple ? 0 : type == kObsoletePacket ? get16(0) : get32(0);
    if (index >= interfaces_.size()) { return fail("a packet of an interface that is not described"); }
    const Interface& interface = interfaces_[index];
    std::size_t length = get32(simple ? 0 : 12);
    if (simple) {
        if (interface.snap_length != 0) { length = std::min<std::size_t>(length, interface.snap_length); }
        length = std::min(length, body_.size() - header);
    }
    if (length > body_.size() - header) { return fail("a packet longer than its block"); }
    if (interface.link_type != kEthernet) {
        ++skipped_;
        const auto name = link_type_name(interface.link_type);
        if (skipped_types_.find(name) == std::string::npos) {
            skipped_types_ += (skipped_types_.empty() ? "" : ", ") + name;
        }
        return false;
    }
    if (!simple) { time_ = time_of(interface, std::uint64_t{get32(4)} << 32U | get32(8)); }
    frame_ = {body_.data() + header, length};
    return true;
}

}  // namespace peerlane::dataplane
