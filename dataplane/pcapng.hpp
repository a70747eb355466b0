// Reads pcapng files (draft-ietf-opsawg-pcapng) whose interfaces differ, which libpcap refuses: the Ethernet frames are
// read, what other interfaces captured is skipped and counted.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

inline constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

class PcapngReader {
  public:
    /// True if `file` is a regular file that begins with a section header block.
    static bool is_pcapng(const std::filesystem::path& file);

    /// Throws std::runtime_error if the file cannot be opened.
    explicit PcapngReader(const std::filesystem::path& file);

    /// Goes on to the next Ethernet frame. False: there is none; error() says whether the file is damaged there.
    bool next();
    [[nodiscard]] std::span<const std::uint8_t> frame() const noexcept { return frame_; }
    /// Of that frame, since the epoch. A Simple Packet Block has no time: it takes that of the packet before it.
    [[nodiscard]] Nanoseconds time() const noexcept { return time_; }
    /// What is wrong with the file; empty: nothing so far.
    [[nodiscard]] const std::string& error() const noexcept { return error_; }
    /// Packets passed over so far because their interface is not Ethernet, and the names of those link types.
    [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
    [[nodiscard]] const std::string& skipped_types() const noexcept { return skipped_types_; }

  private:
    struct Interface {
        std::uint16_t link_type = 0;
        std::uint32_t snap_length = 0;    // 0: none
        std::uint64_t units = 1'000'000;  // of a time stamp, in a second
        std::int64_t offset = 0;          // seconds
    };
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    bool read_block(std::uint32_t& type);
    bool read_section(std::uint8_t (&head)[8]);
    bool fail(const char* why);
    void add_interface();
    bool take_packet(std::uint32_t type);
    [[nodiscard]] std::uint16_t get16(std::size_t at) const noexcept;
    [[nodiscard]] std::uint32_t get32(std::size_t at) const noexcept;
    [[nodiscard]] Nanoseconds time_of(const Interface& interface, std::uint64_t stamp) const noexcept;

    std::unique_ptr<std::FILE, Close> file_;
    bool swapped_ = false;               // the section's byte order is not ours
    std::vector<std::uint8_t> body_;     // of the block read last
    std::vector<Interface> interfaces_;  // of the section
    std::span<const std::uint8_t> frame_;
    Nanoseconds time_ = 0;
    std::string error_;
    std::uint64_t skipped_ = 0;
    std::string skipped_types_;
};

/// The name of a link type of pcap and pcapng files (LINKTYPE_…), with its number.
std::string link_type_name(unsigned link_type);

}  // namespace peerlane::dataplane
