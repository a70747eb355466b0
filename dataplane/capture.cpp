#include "dataplane/capture.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <stdexcept>

namespace peerlane::dataplane {
namespace {

constexpr std::uint64_t kPerSecond = 1'000'000'000;
constexpr int kSnapLength = 262'144;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& why) {
    // libpcap names the file in some of its messages.
    throw std::runtime_error(why.starts_with(file.string()) ? why : file.string() + ": " + why);
}

}  // namespace

CaptureReader::CaptureReader(const std::filesystem::path& file) : file_(file) {
    char error[PCAP_ERRBUF_SIZE]{};
    handle_.reset(pcap_open_offline_with_tstamp_precision(file.c_str(), PCAP_TSTAMP_PRECISION_NANO, error));
    if (!handle_) { fail(file, error); }
    if (pcap_datalink(handle_.get()) != DLT_EN10MB) { fail(file, "not a capture of Ethernet frames"); }
    next();
}

void CaptureReader::next() {
    pcap_pkthdr* header = nullptr;
    const int got = pcap_next_ex(handle_.get(), &header, &frame_);
    // A capture whose writer was stopped ends in the middle of a packet; the whole ones are as good as any.
    if (got == PCAP_ERROR) {
        std::cerr << "warning: " << file_.string() << ": " << pcap_geterr(handle_.get())
                  << "; the packets before that are used\n";
    }
    if (got != 1) {
        frame_ = nullptr;
        return;
    }
    length_ = header->caplen;
    time_ = static_cast<std::uint64_t>(header->ts.tv_sec) * kPerSecond + static_cast<std::uint64_t>(header->ts.tv_usec);
}

CaptureWriter::CaptureWriter(const std::filesystem::path& file)
    : file_(file), handle_(pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO)) {
    dumper_.reset(pcap_dump_open(handle_.get(), file.c_str()));
    if (!dumper_) { fail(file, pcap_geterr(handle_.get())); }
}

void CaptureWriter::write(Nanoseconds time, std::span<const std::uint8_t> frame) {
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(time / kPerSecond);
    header.ts.tv_usec = static_cast<suseconds_t>(time % kPerSecond);  // nanoseconds, by the handle's precision
    header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
    pcap_dump(reinterpret_cast<u_char*>(dumper_.get()), &header, frame.data());
}

void CaptureWriter::close() {
    const bool flushed = pcap_dump_flush(dumper_.get()) == 0 && std::ferror(pcap_dump_file(dumper_.get())) == 0;
    const int error = errno;
    dumper_.reset();
    if (!flushed) { fail(file_, std::strerror(error)); }
}

}  // namespace peerlane::dataplane
