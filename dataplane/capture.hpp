// Capture files: pcap by libpcap and pcapng in, with times of any resolution; nanosecond pcap out.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/pcapng.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Reads Ethernet frames in file order. Throws std::runtime_error (what, which file) if nothing in it can be used: it
/// is not a capture, it has no Ethernet interface, or its first packet is damaged. A file cut short later is warned of
/// on standard error and ends there; so are packets of a pcapng's other interfaces, which are skipped.
class CaptureReader {
  public:
    explicit CaptureReader(const std::filesystem::path& file);

    /// The frame to be taken next; false at the end of the file.
    [[nodiscard]] bool more() const noexcept { return frame_ != nullptr; }
    [[nodiscard]] Nanoseconds time() const noexcept { return time_; }
    [[nodiscard]] std::span<const std::uint8_t> frame() const noexcept { return {frame_, length_}; }
    void next();

  private:
    struct Close {
        void operator()(pcap_t* handle) const noexcept { pcap_close(handle); }
    };
    void next_of_pcapng();
    void damaged(const std::string& why) const;

    std::filesystem::path file_;
    std::unique_ptr<pcap_t, Close> handle_;  // or pcapng_
    std::optional<PcapngReader> pcapng_;
    bool any_ = false;  // some frame was read
    const std::uint8_t* frame_ = nullptr;
    std::size_t length_ = 0;
    Nanoseconds time_ = 0;
};

/// Writes frames. close() tells whether all of it reached the file.
class CaptureWriter {
  public:
    explicit CaptureWriter(const std::filesystem::path& file);

    void write(Nanoseconds time, std::span<const std::uint8_t> frame);
    /// Throws std::runtime_error if anything could not be written.
    void close();

  private:
    struct Close {
        void operator()(pcap_t* handle) const noexcept { pcap_close(handle); }
        void operator()(pcap_dumper_t* dumper) const noexcept { pcap_dump_close(dumper); }
    };
    std::filesystem::path file_;
    std::unique_ptr<pcap_t, Close> handle_;
    std::unique_ptr<pcap_dumper_t, Close> dumper_;
};

}  // namespace peerlane::dataplane
