// How old keys are, where a clock was wrong about it.
#include <set>

#include "dataplane/control/sa_upkeep.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/tables/compile_sas.hpp"

namespace peerlane::dataplane {

void SaUpkeep::look_at_clocks(const Snapshot& snapshot) {
    const auto event = store_->look_at_clocks();
    if (!event.what.empty()) { log("ages of keys: {}", event.what); }
    if (event.older != 0) { make_older(snapshot, event.older); }
}

/// The keys of earlier runs. None gets younger than it was when it was saved.
void SaUpkeep::make_older(const Snapshot& snapshot, Nanoseconds by) {
    const auto was_used = [&](const SaKey& key) {
        const auto found = store_->loaded().find(key);
        return found != store_->loaded().end() && found->second.age != 0;
    };
    for (auto& [key, record] : state_.sa_memory) {
        if (record.age != 0 && was_used(key)) { record.age += by; }
    }
    for (const auto& plan : snapshot.sas) {
        if (was_used(plan.key)) { state_.sa_ages[plan.slot] += by; }
    }
    set_limits(snapshot, state_, clock_(), true);
}

bool SaUpkeep::set_age(const Snapshot& snapshot, const SaPlan& plan, Nanoseconds age) {
    const auto now = clock_();
    bool any = false;
    for (const auto& one : snapshot.sas) {
        const bool same = one.key.fingerprint == plan.key.fingerprint && one.key.outbound == plan.key.outbound;
        if (!same || read(state_.sa_faults[one.slot].born) == 0) { continue; }
        any = true;
        // Modulo 2^64: it may be younger than the time since it was taken up.
        state_.sa_ages[one.slot] += std::max<Nanoseconds>(age, 1) - age_of(one, state_, now);
        watches_[one.slot].soft_told = watches_[one.slot].hard_told = false;
    }
    if (!any) { return false; }
    if (store_) {
        save_what_is_used(snapshot, 1);
    } else {
        set_limits(snapshot, state_, now, false);
    }
    return true;
}

}  // namespace peerlane::dataplane
