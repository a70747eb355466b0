// Which TPIDs a customer's router uses: heard where they are not those that are sent to it, or where it is to get back
// its own (IEEE 802.1Q §9.5, table 9-1; 0x9100 to 0x9300 are older than the standard).
#pragma once

#include <atomic>

#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/pipeline/worker.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {

/// State::heard_tpids.
namespace heard {
constexpr std::uint32_t word(unsigned outer, unsigned inner) noexcept {
    return inner << 16U | outer;
}
constexpr std::uint16_t outer(std::uint32_t word) noexcept {
    return static_cast<std::uint16_t>(word);
}
constexpr std::uint16_t inner(std::uint32_t word) noexcept {
    return static_cast<std::uint16_t>(word >> 16U);
}
inline std::uint32_t load(const State& state, std::uint32_t attachment) noexcept {
    return std::atomic_ref(state.heard_tpids[attachment]).load(std::memory_order_relaxed);
}
}  // namespace heard

/// After classify, where Burst::tpids says so: remembers what was heard, and counts what differs from what is sent.
/// What a device has taken off cannot be heard.
[[gnu::noinline, gnu::cold]] inline void hear_tpids(Worker& worker, Burst& burst) noexcept {
    const PortInfo& port = worker.snapshot->ports[burst.port];
    burst.each([&](std::uint32_t slot) {
        if (burst.strips && is_stripped(*burst.mbuf[slot])) { return; }
        const bool two = burst.inner_vid[slot] != 0;
        const auto tpid = [&](unsigned before) {
            return reinterpret_cast<const Be16*>(burst.l3[slot] - before)->get();
        };
        const unsigned inner = two ? tpid(6) : 0;
        const unsigned outer = tpid(two ? 10 : 6);
        const std::uint32_t index = burst.attachment[slot];
        const std::atomic_ref<std::uint32_t> cell(worker.state.heard_tpids[index]);
        const auto now = heard::word(outer, inner);
        if (cell.load(std::memory_order_relaxed) != now) { cell.store(now, std::memory_order_relaxed); }
        const bool answered = worker.snapshot->exits[index].hears_tpid;
        const unsigned sent = answered ? outer : two ? port.service_tpid : port.single_tpid;
        if (outer == sent && (!two || inner == port.inner_tpid)) { return; }
        bump(worker.counters.tpid_mismatches[index]);
        bump(worker.counters.all_tpid_mismatches);
    });
}

/// The TPID heard last into a frame for a customer that begins at `frame`.
inline void put_heard_tpid(const State& state, const Exit& exit, std::uint32_t index, std::uint8_t* frame) noexcept {
    if (!exit.hears_tpid) { return; }
    const auto tpid = heard::outer(heard::load(state, index));
    if (tpid != 0) { reinterpret_cast<ether::Header*>(frame)->type.set(tpid); }
}

/// After the link headers, where Snapshot::hears_tpids says so.
[[gnu::noinline, gnu::cold]] inline void put_heard_tpids(Worker& worker, Burst& burst) noexcept {
    burst.each([&](std::uint32_t slot) {
        const std::uint32_t index = burst.exit[slot];
        const Exit& exit = worker.snapshot->exits[index];
        put_heard_tpid(worker.state, exit, index, burst.l3[slot] - exit.header_length);
    });
}

}  // namespace peerlane::dataplane
