#include "dataplane/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>

#include "config/derive.hpp"
#include "config/load.hpp"
#include "dataplane/capture.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/control/findings.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/print.hpp"
#include "dataplane/pipeline/run.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::dataplane {
namespace {

struct Source {
    std::uint8_t port;
    CaptureReader capture;
};

class Replay {
  public:
    Replay(const config::Model& model, const ReplayOptions& options)
        : pool_(make_pool("replay", kBuffers, kLongest, 0)),
          state_(1),
          snapshot_(compile(model, state_, nullptr, {})),
          worker_(std::make_unique<Worker>(state_, *state_.workers[0], pool_, table::best_kernels(), kFixedIvSeed)) {
        worker_->snapshot = snapshot_.get();
        set_limits(*snapshot_, state_, 0, false);
        for (const auto& input : options.inputs) {
            sources_.push_back({port_index(input.port), CaptureReader(input.file)});
        }
        make_directory(options.out_dir);
        for (const auto& port : snapshot_->ports) { refuse_overwrite(options, port.name + ".pcap"); }
        for (const auto& port : snapshot_->ports) { outputs_.emplace_back(options.out_dir / (port.name + ".pcap")); }
    }

    void run() {
        while (Source* source = earliest()) { run_burst(*source); }
        for (auto& output : outputs_) { output.close(); }
    }

    [[nodiscard]] const Snapshot& snapshot() const { return *snapshot_; }
    [[nodiscard]] const State& state() const { return state_; }
    [[nodiscard]] Nanoseconds last() const { return last_; }
    [[nodiscard]] Nanoseconds elapsed() const { return first_ ? last_ - *first_ : 0; }

  private:
    static constexpr unsigned kBuffers = 1024;
    static constexpr std::uint16_t kLongest = 65'000;  // longer frames are cut, and so end as truncated

    std::uint8_t port_index(const std::string& name) const {
        for (std::size_t i = 0; i < snapshot_->ports.size(); ++i) {
            if (snapshot_->ports[i].name == name) { return static_cast<std::uint8_t>(i); }
        }
        std::string known;
        for (const auto& port : snapshot_->ports) { known += (known.empty() ? "" : ", ") + port.name; }
        throw std::runtime_error("--in " + name + "=…: the configuration has no port of that name, only " + known);
    }

    static void make_directory(const std::filesystem::path& directory) {
        std::error_code error;
        std::filesystem::create_directories(directory, error);
        if (error) { throw std::runtime_error("--out-dir " + directory.string() + ": " + error.message()); }
    }

    /// An output that is also an input would be emptied before it is read.
    static void refuse_overwrite(const ReplayOptions& options, const std::string& name) {
        std::error_code none;
        for (const auto& input : options.inputs) {
            for (const auto& output : {options.out_dir / name, options.json}) {
                if (!std::filesystem::equivalent(input.file, output, none)) { continue; }
                throw std::runtime_error("--in " + input.port + "=" + input.file.string() +
                                         " would be overwritten by an output; name another --out-dir or --json");
            }
        }
    }

    Source* earliest() {
        Source* best = nullptr;
        for (auto& source : sources_) {
            if (!source.capture.more()) { continue; }
            if (best == nullptr || source.capture.time() < best->capture.time()) { best = &source; }
        }
        return best;
    }

    /// One input's packets of one time, up to a burst.
    void run_burst(Source& source) {
        const Nanoseconds now = source.capture.time();
        if (!first_) { first_ = now; }
        last_ = std::max(last_, now);
        first_ = std::min(*first_, now);
        std::uint32_t count = 0;
        while (count < kBurst && source.capture.more() && source.capture.time() == now) {
            worker_->burst.mbuf[count++] = buffer(source.capture.frame());
            source.capture.next();
        }
        dataplane::run(*worker_, source.port, now, count);
        for (std::uint32_t slot = 0; slot < kBurst; ++slot) {
            emit(worker_->burst, slot, now);
            for (auto& pieces : worker_->pieces) { emit(pieces, slot, now); }
            emit(worker_->replies, slot, now);
        }
        finish_all(*worker_);
    }

    rte_mbuf* buffer(std::span<const std::uint8_t> frame) {
        auto* mbuf = rte_pktmbuf_alloc(pool_);
        if (mbuf == nullptr) { throw std::runtime_error("packet buffers were lost"); }
        const auto length = std::min<std::size_t>(frame.size(), rte_pktmbuf_tailroom(mbuf));
        std::copy_n(frame.begin(), length, rte_pktmbuf_mtod(mbuf, std::uint8_t*));
        mbuf->data_len = static_cast<std::uint16_t>(length);
        mbuf->pkt_len = static_cast<std::uint32_t>(length);
        return mbuf;
    }

    void emit(Burst& burst, std::uint32_t slot, Nanoseconds now) {
        if (slot >= burst.count || burst.mbuf[slot] == nullptr || burst.fate[slot] != Fate::sent) { return; }
        auto* mbuf = burst.mbuf[slot];
        const auto port = burst.out_port[slot];
        outputs_[port].write(now, {rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len});
        bump(worker_->counters.ports[port].transmitted);
        rte_pktmbuf_free(mbuf);
    }

    rte_mempool* pool_;
    State state_;
    std::unique_ptr<Snapshot> snapshot_;
    std::unique_ptr<Worker> worker_;
    std::vector<Source> sources_;
    std::vector<CaptureWriter> outputs_;
    std::optional<Nanoseconds> first_;
    Nanoseconds last_ = 0;
};

/// Before the work that would be lost: whether the file can be written to.
void check_writable(const std::filesystem::path& file) {
    if (file.empty() || file == "-") { return; }
    if (!std::ofstream(file, std::ios::app)) {
        throw std::runtime_error("--json " + file.string() + ": " + std::strerror(errno) +
                                 "; name a file that can be written");
    }
}

void write_json(const std::filesystem::path& file, const nlohmann::ordered_json& json) {
    if (file == "-") {
        print(json.dump(2) + '\n');
        return;
    }
    std::ofstream out(file);
    out << json.dump(2) << '\n';
    out.flush();
    if (!out) { throw std::runtime_error(file.string() + ": cannot be written"); }
}

}  // namespace

int replay(const ReplayOptions& options) {
    const auto loaded = config::load(options.config);
    std::cerr << to_text(loaded.findings);
    if (!loaded.ok()) { return 1; }
    bool seals = false;
    config::each_network(loaded.model,
                         [&](const config::VirtualNetwork& network) { seals |= network.ipsec.has_value(); });
    if (seals) {
        std::cerr
            << "warning: replay seals from sequence number 1 on: with keys that are in use elsewhere the output must "
               "not leave this host\n";
    }
    ipsec::allow_unlocked();
    start_eal(private_memory(256));
    Replay edge(loaded.model, options);
    check_writable(options.json);  // which may be in the directory just made
    edge.run();
    if (!options.json.empty()) { write_json(options.json, counters_json(edge.snapshot(), edge.state(), edge.last())); }
    if (options.json != "-") { print(summary(edge.snapshot(), edge.state(), edge.elapsed())); }
    return 0;
}

}  // namespace peerlane::dataplane
