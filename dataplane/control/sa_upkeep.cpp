#include "dataplane/control/sa_upkeep.hpp"

#include <algorithm>
#include <set>

#include "config/derive.hpp"
#include "dataplane/control/state_place.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {
namespace {

// What a crash costs while traffic is slow, and what bridges the time between two looks when it is not: without ESN,
// which has few numbers to waste, 70 ms of 15 million packets a second on one lane; with it 280 ms.
constexpr std::uint64_t least_block(bool esn) noexcept {
    return std::uint64_t{1} << (esn ? 22U : 20U);
}
constexpr std::uint64_t kLargestBlock = std::uint64_t{1} << 27U;
constexpr Nanoseconds kSaveEvery = 5'000'000'000;  // tops of replay windows, ages, counts

std::string label(const Snapshot& snapshot, const SaPlan& plan) {
    const auto& name = snapshot.names.tunnels[plan.name];
    return fmt::format("{}/{}/{}/{} {} SPI {:#x}", name.customer, name.circuit, name.peering, name.name,
                       plan.key.outbound ? "outbound" : "inbound", plan.spi);
}

bool has_limits(const SaLimits& limits) {
    return limits.packets != ipsec::kNoLimit || limits.bytes != ipsec::kNoLimit || limits.age != ipsec::kNoLimit;
}

/// The first limit that is reached, or nothing.
std::string reached(const SaLimits& limit, const SaRecord& used) {
    if (used.packets >= limit.packets) { return fmt::format("{} packets", limit.packets); }
    if (used.bytes >= limit.bytes) { return fmt::format("{} bytes", limit.bytes); }
    if (limit.age != ipsec::kNoLimit && used.age >= limit.age) {
        return fmt::format("{} seconds", limit.age / 1'000'000'000);
    }
    return {};
}

}  // namespace

SaUpkeep::SaUpkeep(State& state, std::function<Nanoseconds()> clock)
    : state_(state), clock_(std::move(clock)), aged_(clock_()), pause_(kSaveEvery) {}

bool needs_store(const config::Model& model) {
    bool counts = false;
    config::each_network(model, [&](const config::VirtualNetwork& network) {
        counts |= network.ipsec && row(network.ipsec->suite).counter_mode;
    });
    return counts;
}

void SaUpkeep::open(const config::Model& model) {
    bool any = false;
    config::each_network(model, [&](const config::VirtualNetwork& network) { any |= network.ipsec.has_value(); });
    const bool needed = needs_store(model);
    grow_older();
    if (needed) {
        if (const auto failure = forgetful(model.edge.state_dir, model.edge.state_dir_volatile)) {
            throw Failure(*failure);
        }
    }
    if (!any || store_ || (tried_ && !needed)) { return; }
    tried_ = true;
    try {
        store_ = std::make_unique<SaStore>(model.edge.state_dir);
    } catch (const Failure& failure) {
        if (needed) {
            throw Failure(failure.problem,
                          "it must hold the sequence numbers of the keys for AES-GCM or ChaCha20-Poly1305, which are "
                          "not sent without it",
                          failure.remedy);
        }
        log("{}; only CBC is in use: sequence numbers begin at 1 at every start, and replays from before are not known",
            failure.problem);
        return;
    }
    if (const auto event = store_->look_at_clocks(); !event.what.empty()) { log("ages of keys: {}", event.what); }
    if (lies_in_memory(model.edge.state_dir)) {
        log("{} lies in memory: after a reboot every SA needs new keys", model.edge.state_dir);
    }
    if (store_->loaded().empty()) {
        log("{}: no key has been used from here before: sequence numbers begin at 1", model.edge.state_dir);
    }
    for (const auto& [key, record] : store_->loaded()) {
        auto& known = state_.sa_memory.try_emplace(key, record).first->second;
        known.sequence = std::max(known.sequence, record.sequence);
    }
}

/// Keys that are not in use grow older too, if they ever were.
void SaUpkeep::grow_older() {
    const auto now = clock_();
    const auto passed = now - aged_;
    for (auto& [key, record] : state_.sa_memory) {
        if (record.age != 0) { record.age = std::max(record.age, record.age + passed); }
    }
    aged_ = now;
}

/// What others have used under a key: an earlier run (an SA of CBC that was up before there was a store has begun below
/// that), and SAs of this run that are gone.
std::uint64_t SaUpkeep::least(const SaKey& key) const {
    const auto loaded = store_->loaded().find(key);
    const auto floor = state_.sa_floors.find(key);
    return std::max(loaded == store_->loaded().end() ? 0 : loaded->second.sequence,
                    floor == state_.sa_floors.end() ? 0 : floor->second);
}

/// What is in use is read off the state; `exact`: no worker is at it any more.
void SaUpkeep::note_use(const Snapshot& snapshot, SaMemory& memory, bool exact) const {
    const auto now = clock_();
    for (const auto& plan : snapshot.sas) {
        auto used = record_of(plan, state_, now);
        auto& record = memory[plan.key];
        const bool known = plan.key.outbound && exact;
        used.sequence = std::max(used.sequence, known ? least(plan.key) : record.sequence);
        record = used;
    }
}

void SaUpkeep::reserve(const Snapshot& snapshot, const State& state, SaMemory& memory, Watches& watches,
                       std::uint64_t times) {
    for (const auto& plan : snapshot.sas) {
        if (!plan.key.outbound) { continue; }
        Watch& watch = watches[plan.slot];
        const bool first = watch.block == 0;
        watch.block = std::max(watch.block, least_block(plan.esn));
        const auto used = read(state.sa_states[plan.slot].sequence);
        auto& reserved = memory[plan.key].sequence;
        const auto last = ipsec::last_sequence(plan.esn);
        if (reserved >= last) { continue; }
        // Half of it went between two looks: be further ahead.
        if (!first && reserved >= used && reserved - used < watch.block / 4) {
            watch.block = std::min(watch.block * 2, kLargestBlock);
        }
        reserved = std::max(reserved, std::min(used + times * watch.block, last));
    }
}

/// What is asked often, without a look at all else of an SA.
bool SaUpkeep::runs_short() const {
    return std::ranges::any_of(sending_, [&](const Sending& one) {
        const auto& sa = state_.sa_states[one.slot];
        const auto limit = read(sa.sequence_limit);
        return limit < one.last && limit - std::min(limit, read(sa.sequence)) < one.ahead;
    });
}

/// The SAs that have to be looked at, and for what.
void SaUpkeep::list(const Snapshot& snapshot) {
    sending_.clear();
    limited_.clear();
    for (std::uint32_t i = 0; i < snapshot.sas.size(); ++i) {
        const auto& plan = snapshot.sas[i];
        if (plan.key.outbound) {
            const auto found = watches_.find(plan.slot);
            const auto block = std::max(found == watches_.end() ? 0 : found->second.block, least_block(plan.esn));
            sending_.push_back({plan.slot, ipsec::last_sequence(plan.esn), block / 4 * 3});
        }
        if (has_limits(plan.soft) || has_limits(plan.hard)) { limited_.push_back(i); }
    }
}

/// The other side sends with what we receive with: its numbers are not known here.
void SaUpkeep::refuse_turned(const Snapshot& next) const {
    for (const auto& plan : next.sas) {
        if (!row(plan.suite).counter_mode) { continue; }
        const auto turned = state_.sa_memory.lower_bound({plan.key.fingerprint, !plan.key.outbound, 0});
        if (turned == state_.sa_memory.end() || turned->first.fingerprint != plan.key.fingerprint ||
            turned->first.outbound == plan.key.outbound) {
            continue;
        }
        throw Failure(label(next, plan),
                      fmt::format("its key has been one to {} with before: nonces would be used twice",
                                  plan.key.outbound ? "receive" : "send"),
                      "make a new key for it");
    }
}

void SaUpkeep::prepare(const Snapshot& next) {
    refuse_turned(next);
    const auto now = clock_();
    if (store_ && !next.sas.empty()) {
        SaMemory memory = state_.sa_memory;
        Watches watches = watches_;
        note_use(next, memory, false);
        reserve(next, state_, memory, watches, 1);
        save(memory);
        // Nothing refuses any more.
        saved_ = now;
        state_.sa_memory = std::move(memory);
        watches_ = std::move(watches);
    }
    set_limits(next, state_, now, store_ != nullptr, Limits::no_tighter);
}

void SaUpkeep::published(const Snapshot* before, const Snapshot& after) {
    const auto now = clock_();
    if (before != nullptr) {
        grow_older();
        keep_departed_sas(*before, after, state_, now);
        forget_departed(*before, after);
    }
    set_limits(after, state_, now, store_ != nullptr);
    list(after);
}

void SaUpkeep::forget_departed(const Snapshot& before, const Snapshot& after) {
    std::set<std::uint32_t> slots;
    std::set<SaKey> keys;
    for (const auto& plan : after.sas) {
        slots.insert(plan.slot);
        keys.insert(plan.key);
    }
    for (const auto& plan : before.sas) {
        if (slots.contains(plan.slot)) {
            watches_[plan.slot].soft_told = watches_[plan.slot].hard_told = false;  // the limits may be others
            continue;
        }
        watches_.erase(plan.slot);
        // Under another kind of cipher the key is still in use.
        if (!store_ || keys.contains(plan.key)) { continue; }
        auto& left = state_.sa_memory[plan.key].sequence;
        left = std::max(left, least(plan.key));
        store_->give_back(plan.key, left);
    }
}

void SaUpkeep::tick(const Snapshot& snapshot) {
    constexpr Nanoseconds kBetween = Nanoseconds{kTick} * 1'000'000;
    if (const auto now = clock_(); now - looked_ >= kBetween) {
        looked_ = now;
        look(snapshot);
    }
}

void SaUpkeep::look(const Snapshot& snapshot) {
    if (snapshot.sas.empty()) { return; }
    tell(snapshot);
    if (!store_ || (!runs_short() && clock_() - saved_ < pause_)) { return; }
    save_what_is_used(snapshot, 1);
    look_at_clocks(snapshot);
}

void SaUpkeep::reserve_ahead(const Snapshot& snapshot) {
    constexpr std::uint64_t kBlocks = 16;
    if (store_ && !snapshot.sas.empty()) { save_what_is_used(snapshot, kBlocks); }
}

void SaUpkeep::save_what_is_used(const Snapshot& snapshot, std::uint64_t times) {
    const auto begun = clock_();
    grow_older();
    SaMemory memory = state_.sa_memory;
    note_use(snapshot, memory, false);
    reserve(snapshot, state_, memory, watches_, times);
    try {
        save(memory);
        if (failing_) { log("the state of the SAs is saved again"); }
        failing_ = false;
    } catch (const std::exception& failure) {  // Failure, or a fault of ours: either way nothing new is reserved
        if (!failing_) { log("{}; what is not reserved is not sent (sequence_not_reserved)", failure.what()); }
        failing_ = true;
        return;
    }
    saved_ = clock_();
    pause_ = std::max(kSaveEvery, 50 * (saved_ - begun));  // a file of very many keys takes its time
    state_.sa_memory = std::move(memory);
    set_limits(snapshot, state_, clock_(), true);
    list(snapshot);
}

void SaUpkeep::save(const SaMemory& memory) {
    if (store_->save(memory)) { return; }
    log("state directory {}: sa-state was moved away or written to by somebody else, and is written again from what "
        "this "
        "edge knows. Put no copy of it back: older sequence numbers are refused at the next start",
        store_->path().native());
}

/// A few at a time, in turn, where they are many.
void SaUpkeep::tell(const Snapshot& snapshot) {
    const auto now = clock_();
    for (std::size_t left = std::min(kTold, limited_.size()); left != 0; --left, ++told_) {
        if (told_ >= limited_.size()) { told_ = 0; }
        const auto& plan = snapshot.sas[limited_[told_]];
        Watch& watch = watches_[plan.slot];
        if (watch.hard_told) { continue; }
        const auto used = record_of(plan, state_, now);
        if (const auto limit = reached(plan.hard, used); !limit.empty()) {
            log("{}: the hard limit of {} is reached: {}", label(snapshot, plan), limit,
                plan.has_next ? "it is not used any more" : "nothing passes any more");
            watch.hard_told = true;
            continue;
        }
        if (watch.soft_told) { continue; }
        if (const auto limit = reached(plan.soft, used); !limit.empty()) {
            log("{}: the soft limit of {} is reached: {}", label(snapshot, plan), limit,
                plan.has_next ? "the next SA is used" : "new keys are due");
            watch.soft_told = true;
        }
    }
}

void SaUpkeep::end(const Snapshot& snapshot) noexcept {
    if (!store_) { return; }
    try {
        grow_older();
        note_use(snapshot, state_.sa_memory, true);
        for (const auto& plan : snapshot.sas) { store_->give_back(plan.key, state_.sa_memory[plan.key].sequence); }
        save(state_.sa_memory);
    } catch (const std::exception& failure) { log("{}; the SAs continue behind what was reserved", failure.what()); }
}

}  // namespace peerlane::dataplane
