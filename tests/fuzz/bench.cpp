#include "tests/fuzz/bench.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <bit>

#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "tests/fuzz/require.hpp"
#include "tests/fuzz/wire.hpp"

namespace peerlane::fuzz {
namespace {

using namespace dataplane;

void mend_checksum(Octets& frame, std::size_t l3) {
    if (frame.size() < l3 + 20 || frame[l3] >> 4U != 4) { return; }
    const std::size_t length = (frame[l3] & 15U) * 4U;
    if (length < 20 || frame.size() < l3 + length) { return; }
    frame[l3 + 10] = frame[l3 + 11] = 0;
    const auto sum = test::internet_checksum(Octets(frame.begin() + static_cast<std::ptrdiff_t>(l3),
                                                    frame.begin() + static_cast<std::ptrdiff_t>(l3 + length)));
    frame[l3 + 10] = static_cast<std::uint8_t>(sum >> 8U);
    frame[l3 + 11] = static_cast<std::uint8_t>(sum);
}

/// Customer whose tunnel a frame to the core is for; its inner packet, in clear.
unsigned tunnel_owner(std::span<const std::uint8_t> frame, Octets& inner) {
    const bool six = at16(frame, 12) == 0x86dd;
    const std::size_t behind = six ? 54 : 34;
    if (frame.size() < behind + 8) { return kThree; }
    const unsigned protocol = frame[six ? 20 : 23];
    const BenchTunnel* sealed = nullptr;
    Octets delivery(frame.begin() + static_cast<std::ptrdiff_t>(behind), frame.end());
    if (protocol == 50) {
        for (const auto& tunnel : bench_tunnels()) {
            if (tunnel.sealed && at32(frame, behind) == bench_spi(tunnel, true)) { sealed = &tunnel; }
        }
        require(sealed != nullptr, "an SPI of nobody's left");
        auto opened = open_esp(bench_key(*sealed, true), delivery.data(), delivery.size());
        require(opened.has_value(), "SPI {:#x} is not sealed under its key", at32(frame, behind));
        delivery = std::move(opened->payload);
        if (!sealed->transport) { delivery.erase(delivery.begin(), delivery.begin() + (sealed->six ? 40 : 20)); }
    } else if (protocol != 47) {
        return kThree;
    }
    const bool keyed = (delivery[0] & 0x20U) != 0;
    inner.assign(delivery.begin() + (keyed ? 8 : 4), delivery.end());
    for (const auto& tunnel : bench_tunnels()) {
        if (tunnel.key.has_value() != keyed || (keyed && *tunnel.key != at32(delivery, 4))) { continue; }
        require(tunnel.sealed == (sealed != nullptr), "a protected tunnel's packet left in clear");
        require(sealed == nullptr || sealed == &tunnel, "a tunnel's packet left under another's SA");
        return tunnel.customer;
    }
    require(false, "a GRE key of nobody's left");
    return kThree;
}

}  // namespace

unsigned owners_by_tags(unsigned port, const Octets& frame) {
    // Which TPIDs are tags is the edge's to say: what could be one may be.
    std::vector<unsigned> vlans;
    for (std::size_t at = 12; at + 4 <= frame.size() && vlans.size() < 3; at += 4) {
        const auto type = at16(frame, at);
        if (type != 0x8100 && type != 0x88a8 && type < 0x9100) { break; }
        if (const auto vlan = at16(frame, at + 2) & 0xfffU; vlan != 0) { vlans.push_back(vlan); }
    }
    unsigned owners = 0;
    if (vlans.size() >= 2 && vlans[0] == 100 && vlans[1] == 10) { owners |= 1U; }
    if (port == kAccess0 && !vlans.empty() && vlans[0] == 300) { owners |= 2U; }
    if (port == kAccess1 && vlans.size() >= 2 && vlans[0] == 200 && vlans[1] == 10) { owners |= 4U; }
    return owners;
}

unsigned owners_by_key(const Octets& frame) {
    unsigned owners = 1U << 2U;
    for (const auto& tunnel : bench_tunnels()) {
        if (!tunnel.key || tunnel.sealed) { continue; }
        for (std::size_t at = 0; at + 4 <= frame.size(); ++at) {
            if (at32(frame, at) == *tunnel.key) { owners |= 1U << tunnel.customer; }
        }
    }
    return owners;
}

void edit(Input& input, Octets& frame, std::size_t l3) {
    const auto choice = input.byte();
    const unsigned edits = choice & 3U;
    for (unsigned i = 0; i < edits && !frame.empty(); ++i) {
        const auto how = input.byte();
        // Mostly where headers are.
        const std::size_t reach = (how & 8U) != 0 ? frame.size() : std::min<std::size_t>(frame.size(), 128);
        const auto at = (reach > 256 ? input.two() : input.byte()) % reach;
        switch (how & 7U) {
            case 0:
                frame[at] ^= static_cast<std::uint8_t>(1U << (how >> 5U));
                break;
            case 1:
            case 2:
                frame[at] = input.byte();
                break;
            case 3:
                frame.resize(at);
                break;
            case 4:
                frame.resize(frame.size() + input.byte(), static_cast<std::uint8_t>(how));
                break;
            case 5: {
                const auto value = input.two();
                frame[at] = static_cast<std::uint8_t>(value >> 8U);
                if (at + 1 < frame.size()) { frame[at + 1] = static_cast<std::uint8_t>(value); }
                break;
            }
            case 6: {
                const auto more = input.take(1U + (how >> 4U));
                frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), more.begin(), more.end());
                break;
            }
            default: {
                const auto less = std::min<std::size_t>(1U + (how >> 4U), frame.size() - at);
                frame.erase(frame.begin() + static_cast<std::ptrdiff_t>(at),
                            frame.begin() + static_cast<std::ptrdiff_t>(at + less));
            }
        }
    }
    if ((choice & 4U) == 0 && edits != 0) { mend_checksum(frame, l3); }
}

Octets raw_frame(Input& input) {
    const auto taken = input.take(input.byte());
    return {taken.begin(), taken.end()};
}

Bench::Bench(bool learnt) {
    Wires& wires = Wires::get();
    const auto& model = three_customers(learnt);
    snapshot = compile(model, state, nullptr, {std::vector<Mac>(kPorts), now});
    set_limits(*snapshot, state, now, false);
    state.commit();
    local = std::make_unique<LocalDelivery>(*wires.local, state, std::vector<std::optional<Tap>>(kPorts), wires.pool);
    local->adopt(*snapshot, now);
    team_ = std::make_unique<Team>(state, kWorkers);
    for (unsigned i = 0; i < kWorkers; ++i) { (*team_)[i].snapshot = snapshot.get(); }
}

Bench::~Bench() {
    team_.reset();
    local.reset();
    Wires::get().drain();
}

void Bench::allow(const Octets& octets, unsigned owners) {
    for (const auto mark : marks_in(octets)) { owners_[mark] |= owners; }
}

Octets Bench::payload(unsigned size) {
    return marked_payload(marks_++, size);
}

void Bench::feed(unsigned port, unsigned worker, const Octets& frame) {
    if (Wires::get().feed(port, worker, frame)) { ++fed_; }
}

void Bench::note(unsigned port, std::span<const std::uint8_t> frame) {
    ++taken_;
    out.emplace_back(port, Octets(frame.begin(), frame.end()));
    require(frame.size() >= 14, "a frame of {} bytes left", frame.size());
    const auto most = port == kCore ? 1500U + 14U : kAccessMtu[port == kAccess0 ? 0 : 1] + 22U;
    require(frame.size() <= most, "a frame of {} bytes left port {}", frame.size(), port);
    unsigned owner = kThree;
    Octets inner(frame.begin() + 14, frame.end());
    if (port == kCore) {
        owner = tunnel_owner(frame, inner);
    } else {
        const auto owners = owners_by_tags(port, out.back().second);
        require(owners != 0, "a frame left with tags of nobody's");
        owner = static_cast<unsigned>(std::countr_zero(owners));
    }
    for (const auto mark : marks_in(inner)) {
        const auto found = owners_.find(mark);
        if (found == owners_.end()) { continue; }
        // An echo reply to somebody on the core is nobody's packet.
        require(owner == kThree ? port == kCore : (found->second >> owner & 1U) != 0,
                "a packet of customer bits {:#x} came out at customer {}", found->second, owner);
    }
}

void Bench::settle() {
    for (unsigned round = 0; round < 2; ++round) {
        for (unsigned i = 0; i < kWorkers; ++i) {
            team_->poll(i, now);
            Wires::get().take(i, [&](unsigned port, std::span<const std::uint8_t> frame) { note(port, frame); });
        }
        if (round == 0) { local->serve(*snapshot, std::vector<bool>(kPorts, true), now); }
    }
    for (unsigned i = 0; i < kWorkers; ++i) {  // what went from one to the other in the last round
        team_->poll(i, now);
        Wires::get().take(i, [&](unsigned port, std::span<const std::uint8_t> frame) { note(port, frame); });
    }
    check_conservation(state, fed_, 0, taken_);
}

}  // namespace peerlane::fuzz
