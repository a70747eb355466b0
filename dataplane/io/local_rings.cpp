#include "dataplane/io/local_rings.hpp"

#include <rte_mbuf.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "dataplane/io/failure.hpp"
#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/neighbour.hpp"
#include "dataplane/pipeline/parse_ip.hpp"
#include "lib/net/arp.hpp"
#include "lib/net/ndisc.hpp"

namespace peerlane::dataplane {
namespace {

/// Whom a packet waits for.
std::uint32_t waits_for(const Snapshot& snapshot, const Burst& burst, std::uint32_t slot) noexcept {
    const bool to_tunnel = burst.direction == Direction::to_cloud && burst.tunnel[slot] != kNowhere;
    if (to_tunnel) { return snapshot.tunnels[burst.tunnel[slot]].neighbour; }
    return neighbour::customer(burst.exit[slot], burst.l3[slot][0] >> 4U == 6);
}

/// Who says it, where it is ARP, or something that only neighbours send (RFC 4861 §3.1); IPv4 mapped, zero if it does
/// not say so.
std::optional<Ip6> speaker(const Burst& burst, std::uint32_t slot) noexcept {
    const auto* frame = rte_pktmbuf_mtod(burst.mbuf[slot], const std::uint8_t*);
    const unsigned length = burst.mbuf[slot]->data_len;
    unsigned at = sizeof(ether::Header);
    while (at + sizeof(ether::Tag) <= length &&
           ether::tpid_bit(reinterpret_cast<const Be16*>(frame + at - 2)->get()) != 0) {
        at += sizeof(ether::Tag);
    }
    const auto type = reinterpret_cast<const Be16*>(frame + at - 2)->get();
    if (type == ether::kArp) {
        if (length < at + kArpLength) { return Ip6{}; }
        return Ip6{0, table::mapped({reinterpret_cast<const Arp*>(frame + at)->sender.get()})};
    }
    if (type != ether::kIpv6 || length < at + sizeof(Ipv6)) { return std::nullopt; }
    const auto& six = *reinterpret_cast<const Ipv6*>(frame + at);
    if (!detail::is_neighbour_discovery(six, length - at)) { return std::nullopt; }
    if (const auto message = parse_nd(six, length - at)) {
        return message->kind == NdMessage::Kind::advertisement ? message->target : message->source;
    }
    return Ip6{};
}

bool draw(meter::SharedBucket& bucket, const meter::BucketRate& rate, Nanoseconds now) noexcept {
    meter::Credit none;
    return meter::take(bucket, none, {rate, 0}, now, 1);
}

/// `known`: a neighbour says it to which the edge sends.
bool within_limits(State& state, const Snapshot& snapshot, const Burst& burst, std::uint32_t cell, bool neighbours,
                   bool known) noexcept {
    if (!neighbours) { return draw(state.punt_buckets[cell], snapshot.punt_rate, burst.now); }
    if (!known) { return draw(state.ask_buckets[cell], snapshot.ask_rate, burst.now); }
    const bool core = cell >= local_cell::core(0);
    const auto& rate = core ? snapshot.ports[burst.port].neighbour_rate : snapshot.neighbour_rate;
    return draw(state.neighbour_buckets[cell], rate, burst.now);
}

/// Control takes it; or the reason why not.
Fate punt(Worker& worker, const LocalWay& way, Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    const bool customer = burst.direction == Direction::to_cloud;
    const auto who = speaker(burst, slot);
    if (!who && (way.taps >> burst.port & 1U) == 0) {
        bump(worker.counters.unclaimed[burst.port]);
        return Fate::punted;
    }
    const bool core = !customer || burst.attachment[slot] == kNowhere;
    const std::uint32_t cell = core ? local_cell::core(burst.port) : burst.attachment[slot];
    const bool known = who && std::ranges::binary_search(snapshot.next_hops, std::pair(cell, *who));
    if (!within_limits(worker.state, snapshot, burst, cell, who.has_value(), known)) { return Fate::punt_limited; }
    rte_mbuf* mbuf = burst.mbuf[slot];
    if (!make_whole(snapshot, burst, slot) || mbuf->data_off < kNoteRoom) { return Fate::no_headroom; }
    auto* note = new (mbuf->buf_addr) Note;
    note->kind = Note::Kind::punted;
    note->port = burst.port;
    note->worker = static_cast<std::uint8_t>(worker.index);
    if (!way.out->put(mbuf, payer_of(snapshot, burst, slot), known ? 0 : kToControlReserve)) { return Fate::punt_full; }
    burst.mbuf[slot] = nullptr;
    return Fate::punted;
}

Fate hold(Worker& worker, const LocalWay& way, Burst& burst, std::uint32_t slot) noexcept {
    const Snapshot& snapshot = *worker.snapshot;
    if (!make_whole(snapshot, burst, slot) || !write_note(worker, burst, slot, waits_for(snapshot, burst, slot))) {
        return Fate::no_headroom;
    }
    const Payer payer = payer_of(snapshot, burst, slot);
    if (!way.held->take(payer)) { return Fate::no_neighbour; }
    if (!way.out->put(burst.mbuf[slot], payer, kToControlReserve)) {
        way.held->give_back(payer);
        return Fate::no_neighbour;
    }
    burst.mbuf[slot] = nullptr;
    return Fate::held;
}

}  // namespace

Doorbell::Doorbell() : file_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (file_ < 0) { throw Failure("local delivery", std::strerror(errno), "allow more open files"); }
}

Doorbell::~Doorbell() {
    close(file_);
}

void Doorbell::wake() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(file_, &one, sizeof(one)));  // full is loud enough
}

void Doorbell::awake() noexcept {
    asleep_.store(false, std::memory_order_relaxed);
    std::uint64_t count = 0;
    static_cast<void>(!::read(file_, &count, sizeof(count)));
}

LocalRings::LocalRings(unsigned workers) {
    for (unsigned i = 0; i < workers; ++i) {
        const auto name = "from_control" + std::to_string(i);
        from_control_.push_back(std::make_unique<SharedRing>(name, kFromControl, RING_F_SP_ENQ));
    }
}

void give_to_control(Worker& worker, const LocalWay& way) noexcept {
    Burst& burst = worker.burst;
    const Burst& replies = worker.replies;
    bool gave = false;
    for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
        if (burst.fate[slot] == Fate::held) {
            burst.fate[slot] = hold(worker, way, burst, slot);
        } else if (burst.fate[slot] == Fate::punted) {
            const bool answered = slot < replies.count && replies.mbuf[slot] != nullptr;
            const bool inner = burst.direction == Direction::to_customer && burst.tunnel[slot] != kNowhere;
            if (inner && !answered) { bump(worker.counters.unclaimed[burst.port]); }
            if (answered || inner) { continue; }
            burst.fate[slot] = punt(worker, way, burst, slot);
        }
        gave |= burst.mbuf[slot] == nullptr;
    }
    if (gave) { way.bell->ring(); }
}

std::uint32_t FromControl::take(SharedRing* ring, Burst& burst, Note& like) noexcept {
    if (first == end) {
        first = 0;
        end = ring->take(waiting, kBurst);
        if (end == 0) { return 0; }
    }
    like = note_of(waiting[first]);
    std::uint32_t count = 0;
    while (first < end && note_of(waiting[first]).kind == like.kind && note_of(waiting[first]).port == like.port) {
        burst.mbuf[count++] = waiting[first++];
    }
    return count;
}

}  // namespace peerlane::dataplane
