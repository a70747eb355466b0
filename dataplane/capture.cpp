#include "dataplane/capture.hpp"

#include <cerrno>
#include <cstring>
#include <iostream>
#include <stdexcept>

namespace peerlane::dataplane {
namespace {

constexpr int kSnapLength = 262'144;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& why) {
    // libpcap names the file in some of its messages.
    throw std::runtime_error(why.starts_with(file.string()) ? why : file.string() + ": " + why);
}

}  // namespace

CaptureReader::CaptureReader(const std::filesystem::path& file) : file_(file) {
    if (PcapngReader::is_pcapng(file)) {
        pcapng_.emplace(file);
        next();
        return;
    }
    char error[PCAP_ERRBUF_SIZE]{};
    handle_.reset(pcap_open_offline_with_tstamp_precision(file.c_str(), PCAP_TSTAMP_PRECISION_NANO, error));
    if (!handle_) { fail(file, error); }
    if (const int type = pcap_datalink(handle_.get()); type != DLT_EN10MB) {
        const char* name = pcap_datalink_val_to_name(type);
        fail(file, std::string("not a capture of Ethernet frames but of ") +
                       (name == nullptr ? "link type " + std::to_string(type) : name) +
                       "; capture on an Ethernet interface, not on `any`");
    }
    next();
}

/// A capture whose writer was stopped ends in the middle of a packet; the whole ones are as good as any.
void CaptureReader::damaged(const std::string& why) const {
    if (!any_) { fail(file_, why + "; no packet can be read"); }
    std::cerr << "warning: " << file_.string() << ": " << why << "; the packets before that are used\n";
}

void CaptureReader::next_of_pcapng() {
    frame_ = nullptr;
    if (pcapng_->next()) {
        any_ = true;
        frame_ = pcapng_->frame().data();
        length_ = pcapng_->frame().size();
        time_ = pcapng_->time();
        return;
    }
    if (!pcapng_->error().empty()) { damaged(pcapng_->error()); }
    if (pcapng_->skipped() == 0) { return; }
    const auto what = std::to_string(pcapng_->skipped()) + " packets are not Ethernet but " + pcapng_->skipped_types();
    if (!any_) { fail(file_, what + "; no packet can be replayed: capture on an Ethernet interface"); }
    std::cerr << "warning: " << file_.string() << ": " << what << "; they are skipped\n";
}

void CaptureReader::next() {
    if (pcapng_) { return next_of_pcapng(); }
    pcap_pkthdr* header = nullptr;
    const int got = pcap_next_ex(handle_.get(), &header, &frame_);
    if (got == PCAP_ERROR) { damaged(pcap_geterr(handle_.get())); }
    if (got != 1) {
        frame_ = nullptr;
        return;
    }
    any_ = true;
    length_ = header->caplen;
    time_ = static_cast<std::uint64_t>(header->ts.tv_sec) * kNanosecondsPerSecond +
            static_cast<std::uint64_t>(header->ts.tv_usec);
}

CaptureWriter::CaptureWriter(const std::filesystem::path& file)
    : file_(file), handle_(pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO)) {
    dumper_.reset(pcap_dump_open(handle_.get(), file.c_str()));
    if (!dumper_) { fail(file, pcap_geterr(handle_.get())); }
}

void CaptureWriter::write(Nanoseconds time, std::span<const std::uint8_t> frame) {
    pcap_pkthdr header{};
    header.ts.tv_sec = static_cast<time_t>(time / kNanosecondsPerSecond);
    header.ts.tv_usec =
        static_cast<suseconds_t>(time % kNanosecondsPerSecond);  // nanoseconds, by the handle's precision
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
