// The life of security associations as control sees it: sequence numbers reserved on disk ahead of the workers, what
// keys have used, soft limits told, hard limits set.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "config/model.hpp"
#include "dataplane/control/sa_store.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// Whether the configuration has an SA whose cipher is broken by a nonce that comes twice.
bool needs_store(const config::Model& model);

/// Control thread.
class SaUpkeep {
  public:
    SaUpkeep(State& state, std::function<Nanoseconds()> clock);

    /// Before `model` is compiled: opens the state directory, the first time there is an SA at all. Throws Failure if
    /// it cannot be had and needs_store(), or lies in memory then and nobody said that it may; else says so and goes on
    /// without.
    void open(const config::Model& model);
    /// Before something that takes longer than a look: sequence numbers for a second or more. What cannot be had is
    /// told.
    void reserve_ahead(const Snapshot& snapshot);
    /// The last thing before `next` is published, for from here on it is taken as published: sequence numbers for all
    /// that it sends under are on disk, and no limit of the snapshot before keeps its SAs from passing. Throws Failure;
    /// then nothing has changed.
    void prepare(const Snapshot& next);
    /// `after` is published and no worker reads `before` (may be null): its limits apply.
    void published(const Snapshot* before, const Snapshot& after);
    /// As often as control wakes up: look(), every kTick at most.
    void tick(const Snapshot& snapshot);
    /// Reserves more where it runs short, tells of soft and hard limits (of kTold SAs at a time).
    void look(const Snapshot& snapshot);
    /// The key of the SA in `plan` is `age` old by now, in all its lanes. False where it has not been used yet, so that
    /// its time has not begun.
    bool set_age(const Snapshot& snapshot, const SaPlan& plan, Nanoseconds age);
    /// The workers have stopped: what was used is known exactly, and saved.
    void end(const Snapshot& snapshot) noexcept;

    /// How often tick() wants to be called, milliseconds.
    static constexpr int kTick = 50;
    static constexpr std::size_t kTold = 1'024;

  private:
    struct Watch {
        std::uint64_t block = 0;  // sequence numbers to be ahead by
        bool soft_told = false, hard_told = false;
    };
    using Watches = std::unordered_map<std::uint32_t, Watch>;  // by SA slot
    static void reserve(const Snapshot& snapshot, const State& state, SaMemory& memory, Watches& watches,
                        std::uint64_t times);
    void save_what_is_used(const Snapshot& snapshot, std::uint64_t times);
    void refuse_turned(const Snapshot& next) const;
    void forget_departed(const Snapshot& before, const Snapshot& after);
    void list(const Snapshot& snapshot);
    [[nodiscard]] bool runs_short() const;
    void save(const SaMemory& memory);
    void look_at_clocks(const Snapshot& snapshot);
    void make_older(const Snapshot& snapshot, Nanoseconds by);
    void grow_older();
    [[nodiscard]] std::uint64_t least(const SaKey& key) const;
    void note_use(const Snapshot& snapshot, SaMemory& memory, bool exact) const;
    void tell(const Snapshot& snapshot);

    State& state_;
    std::function<Nanoseconds()> clock_;
    Nanoseconds aged_;  // State::sa_memory says how old keys were then
    std::unique_ptr<SaStore> store_;
    Watches watches_;
    /// One that sends, and how many numbers it has to be ahead by.
    struct Sending {
        std::uint32_t slot;
        std::uint64_t last, ahead;
    };
    std::vector<Sending> sending_;        // of the snapshot published last
    std::vector<std::uint32_t> limited_;  // those with a lifetime: indices into Snapshot::sas
    std::size_t told_ = 0;                // index into limited_: where tell() goes on
    Nanoseconds looked_ = 0;
    Nanoseconds saved_ = 0;
    Nanoseconds pause_;  // from one save to the next where nothing runs short
    bool tried_ = false;
    bool failing_ = false;
};

}  // namespace peerlane::dataplane
