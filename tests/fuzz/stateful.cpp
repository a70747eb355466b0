// A whole edge and its life: packets on two workers, time, reloads that swap tags, keys and SAs, refused ones among
// them, crashes, orderly ends, a disk that fails. The input is read as operations; what must always hold is asserted
// after each.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "dataplane/io/failure.hpp"
#include "tests/fuzz/disk.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/ledger.hpp"
#include "tests/fuzz/life.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/traffic.hpp"

namespace peerlane::fuzz {
namespace {

namespace fs = std::filesystem;
using namespace dataplane;

constexpr unsigned kOperations = 64;

class Story {
  public:
    Story(Input& input, const fs::path& root) : input_(input), file_(root / "edge.yaml"), directory_(root / "state") {
        fs::remove_all(directory_);
        disk().begin();
        const auto first = input_.byte();
        workers_ = (first & 1U) != 0 ? 1 : 2;
        variant_.bits = static_cast<std::uint8_t>(first & (Variant::kSuite | Variant::kGenerous));
        start();
    }
    ~Story() {
        life_.reset();
        Wires::get().drain();
    }
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;

    void run() {
        for (unsigned i = 0; i < kOperations && !input_.empty(); ++i) {
            operate();
            check(false);
        }
        end();
        start();
        if (life_) { deliver_sealed(); }
    }

  private:
    void operate();
    void deliver();
    void deliver_sealed();
    void feed(unsigned port, unsigned worker, const Octets& frame);
    void poll(unsigned worker);
    void pass_time();
    void reload(Variant wanted, unsigned spoiled, unsigned fails);
    void reload_changed();
    void burn();
    void start();
    void end();
    void crash();
    void note(unsigned worker, unsigned port, std::span<const std::uint8_t> frame);
    void check(bool reloaded);
    void write(Variant variant, unsigned spoiled) const {
        std::ofstream(file_) << family_text(variant, workers_, directory_.native(), spoiled);
    }
    [[nodiscard]] Variant variant_at(unsigned worker) const {
        return life_->taken_up(worker) == before_ ? variant_before_ : variant_;
    }

    Input& input_;
    const fs::path file_, directory_;
    Nanoseconds now_ = 1'000'000'000;
    unsigned workers_ = 2;
    Variant variant_;                   // in force
    const Snapshot* before_ = nullptr;  // while another takes its place
    Variant variant_before_;
    std::optional<Variant> refused_;  // the reload that was refused last
    std::unique_ptr<Life> life_;
    Traffic traffic_;
    Nonces nonces_;
    std::size_t peer_ivs_ = 0;
    Buckets buckets_;
    std::uint64_t fed_ = 0, taken_ = 0;  // in this life
};

void Story::start() {
    write(variant_, 0);
    try {
        life_ = std::make_unique<Life>(file_, workers_, now_);
    } catch (const Failure&) {  // the disk, or a key that was turned
        life_.reset();
        return;
    }
    fed_ = taken_ = 0;
    buckets_.begin();
    buckets_.check(*life_, variant_, now_, false);
}

void Story::end() {
    if (!life_) { return; }
    for (unsigned round = 0; round < 2 * workers_; ++round) { poll(round % workers_); }
    check(false);
    life_->end();
    life_.reset();
    Wires::get().drain();
}

/// The process is killed; where power is lost too, what was not written through is gone.
void Story::crash() {
    const auto choice = input_.below(3);
    life_.reset();
    Wires::get().drain();
    for (std::uint32_t mark = 0; mark < traffic_.count(); ++mark) { traffic_.sent(mark).passed = false; }
    if (choice == 0 || !disk().any) { return; }
    if (choice == 1) { disk().perhaps = disk().durable; }
    if (disk().perhaps.empty()) { return; }
    disk().durable = disk().perhaps;
    std::ofstream(directory_ / "sa-state", std::ios::binary) << disk().durable;
}

void Story::feed(unsigned port, unsigned worker, const Octets& frame) {
    if (Wires::get().feed(port, worker, frame)) { ++fed_; }
}

/// A worker's turn, and what came of it.
void Story::poll(unsigned worker) {
    life_->poll(worker);
    Wires::get().take(worker, [&](unsigned port, std::span<const std::uint8_t> frame) { note(worker, port, frame); });
}

void Story::note(unsigned worker, unsigned port, std::span<const std::uint8_t> frame) {
    ++taken_;
    const auto variant = variant_at(worker);
    const Exit exit = Traffic::judge(port, frame, variant);
    if (exit.kind == Exit::Kind::protected_tunnel && exit.counter_mode) { nonces_.use(exit.key, exit.iv, exit.iv); }
    if (exit.kind == Exit::Kind::other) { return; }
    require(exit.known || !exit.mark, "a packet left by tags, a key or an SA that are nobody's");
    const auto way = exit.kind == Exit::Kind::customer ? Direction::to_customer : Direction::to_cloud;
    // What the edge makes itself draws on the buckets of the way it takes; pieces after the first count with that.
    const auto link = way == Direction::to_customer ? exit.link : Link::primary;
    if (exit.known && (exit.reply || !exit.mark)) { buckets_.pass_own(exit.customer, link, way, 1600); }
    if (!exit.mark) { return; }
    Sent& sent = traffic_.sent(*exit.mark);
    require((sent.owners >> exit.customer & 1U) != 0,
            "packet {} of customer bits {:#x} came out at customer {}, variant {:#x}, from {}, set {}, SAs {}, by {}",
            *exit.mark, sent.owners, exit.customer, variant.bits, sent.entry.from_cloud ? "cloud" : "customer",
            sent.entry.tags, sent.entry.sas, static_cast<int>(exit.kind));
    require(!sent.secret || exit.reply || exit.kind != Exit::Kind::clear_tunnel,
            "a packet for a protected tunnel left in clear");
    if (exit.reply) { return; }
    require(!sent.passed, "a packet came out twice");
    sent.passed = true;
    if (!sent.entry.from_cloud) { buckets_.pass(exit.customer, sent.entry.link, Direction::to_cloud, sent.length); }
    if (way == Direction::to_customer) { buckets_.pass(exit.customer, exit.link, way, sent.length); }
}

void Story::check(bool reloaded) {
    while (peer_ivs_ < traffic_.peer_ivs().size()) {
        const auto [key, iv] = traffic_.peer_ivs()[peer_ivs_++];
        nonces_.use(key, iv, iv);
    }
    if (!life_) { return; }
    std::uint64_t waiting = 0;
    const auto count = [&](rte_mbuf*) { ++waiting; };
    Wires::get().each_waiting(count);
    life_->each_waiting(count);
    check_conservation(life_->state, fed_, waiting, taken_);
    buckets_.check(*life_, variant_, now_, reloaded);
}

/// Packets of one kind to one worker's queue, which may then have its turn, or the other too.
void Story::deliver() {
    const auto where = input_.byte();
    const auto kind = input_.byte();
    const unsigned worker = where & (workers_ - 1U);
    const unsigned set = where >> 1U & 1U;
    const auto link = (where & 4U) != 0 ? Link::secondary : Link::primary;
    constexpr unsigned kSizes[] = {60, 1590, 1450, 1290, 600, 1302, 1428, 0};
    const unsigned choice = where >> 4U & 7U;
    const unsigned size = choice == 7 ? 40U + input_.byte() * 6U : kSizes[choice];
    const unsigned count = 1U + (kind >> 5U);
    const bool from_cloud = (where & 8U) != 0;
    for (unsigned i = 0; i < count; ++i) {
        if (from_cloud) {
            feed(kCore, worker, traffic_.from_cloud(set, (kind & 31U) % Traffic::kDownKinds, size + i % 2, variant_));
        } else {
            const auto most = kAccessMtu[raw(link)];
            feed(link == Link::primary ? kAccess0 : kAccess1, worker,
                 traffic_.from_customer(set, link, (kind & 31U) % Traffic::kUpKinds, std::min(size, most), variant_));
        }
    }
    const auto after = input_.byte();
    if ((after & 31U) == 1) { Wires::get().starve(); }
    if ((after & 3U) != 2) { poll(worker); }
    if ((after & 12U) == 4) { poll((worker + 1) % workers_); }
    Wires::get().feed_again();
    if ((after & 48U) == 16) { life_->serve(); }
}

/// Something to every protected tunnel.
void Story::deliver_sealed() {
    for (unsigned tags = 0; tags < kCustomers; ++tags) {
        feed(kAccess0, 0, traffic_.from_customer(tags, Link::primary, 0, 60, variant_));
        feed(kCore, 0, traffic_.from_cloud(tags, 0, 60, variant_));
    }
    for (unsigned round = 0; round < 2 * workers_; ++round) { poll(round % workers_); }
    check(false);
}

void Story::pass_time() {
    constexpr Nanoseconds kTimes[] = {1'000'000,     10'000'000, 100'000'000, 1'000'000'000,
                                      5'100'000'000, 20'000,     50'000'000,  31'000'000'000};
    now_ += kTimes[input_.below(8)];
    life_->serve();
    for (unsigned i = 0; i < workers_; ++i) { poll(i); }
}

/// A second of traffic: the numbers that a worker would use up, to the last one it may.
void Story::burn() {
    const auto choice = input_.byte();
    for (const auto& plan : life_->snapshot().sas) {
        if (!plan.key.outbound || (choice >> 1U & 1U) != (plan.spi >= spi_out(1) ? 1U : 0U)) { continue; }
        auto& sa = life_->state.sa_states[plan.slot];
        if (sa.sequence >= sa.sequence_limit) { continue; }
        const auto left = sa.sequence_limit - sa.sequence;
        const auto used = (choice & 1U) != 0 ? left : std::min<std::uint64_t>(left, 1U + choice);
        const auto key = variant_.outbound(plan.spi >= spi_out(1) ? 1 : 0);
        if (row(key.suite).counter_mode) {
            const auto lane = std::uint64_t{plan.lane} << 56U;
            nonces_.use(key.number, lane + sa.sequence + 1, lane + sa.sequence + used);
        }
        sa.sequence += used;
    }
    life_->serve();
}

void Story::reload(Variant wanted, unsigned spoiled, unsigned fails) {
    write(wanted, spoiled);
    if (fails != 0) { disk().fail(fails - 1, 1); }
    const unsigned first = input_.below(workers_);
    const auto owners = [&](rte_mbuf* mbuf) {
        const auto mark = traffic_.which({rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len});
        if (!mark) { return; }
        Sent& sent = traffic_.sent(*mark);
        if (const auto owner = sent.entry.owner(wanted); owner != kNobody) {
            sent.owners |= static_cast<std::uint8_t>(1U << owner);
        }
    };
    const auto* running = &life_->snapshot();
    const auto old = variant_;
    struct Limits {
        std::uint64_t sequence, packets, bytes;
        Nanoseconds deadline, life;
        bool operator==(const Limits&) const = default;
    };
    const auto limits = [&] {
        std::vector<Limits> all;
        for (const auto& plan : running->sas) {
            const auto& sa = life_->state.sa_states[plan.slot];
            all.push_back({sa.sequence, sa.packets_limit, sa.bytes_limit, sa.deadline, sa.life});
        }
        return all;
    };
    const auto before = limits();
    const auto applied = life_->reload(first, [&](unsigned worker) {
        if (before_ == nullptr) {  // the first that takes it up
            Wires::get().each_waiting(owners);
            life_->each_waiting(owners);
            before_ = running;
            variant_before_ = old;
            variant_ = wanted;
        }
        poll(worker);
        if (input_.one_in(2)) { poll((worker + 1) % workers_); }
    });
    disk().heal();
    for (const auto& finding : applied.findings) {
        require(finding.remedy.find("the edge's fault") == std::string::npos, "{}: {}", finding.what, finding.remedy);
    }
    before_ = nullptr;
    if (applied.ok) {
        variant_ = wanted;
        refused_.reset();
        check(true);
        return;
    }
    require(variant_.bits == old.bits && &life_->snapshot() == running, "a refused reload was published");
    require(limits() == before, "a refused reload changed what running SAs may do");
    refused_ = wanted;
}

/// One thing is changed, or two; it may be refused before compilation or behind it.
void Story::reload_changed() {
    constexpr std::uint8_t kChanges[] = {8,
                                         8,
                                         8,
                                         16,
                                         24,
                                         Variant::kTags,
                                         Variant::kKeys,
                                         Variant::kSas,
                                         Variant::kGenerous,
                                         Variant::kAlone,
                                         Variant::kAlone,
                                         Variant::kTags | Variant::kKeys | Variant::kSas,
                                         0,
                                         Variant::kTurned,
                                         Variant::kTags | Variant::kSas,
                                         8 | Variant::kSas};
    const auto choice = input_.byte();
    auto wanted = variant_;
    wanted.bits ^= kChanges[choice & 15U];
    constexpr unsigned kSpoiled[] = {0, 0, 0, 1, 2, 0, 0, 0};
    constexpr unsigned kFails[] = {0, 0, 0, 0, 0, 2, 3, 4};  // the first is the save ahead of a reload
    const unsigned how = choice >> 4U & 7U;
    // Two saves of three steps each: before the file is read, and behind compilation.
    reload(wanted, kSpoiled[how], kFails[how] == 0 ? 0 : kFails[how] + 2);
}

void Story::operate() {
    const auto what = input_.byte() & 31U;
    say("operation {}, variant {:#x}, {} ms", what, variant_.bits, now_ / 1'000'000);
    if (!life_) {
        if (what < 16) { variant_.bits = static_cast<std::uint8_t>(variant_.bits & ~Variant::kTurned); }
        disk().heal();
        return start();
    }
    if (what < 14) { return deliver(); }
    if (what < 17) { return pass_time(); }
    if (what < 21) { return reload_changed(); }
    if (what < 23) { return reload(refused_.value_or(variant_), 0, 0); }
    if (what < 25) { return burn(); }
    if (what == 25) {
        const auto set = input_.byte();
        const auto link = (set & 2U) != 0 ? Link::secondary : Link::primary;
        feed(link == Link::primary ? kAccess0 : kAccess1, 0, Traffic::arp_reply(set & 1U, link, set >> 2U & 1U));
        poll(0);
        life_->serve();
        return poll(0);
    }
    if (what == 26) { return Wires::get().plug(input_.below(kPorts), input_.one_in(2)); }
    if (what == 27) {
        const auto when = input_.byte();
        return disk().fail(when & 7U, 1U + (when >> 4U));
    }
    // A new life, as before or with another suite.
    constexpr std::uint8_t kChanges[] = {0, 8, 16, Variant::kTags};
    if (what < 30) {
        end();
    } else {
        crash();
    }
    variant_.bits ^= kChanges[input_.below(4)];
    start();
}

}  // namespace
}  // namespace peerlane::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace peerlane::fuzz;
    static const auto directory = fast_directory("fuzz-stateful");
    Wires::get();
    Input input(data, size);
    Story story(input, directory.path());
    story.run();
    return 0;
}
