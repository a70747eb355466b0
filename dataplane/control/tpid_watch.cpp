#include "dataplane/control/tpid_watch.hpp"

#include <fmt/format.h>

#include "config/derive.hpp"
#include "dataplane/pipeline/tpids.hpp"

namespace peerlane::dataplane {
namespace {

std::uint64_t frames_of(const State& state, std::uint32_t attachment) {
    std::uint64_t sum = 0;
    for (const auto& worker : state.workers) { sum += read(worker->tpid_mismatches[attachment]); }
    return sum;
}

/// What differs, and the setting that makes it agree.
std::string difference(const PortInfo& port, const Exit& exit, std::uint32_t heard) {
    const bool two = heard::inner(heard) != 0;
    const auto sent = two ? port.service_tpid : port.single_tpid;
    if (!exit.hears_tpid && heard::outer(heard) != sent) {
        const auto key = two ? "service_tpid" : "single_tpid";
        return fmt::format(
            "frames arrive with TPID {0:#06x}, the edge sends {1:#06x}: set `{2}: {0:#06x}` or `{2}: auto` for port "
            "{3}",
            heard::outer(heard), sent, key, port.name);
    }
    return fmt::format(
        "frames arrive with inner TPID {0:#06x}, the edge sends {1:#06x}: set `inner_tpid: {0:#06x}` for port {2}",
        heard::inner(heard), port.inner_tpid, port.name);
}

}  // namespace

void TpidWatch::look(const Snapshot& snapshot, const State& state, Nanoseconds now,
                     const std::function<void(const std::string& line)>& say) {
    if (looked_ != 0 && now - looked_ < kInterval) { return; }
    looked_ = now;
    std::uint64_t frames = 0;
    for (const auto& worker : state.workers) { frames += read(worker->all_tpid_mismatches); }
    if (frames == frames_) { return; }
    frames_ = frames;
    unsigned lines = 0, more = 0;
    for (const auto& peering : snapshot.names.peerings) {
        for (const auto link : peering.links) {
            const auto index = peering.slot * kLinks + raw(link);
            const auto mark = snapshot.peerings[peering.slot].mark;
            Said here{mark, heard::load(state, index), frames_of(state, index)};
            if (here.frames == 0) { continue; }
            Said& said = said_[index];
            const bool news = said.mark != mark || (said.heard != here.heard && said.frames != here.frames);
            if (!news) { continue; }
            said = here;
            if (++lines > kLinesAtOnce) {
                ++more;
                continue;
            }
            say(fmt::format("{}/{}, {} peering, {} link: {}", peering.customer, peering.circuit, peering.type,
                            config::to_text(link),
                            difference(snapshot.ports[snapshot.exits[index].port], snapshot.exits[index], here.heard)));
        }
    }
    if (more != 0) { say(fmt::format("{} more links on which other TPIDs arrive than the edge sends", more)); }
}

}  // namespace peerlane::dataplane
