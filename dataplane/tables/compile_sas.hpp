// The security associations of a compilation: keys, state slots, headers, the table of what is received.
#pragma once

#include <vector>

#include "config/model.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

class SaCompiler {
  public:
    SaCompiler(Snapshot& snapshot, State& state, const Snapshot* previous, Nanoseconds now)
        : snapshot_(snapshot), state_(state), previous_(previous), now_(now) {}

    /// One protected tunnel. Returns the numbers of its inbound SAs as tunnel identities show them. Throws
    /// std::length_error, or what make_key() throws.
    std::vector<std::uint32_t> add(const config::VirtualNetwork& network, const PortInfo& port, std::uint32_t tunnel,
                                   std::uint32_t name);
    /// When all tunnels are known.
    void finish();

  private:
    struct Taken {
        std::uint32_t slot;
        std::uint8_t owner;
    };
    [[nodiscard]] std::uint32_t first_owner(const config::Ipsec& ipsec, std::uint32_t tunnel) const;
    Taken take(const SaKey& key, EspSuite suite, std::uint32_t spread);
    [[nodiscard]] SaRecord used_before(const SaKey& key, EspSuite suite) const;
    static SaPlan plan_of(const config::Ipsec& ipsec, const SaKey& key, Taken taken, std::uint32_t tunnel,
                          std::uint32_t name);
    std::shared_ptr<const ipsec::Key> key(EspSuite suite, const config::Secret& secret, ipsec::Way way);
    void add_outbound(const config::VirtualNetwork& network, const config::OutboundSa& sa, const ipsec::SaOut& common,
                      std::uint32_t tunnel, std::uint32_t name, bool has_next, bool standby);
    std::uint32_t add_inbound(const config::Ipsec& ipsec, const config::InboundSa& sa, std::uint32_t tunnel,
                              std::uint32_t name, std::uint32_t spread);
    void put(unsigned worker, std::uint32_t tunnel, const ipsec::SaOut& sa, bool standby);

    Snapshot& snapshot_;
    State& state_;
    const Snapshot* previous_;
    Nanoseconds now_;
    std::uint32_t first_owner_ = 0;  // of the tunnel being added: the worker of its first lane
    struct Standby {
        unsigned worker;
        std::uint32_t tunnel;
        ipsec::SaOut sa;
    };
    std::vector<Standby> standby_;
    std::vector<table::SaTable<ipsec::SaIn>::Entry> entries_;
};

/// Whether limits apply to SAs that run under another configuration still.
enum class Limits : std::uint8_t {
    exact,
    no_tighter  // packets, bytes and time: the larger of what is and what will be
};

/// Control, before `snapshot` is published (no_tighter, so that nothing is refused by limits that are not in force yet;
/// it must be published then), when it is, and whenever a reservation has grown: what its SAs may not go beyond.
/// `reserved`: outbound sequence numbers go no further than State::sa_memory says is on disk; else as far as they can.
void set_limits(const Snapshot& snapshot, State& state, Nanoseconds now, bool reserved, Limits how = Limits::exact);

/// How long ago the key of the SA in `plan` was first used, all runs together; 0 before.
Nanoseconds age_of(const SaPlan& plan, const State& state, Nanoseconds now);

/// What the SA in `plan` has used by now.
SaRecord record_of(const SaPlan& plan, const State& state, Nanoseconds now);

/// Control, when `after` is published and no worker reads `before`: what the SAs that left have used is remembered. An
/// SA has left when its slot has, though its key may go on in another one, under another kind of cipher.
void keep_departed_sas(const Snapshot& before, const Snapshot& after, State& state, Nanoseconds now);

}  // namespace peerlane::dataplane
