#include "dataplane/io/worker_loop.hpp"

#include <rte_pause.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <span>

#include "dataplane/pipeline/frame_tags.hpp"
#include "dataplane/pipeline/run.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kPatience = 256;          // empty rounds before the first nap
constexpr std::uint32_t kFirstNap = 10'000;  // nanoseconds
constexpr std::uint32_t kLongestNap = 1'000'000;
constexpr unsigned kDrainRounds = 64;

/// Takes up the published snapshot.
void adopt(Worker& worker, const WorkerSetup& setup, Publication& publication, const TscClock& clock) noexcept {
    const Snapshot* published = publication.current();
    if (published == worker.snapshot) [[likely]] { return; }
    worker.snapshot = published;
    if (setup.index == 0) {
        settle(*published, worker.state, clock.now());
        publication.settled(published);
    }
}

struct Rest {
    unsigned empty_rounds = 0;
    std::uint32_t nap = kFirstNap;

    void busy() noexcept { *this = {}; }
    void idle(const WorkerSetup& setup, Publication& publication) noexcept {
        rte_pause();
        if (!setup.sleeps || ++empty_rounds < kPatience) { return; }
        publication.away(setup.index);
        const timespec time{0, static_cast<long>(nap)};
        nanosleep(&time, nullptr);
        publication.back(setup.index);
        nap = std::min(nap * 2, kLongestNap);
    }
};

}  // namespace

namespace {
/// worker.burst.mbuf[0 .. count) came in by `port`.
void process(Worker& worker, const WorkerSetup& setup, std::uint8_t port, std::uint32_t count, std::uint64_t start,
             const TscClock& clock, Burst::Kind kind = Burst::Kind::received) noexcept {
    run(worker, port, clock.at(start), count, kind);
    transmit_all(worker, setup.outlets.data());
    if (worker.burst.hands) [[unlikely]] { give_away(*worker.snapshot, worker.burst, setup.rings.data()); }
    if ((worker.burst.punts || worker.burst.holds) && setup.local.out != nullptr) [[unlikely]] {
        give_to_control(worker, setup.local);
    }
    finish_all(worker);
    bump(worker.counters.bursts);
    bump(worker.counters.packets, count);
    bump(worker.counters.busy_cycles, rte_rdtsc() - start);
}

/// worker.burst.mbuf[0 .. count) are whole frames for `port`. A reload may have given their tags to another peering
/// since control made them.
void send_own(Worker& worker, const WorkerSetup& setup, std::uint8_t port, std::uint32_t count,
              Nanoseconds now) noexcept {
    rte_mbuf* frames[kBurst];
    Burst& burst = worker.burst;
    std::copy_n(burst.mbuf, count, frames);
    burst.begin_sparse(now, port, Direction::to_cloud, Burst::Kind::replies);
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        burst.add(slot, frames[slot], rte_pktmbuf_mtod(frames[slot], std::uint8_t*), frames[slot]->data_len);
        burst.tally[slot] = kNowhere;
        burst.out_port[slot] = port;
        const std::span frame{burst.l3[slot], frames[slot]->data_len};
        const bool same = note_of(frames[slot]).owner == owner_of_frame(*worker.snapshot, port, frame);
        burst.end(slot, same ? Fate::sent : Fate::tags_reassigned);
    }
    transmit(worker, setup.outlets.data(), burst);
    detail::finish_originated(worker, burst);
}
}  // namespace

std::uint32_t poll_inlets(Worker& worker, const WorkerSetup& setup, const TscClock& clock) noexcept {
    std::uint32_t received = 0;
    for (const Inlet& inlet : setup.inlets) {
        const auto device = inlet.device->load(std::memory_order_acquire);
        if (device == kNoDevice) [[unlikely]] { continue; }
        const auto start = rte_rdtsc();
        const auto count = rte_eth_rx_burst(device, inlet.queue, worker.burst.mbuf, kBurst);
        if (count == 0) { continue; }
        worker.burst.vouched = inlet.vouches;
        worker.burst.strips = inlet.strips;
        worker.burst.unfinished = inlet.unfinished;
        process(worker, setup, inlet.port, count, start, clock);
        received += count;
    }
    return received;
}

std::uint32_t poll_handed(Worker& worker, const WorkerSetup& setup, Handed& handed, const TscClock& clock) noexcept {
    if (setup.rings.empty()) [[likely]] { return 0; }
    const auto start = rte_rdtsc();
    std::uint8_t port = 0;
    worker.burst.vouched = worker.burst.strips = worker.burst.unfinished = false;
    const auto count = handed.take(setup.rings[setup.index], worker.burst, port);
    if (count != 0) { process(worker, setup, port, count, start, clock); }
    return count;
}

std::uint32_t poll_control(Worker& worker, const WorkerSetup& setup, FromControl& from,
                           const TscClock& clock) noexcept {
    if (setup.local.in == nullptr) { return 0; }
    const auto start = rte_rdtsc();
    Note like;
    worker.burst.vouched = worker.burst.strips = worker.burst.unfinished = false;
    const auto count = from.take(setup.local.in, worker.burst, like);
    if (count == 0) [[likely]] { return 0; }
    if (like.kind == Note::Kind::own) {
        send_own(worker, setup, like.port, count, clock.at(start));
    } else {
        process(worker, setup, like.port, count, start, clock, Burst::Kind::released);
    }
    return count;
}

void worker_loop(Worker& worker, const WorkerSetup& setup, Publication& publication, const TscClock& clock,
                 const std::atomic<bool>& stop) noexcept {
    if (setup.sleeps) { prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL); }
    publication.join(setup.index);
    Rest rest;
    Handed handed;
    FromControl from;
    const auto poll_all = [&] {
        return poll_control(worker, setup, from, clock) + poll_inlets(worker, setup, clock) +
               poll_handed(worker, setup, handed, clock);
    };
    while (!stop.load(std::memory_order_relaxed)) {
        adopt(worker, setup, publication, clock);
        if (poll_all() != 0) {
            rest.busy();
        } else {
            bump(worker.counters.idle_polls);
            rest.idle(setup, publication);
        }
        publication.quiet(setup.index);
    }
    adopt(worker, setup, publication, clock);
    for (unsigned round = 0; round < kDrainRounds; ++round) {
        if (poll_all() == 0) { break; }
    }
    publication.leave(setup.index);
}

}  // namespace peerlane::dataplane
