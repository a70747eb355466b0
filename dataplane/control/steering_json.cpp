#include "dataplane/control/steering_json.hpp"

#include "lib/steer/statistics.hpp"

namespace peerlane::dataplane {

namespace {
using Json = nlohmann::ordered_json;
}

Json xdp_json(const Port& port) {
    if (!port.steering) { return nullptr; }
    const auto status = port.steering->status();
    std::uint64_t redirected = 0;
    std::uint64_t passed = 0;
    auto verdicts = Json::object();
    for (unsigned i = 0; i < STEER_VERDICTS; ++i) {
        const auto count = status.verdicts[i];
        (i < STEER_PASSED ? redirected : passed) += count;
        if (count != 0) { verdicts[std::string(steer::to_text(static_cast<steer_verdict>(i)))] = count; }
    }
    return {{"mode", status.mode},
            {"copy", status.copy},
            {"redirected", redirected},
            {"passed", passed},
            {"verdicts", std::move(verdicts)}};
}

Json xdp_statistics_json(const Port& port) {
    if (port.xdp_sockets.empty()) { return nullptr; }
    const auto counts = steer::xdp_statistics(port.xdp_sockets);
    auto json = Json::object();
    for (std::size_t i = 0; i < counts.size(); ++i) { json[std::string(steer::kXdpCounts[i])] = counts[i]; }
    return json;
}

}  // namespace peerlane::dataplane
