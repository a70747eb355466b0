#include "dataplane/control/local.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/control/neighbour_frames.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kAtOnce = 256;          // packets and frames of one look
constexpr Nanoseconds kTick = 25'000'000;  // floods of punted packets wake control more often
constexpr std::size_t kLongest = 9'600 + 22;

bool is_for_neighbours(std::span<const std::uint8_t> frame, unsigned at) noexcept {
    const auto type = reinterpret_cast<const Be16*>(frame.data() + at - 2)->get();
    if (type == ether::kArp) { return true; }
    if (type != ether::kIpv6 || frame.size() < at + sizeof(Ipv6) + 1) { return false; }
    const auto& six = *reinterpret_cast<const Ipv6*>(frame.data() + at);
    const auto kind = frame[at + sizeof(Ipv6)];
    return six.next_header == ip::kIcmp6 && six.hop_limit == 255 && (kind == 135 || kind == 136);
}

}  // namespace

LocalDelivery::LocalDelivery(LocalRings& rings, State& state, std::vector<std::optional<Tap>> taps,
                             rte_mempool* buffers, const NeighbourTimes& times)
    : rings_(rings),
      taps_(std::move(taps)),
      buffers_(buffers),
      neighbours_(state,
                  {[this](std::uint8_t port, std::span<const std::uint8_t> frame) { send(port, frame, asker_); },
                   [this](rte_mbuf* packet) { release(packet); },
                   [this](const Neighbours::Entry& entry, unsigned changes) {
                       events_.changed(*snapshot_, neighbours_, entry, changes, ticked_);
                   }},
                  times),
      announcer_(state, [this](std::uint8_t port, std::span<const std::uint8_t> frame) { send(port, frame, {}); }),
      counts_(taps_.size()) {}

LocalDelivery::~LocalDelivery() {
    neighbours_.release_all();
    for (auto* packet : late_) { rte_pktmbuf_free(packet); }
}

void LocalDelivery::serve(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now) {
    snapshot_ = &snapshot;
    push_late();
    std::array<rte_mbuf*, kAtOnce> packets{};
    const auto count = rings_.to_control().take(packets.data(), kAtOnce);
    for (unsigned i = 0; i < count; ++i) { take(snapshot, packets[i], now); }
    asker_ = {};
    for (std::size_t port = 0; port < taps_.size(); ++port) {
        if (!taps_[port]) { continue; }
        taps_[port]->mend(now);
        read_tap(snapshot, static_cast<std::uint8_t>(port));
    }
    if (now - ticked_ < kTick && ticked_ != 0) { return; }
    ticked_ = now;
    neighbours_.tick(snapshot, up, now);
    events_.tick(now);
    announcer_.tick(snapshot, up, now);
}

bool LocalDelivery::watch(std::vector<pollfd>& waiting) {
    for (const auto& tap : taps_) {
        if (tap) { waiting.push_back({tap->file(), POLLIN, 0}); }
    }
    waiting.push_back({rings_.bell().file(), POLLIN, 0});
    rings_.bell().sleeping();
    return rings_.to_control().waiting() == 0;
}

void LocalDelivery::take(const Snapshot& snapshot, rte_mbuf* packet, Nanoseconds now) {
    const Note note = note_of(packet);
    asker_ = payer_of(*packet);
    if (note.kind == Note::Kind::held) { return neighbours_.hold(note.word, packet); }
    const std::span frame{rte_pktmbuf_mtod(packet, const std::uint8_t*), packet->data_len};
    const bool access = snapshot.ports[note.port].access;
    // The tags may have left the configuration meanwhile: it begins again at classify.
    const auto attachment = access ? attachment_of(snapshot, note.port, frame) : kNowhere;
    const auto at = link_header_length(frame);
    if (at != 0 && access == (attachment != kNowhere)) {
        const bool answered =
            is_for_neighbours(frame, at) && neighbours_.receive(snapshot, note.port, attachment, frame, now);
        if (auto& tap = taps_[note.port]; tap && !answered) {
            auto& counts = counts_[note.port];
            ++(tap->deliver(frame) ? counts.to_tap : counts.tap_refused);
        }
    }
    rte_pktmbuf_free(packet);
}

void LocalDelivery::read_tap(const Snapshot& snapshot, std::uint8_t port) {
    std::array<std::uint8_t, kLongest>
        room;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    auto& counts = counts_[port];
    for (unsigned i = 0; i < kAtOnce; ++i) {
        const auto length = taps_[port]->next(room);
        if (length == 0) { return; }
        const std::span<const std::uint8_t> frame{room.data(), length};
        const bool access = snapshot.ports[port].access;
        const auto attachment = access ? attachment_of(snapshot, port, frame) : kNowhere;
        const bool ours = !access || attachment != kNowhere;
        const Payer payer = attachment == kNowhere ? core_payer(port) : payer_of(snapshot, attachment / kLinks);
        ++(ours && send(port, frame, payer) ? counts.from_tap : counts.from_refused);
    }
}

/// Whole frames go out by the first worker, if their tags are still the same peering's when it has them. What a
/// customer or the system causes leaves room for the edge's own questions.
bool LocalDelivery::send(std::uint8_t port, std::span<const std::uint8_t> frame, Payer payer) {
    rte_mbuf* packet = rte_pktmbuf_alloc(buffers_);
    if (packet == nullptr) { return false; }
    auto* at = rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size()));
    if (at == nullptr) {
        rte_pktmbuf_free(packet);
        return false;
    }
    std::memcpy(at, frame.data(), frame.size());
    auto* note = new (packet->buf_addr) Note;
    note->kind = Note::Kind::own;
    note->port = port;
    note->owner = owner_of_frame(*snapshot_, port, frame);
    SharedRing& ring = rings_.from_control(0);
    const bool own = payer.circuit == kNowhere;
    if (own ? ring.put_own(packet) : ring.put(packet, payer, kFromControlReserve)) { return true; }
    rte_pktmbuf_free(packet);
    return false;
}

void LocalDelivery::release(rte_mbuf* packet) {
    Note& note = note_of(packet);
    const Payer payer = payer_of(*packet);
    if (note.kind == Note::Kind::held) { rings_.held().give_back(payer); }
    note.kind = Note::Kind::released;
    if (!rings_.from_control(note.worker).put(packet, payer, kFromControlReserve)) { late_.push_back(packet); }
}

void LocalDelivery::push_late() {
    if (late_.empty()) { return; }
    const auto waiting = std::move(late_);
    late_.clear();
    for (auto* packet : waiting) { release(packet); }
}

}  // namespace peerlane::dataplane
