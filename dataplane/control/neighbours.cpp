#include "dataplane/control/neighbours.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "dataplane/control/neighbour_frames.hpp"
#include "dataplane/io/local_rings.hpp"
#include "dataplane/pipeline/tpids.hpp"
#include "dataplane/tables/compile_parts.hpp"

namespace peerlane::dataplane {
namespace {

static_assert(kQuestionsAtOnce < kFromControlReserve, "no question of a tick is lost for want of room");

constexpr Mac kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

bool is_four(Ip6 address) noexcept {
    return address.high == 0 && address.low >> 32U == 0xffff;
}
Ip4 four(Ip6 address) noexcept {
    return {static_cast<std::uint32_t>(address.low)};
}
const Mac& own_mac(const Snapshot& snapshot, std::uint8_t port) noexcept {
    return snapshot.ports[port].mac_address;
}

/// Whether `address` is the edge's own where this question was asked.
bool is_own(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment, Ip6 address) noexcept {
    if (!is_four(address) && address == link_local(own_mac(snapshot, port))) { return true; }
    if (attachment == kNowhere) { return std::ranges::binary_search(snapshot.ports[port].own, address); }
    const auto& end = snapshot.peerings[attachment / kLinks].ends[attachment % kLinks];
    return is_four(address) ? end.has4 && end.edge4 == four(address) : end.has6 && end.edge6 == address;
}

}  // namespace

void Neighbours::adopt(const Snapshot& snapshot, Nanoseconds now) {
    std::vector<Entry> before = std::move(entries_);
    std::map<std::uint32_t, std::size_t> old = std::move(by_word_);
    entries_.clear();
    by_word_.clear();
    by_address_.clear();
    for (const auto& plan : snapshot.neighbours) {
        Entry entry{.plan = plan, .mac = {}, .due = now};
        // As long as it is the same address on the same link, what is known of it holds.
        const auto found = old.find(plan.word);
        if (found != old.end()) {
            Entry& known = before[found->second];
            const bool same =
                known.plan.address == plan.address && known.plan.port == plan.port && known.plan.mac == plan.mac;
            if (same) {
                auto held = std::exchange(known.held, {});
                entry = known;
                entry.held = std::move(held);
                entry.plan = plan;
                if (plan.watched != known.plan.watched) { entry.due = now; }
            }
        }
        if (plan.mac) {
            entry.state = State::configured;
            entry.mac = *plan.mac;
        }
        for (const auto word : {plan.word, plan.also}) {
            if (word != neighbour::kNobody) { by_word_.emplace(word, entries_.size()); }
        }
        by_address_[{plan.port, plan.attachment, plan.address}] = entries_.size();
        entries_.push_back(std::move(entry));
    }
    for (auto& gone : before) {
        release(gone);
        for (const auto word : {gone.plan.word, gone.plan.also}) {
            if (word != neighbour::kNobody && !by_word_.contains(word)) { store(word, 0); }
        }
    }
    for (auto& entry : entries_) { publish(entry); }
}

void Neighbours::tick(const Snapshot& snapshot, const std::vector<bool>& up, Nanoseconds now) {
    // A cable that is back may lead somewhere else.
    for (auto& entry : entries_) {
        const auto port = entry.plan.port;
        const bool was_up = port < up_.size() && up_[port];
        if (!up[port] || was_up) { continue; }
        entry.due = now;
        entry.answers = false;
    }
    up_ = up;
    unsigned questions = 0;
    const std::size_t count = entries_.size();
    std::size_t done = 0;
    for (; done < count && questions < kQuestionsAtOnce; ++done) {
        Entry& entry = entries_[(first_ + done) % count];
        if (entry.state == State::configured || !up[entry.plan.port] || entry.due > now) { continue; }
        step(snapshot, entry, now);
        ++questions;
    }
    if (count != 0) { first_ = (first_ + done) % count; }
    set_alive(up, now);
}

/// The question that is due, or what follows from that there was no answer.
void Neighbours::step(const Snapshot& snapshot, Entry& entry, Nanoseconds now) {
    const bool watched = entry.plan.watched;
    const auto retry = watched ? times_.watched_retry : times_.retry;
    if (entry.state == State::reachable) {
        entry.state = State::probe;
        entry.asked = 0;
    } else if (entry.state != State::unreachable &&
               entry.asked >= (entry.state == State::probe ? 2 * kQuestions : kQuestions)) {
        entry.state = State::unreachable;
        entry.answers = false;
        publish(entry);
        release(entry);
    } else if (entry.state == State::incomplete) {
        publish(entry);  // others may have made room for packets that wait
    }
    // First those who are known are asked themselves, then everybody.
    ask(snapshot, entry, entry.state != State::probe || entry.asked >= kQuestions);
    ++entry.asked;
    entry.due = now + (entry.state != State::unreachable ? retry : watched ? times_.retry : times_.again);
}

/// To somebody on a link, with the TPID that is heard there where that is to be sent back.
Towards Neighbours::towards(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment, const Mac& mac,
                            std::span<const std::uint8_t> answers) const {
    Towards where{port, attachment, mac, answers};
    if (attachment != kNowhere && snapshot.exits[attachment].hears_tpid) {
        where.tpid = heard::outer(heard::load(state_, attachment));
    }
    return where;
}

void Neighbours::ask(const Snapshot& snapshot, Entry& entry, bool everybody) {
    const auto& plan = entry.plan;
    const Mac own = own_mac(snapshot, plan.port);
    ++counts_[plan.port].asked;
    if (is_four(plan.address)) {
        const ArpMessage message{true, own, four(plan.own), everybody ? Mac{} : entry.mac, four(plan.address)};
        const auto where = towards(snapshot, plan.port, plan.attachment, everybody ? kEverybody : entry.mac);
        ways_.send(plan.port, arp_frame(snapshot, where, message).span());
        return;
    }
    const Ip6 group = solicited_node(plan.address);
    NdMessage message;
    message.kind = NdMessage::Kind::solicitation;
    message.source = plan.own;
    message.destination = everybody ? group : plan.address;
    message.target = plan.address;
    message.link_address = own;
    const auto where = towards(snapshot, plan.port, plan.attachment, everybody ? multicast_mac(group) : entry.mac);
    ways_.send(plan.port, nd_frame(snapshot, where, message).span());
}

bool Neighbours::receive(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                         std::span<const std::uint8_t> frame, Nanoseconds now) {
    const auto at = link_header_length(frame);
    if (at == 0) { return false; }
    const auto type = reinterpret_cast<const Be16*>(frame.data() + at - 2)->get();
    if (type == ether::kArp) { return receive_arp(snapshot, port, attachment, frame, at, now); }
    if (type == ether::kIpv6) { return receive_nd(snapshot, port, attachment, frame, at, now); }
    return false;
}

bool Neighbours::receive_arp(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                             std::span<const std::uint8_t> frame, unsigned at, Nanoseconds now) {
    const auto message = parse_arp(frame.data() + at, static_cast<unsigned>(frame.size() - at));
    const Mac own = own_mac(snapshot, port);
    if (!message || message->sender_mac == own) {
        ++counts_[port].ignored;
        return false;
    }
    const bool for_us = is_own(snapshot, port, attachment, mapped(message->target));
    if (is_own(snapshot, port, attachment, mapped(message->sender))) {
        ++counts_[port].conflicts;  // the answer below defends the address (RFC 5227 §2.4)
    } else if (Entry* entry = find(port, attachment, mapped(message->sender))) {
        learn(*entry, message->sender_mac, for_us && !message->request, true, now);
    } else if (!for_us) {
        ++counts_[port].ignored;
    }
    if (!for_us || !message->request) { return false; }
    ++counts_[port].answered;
    const ArpMessage answer{false, own, message->target, message->sender_mac, message->sender};
    ways_.send(port,
               arp_frame(snapshot, towards(snapshot, port, attachment, message->sender_mac, frame), answer).span());
    return true;
}

bool Neighbours::receive_nd(const Snapshot& snapshot, std::uint8_t port, std::uint32_t attachment,
                            std::span<const std::uint8_t> frame, unsigned at, Nanoseconds now) {
    const auto length = static_cast<unsigned>(frame.size() - at);
    if (length < sizeof(Ipv6)) { return false; }
    const auto message = parse_nd(*reinterpret_cast<const Ipv6*>(frame.data() + at), length);
    const Mac own = own_mac(snapshot, port);
    if (!message || message->link_address == own) {
        ++counts_[port].ignored;
        return false;
    }
    const bool for_us = is_own(snapshot, port, attachment, message->target);
    if (message->kind == NdMessage::Kind::advertisement) {
        Entry* entry = find(port, attachment, message->target);
        if (for_us) { ++counts_[port].conflicts; }
        if (entry == nullptr) {
            ++counts_[port].ignored;
            return false;
        }
        // Without an address it only says that the one known holds (RFC 4861 §7.2.5).
        const bool known = entry->state != State::incomplete && entry->state != State::unreachable;
        if (message->link_address) {
            learn(*entry, *message->link_address, message->solicited, message->override_entry, now);
        } else if (message->solicited && known) {
            confirm(*entry, now);
        }
        return false;
    }
    Mac back;
    std::memcpy(back.octets.data(), frame.data() + 6, 6);
    if (message->link_address) { back = *message->link_address; }
    if (!for_us || back.is_group()) {
        ++counts_[port].ignored;
        return false;
    }
    if (message->link_address) {
        if (Entry* entry = find(port, attachment, message->source)) { learn(*entry, back, false, true, now); }
    }
    ++counts_[port].answered;
    // Who asks whether the address is free has none to be answered at (RFC 4861 §7.2.4).
    constexpr Ip6 kAllNodes{0xff02'0000'0000'0000, 1};
    const bool probing = message->source == Ip6{};
    if (probing) { back = multicast_mac(kAllNodes); }
    NdMessage answer;
    answer.kind = NdMessage::Kind::advertisement;
    answer.source = message->target;
    answer.destination = probing ? kAllNodes : message->source;
    answer.target = message->target;
    answer.link_address = own;
    answer.router = true;
    answer.solicited = !probing;
    answer.override_entry = true;
    ways_.send(port, nd_frame(snapshot, towards(snapshot, port, attachment, back, frame), answer).span());
    return true;
}

/// `mac` is what it says of itself: in an answer to a question, or unasked. Where that is another one than the one
/// known holds, `may_change` says whether it is believed.
void Neighbours::learn(Entry& entry, const Mac& mac, bool answer, bool may_change, Nanoseconds now) {
    if (entry.state == State::configured) { return; }
    const bool known = entry.state == State::reachable || entry.state == State::probe;
    if (known && mac != entry.mac && !may_change) {
        if (entry.state == State::reachable) { entry.due = now; }  // RFC 4861 §7.2.5: in doubt
        return;
    }
    if (known && mac == entry.mac && !answer) { return; }
    if (mac != entry.mac) {
        entry.changes += entry.mac != Mac{} ? 1U : 0U;
        entry.mac = mac;
        ++counts_[entry.plan.port].learnt;
    }
    if (answer) { return confirm(entry, now); }
    // That it can be heard does not say that it hears: its MAC is used, and it is asked at once (RFC 4861 §7.2.3).
    entry.state = State::probe;
    entry.asked = 0;
    entry.due = now;
    publish(entry);
    release(entry);
}

void Neighbours::confirm(Entry& entry, Nanoseconds now) {
    entry.state = State::reachable;
    entry.answers = true;
    entry.confirmed = std::max<Nanoseconds>(now, 1);
    entry.asked = 0;
    entry.due = now + (entry.plan.watched ? times_.watched_reachable : times_.reachable);
    publish(entry);
    release(entry);
}

void Neighbours::hold(std::uint32_t word, rte_mbuf* packet) {
    const auto found = by_word_.find(word);
    Entry* entry = found == by_word_.end() ? nullptr : &entries_[found->second];
    if (entry == nullptr) { return ways_.release(packet); }
    if (entry->state == State::incomplete && has_room(*entry)) {
        entry->held.push_back(packet);
        ++held_;
    } else {
        ways_.release(packet);
    }
    publish(*entry);
}

/// All customers wait for a next hop on the core; there their shares are the limit (HoldPlaces).
bool Neighbours::has_room(const Entry& entry) const {
    const bool core = entry.plan.attachment == NeighbourPlan::kCore;
    return held_ < kMostHeld && (core || entry.held.size() < kMostHeldByOne);
}

void Neighbours::release(Entry& entry) {
    held_ -= entry.held.size();
    for (auto* packet : entry.held) { ways_.release(packet); }
    entry.held.clear();
}

void Neighbours::release_all() {
    for (auto& entry : entries_) { release(entry); }
}

void Neighbours::store(std::uint32_t index, std::uint64_t word) {
    std::atomic_ref<std::uint64_t>(state_.neighbours[index]).store(word, std::memory_order_relaxed);
}

/// What the workers see of it.
void Neighbours::publish(Entry& entry) {
    std::uint64_t word = 0;
    std::memcpy(&word, entry.mac.octets.data(), entry.mac.octets.size());
    switch (entry.state) {
        case State::configured:  // the templates have it
            word = 0;
            break;
        case State::reachable:
        case State::probe:
            word |= neighbour::kKnown;
            break;
        case State::incomplete:
            if (has_room(entry)) { word |= neighbour::kHolds; }
            break;
        case State::unreachable:
            word |= neighbour::kFailed;
            break;
    }
    for (const auto index : {entry.plan.word, entry.plan.also}) {
        if (index != neighbour::kNobody) { store(index, word); }
    }
}

/// A link carries a family while its port is up and somebody is there who takes it: who answers, not who can merely be
/// heard. Of a pair that decides which link packets take, so that three questions in vain are enough there.
void Neighbours::set_alive(const std::vector<bool>& up, Nanoseconds now) {
    for (auto& entry : entries_) {
        const bool silent = entry.plan.watched && entry.state == State::probe && entry.asked > kQuestions;
        entry.alive = up[entry.plan.port] && (entry.state == State::configured || (entry.answers && !silent));
        if (up[entry.plan.port] && ways_.changed) { tell(entry, now); }
        if (entry.plan.attachment == NeighbourPlan::kCore) { continue; }
        const bool both = entry.plan.also != neighbour::kNobody;
        const auto bits = static_cast<std::uint8_t>(both                          ? alive::kV4 | alive::kV6
                                                    : is_four(entry.plan.address) ? alive::kV4
                                                                                  : alive::kV6);
        const std::atomic_ref<std::uint8_t> cell(state_.links_alive[entry.plan.attachment]);
        const auto before = cell.load(std::memory_order_relaxed);
        const auto after = static_cast<std::uint8_t>(entry.alive ? before | bits : before & ~bits);
        if (after != before) { cell.store(after, std::memory_order_relaxed); }
    }
}

/// While its port is up: what the port does is told of once, not of each of its neighbours. Who is being asked for the
/// first time, or again since the port came up, is neither alive nor dead yet.
void Neighbours::tell(Entry& entry, Nanoseconds now) {
    const bool asking =
        !entry.alive && entry.state != State::unreachable && !(entry.state == State::probe && entry.asked > kQuestions);
    if (asking) { return; }
    if (!std::exchange(entry.known, true)) { entry.told = Told(1); }  // who answers from the first is no event
    if (const auto changes = entry.told.look(entry.alive ? 1 : 0, now); changes != 0) { ways_.changed(entry, changes); }
}

Neighbours::Entry* Neighbours::find(std::uint8_t port, std::uint32_t attachment, Ip6 address) {
    const auto found = by_address_.find({port, attachment, address});
    return found == by_address_.end() ? nullptr : &entries_[found->second];
}

std::string_view to_text(Neighbours::State state) noexcept {
    switch (state) {
        case Neighbours::State::incomplete:
            return "incomplete";
        case Neighbours::State::reachable:
            return "reachable";
        case Neighbours::State::probe:
            return "probe";
        case Neighbours::State::unreachable:
            return "unreachable";
        case Neighbours::State::configured:
            break;
    }
    return "configured";
}

}  // namespace peerlane::dataplane
