#include "dataplane/io/xdp_watch.hpp"

#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {

void XdpWatch::look(const Port& port, std::size_t index, Nanoseconds now) {
    if (port.xdp_sockets.empty()) { return; }
    const auto text = follow(steer::xdp_statistics(port.xdp_sockets), index, now);
    if (text.empty()) { return; }
    log("port {}: the kernel has lost frames of AF_XDP:{}; docs/operations.md, Steering with XDP, says why",
        port.setup.name, text);
}

std::string XdpWatch::follow(const steer::XdpStatistics& counts, std::size_t index, Nanoseconds now) {
    Known& known = known_[index];
    if (now < known.silent_until) { return {}; }
    std::string text;
    for (std::size_t i = 0; i < steer::kXdpLosses; ++i) {
        if (counts[i] < known.said[i]) { known.said[i] = 0; }  // a port opened again counts from 0
        if (counts[i] == known.said[i]) { continue; }
        text += fmt::format("{} {} {}", text.empty() ? "" : ",", steer::kXdpCounts[i], counts[i] - known.said[i]);
    }
    if (text.empty()) { return {}; }
    known = {counts, now + kSilence};
    return text;
}

}  // namespace peerlane::dataplane
