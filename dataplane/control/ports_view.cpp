#include "dataplane/control/ports_view.hpp"

#include "dataplane/control/port_events.hpp"
#include "dataplane/control/steering_json.hpp"

namespace peerlane::dataplane {

namespace {
using Json = nlohmann::ordered_json;
}

Json ports_json(const Ports& ports, const State& state, const PortWatch& watch, const LocalDelivery& local) {
    auto list = Json::array();
    for (std::size_t i = 0; i < ports.all().size(); ++i) {
        const auto& port = ports.all()[i];
        const auto& counts = local.counts()[i];
        const auto& asked = local.neighbours().counts(static_cast<std::uint8_t>(i));
        list.push_back({{"device", port.setup.device.arguments},
                        {"driver", port.driver},
                        {"mac", to_string(port.mac)},
                        {"mtu", port.setup.mtu},
                        {"promiscuous", port.promiscuous},
                        {"rx_queues", port.rx_queues},
                        {"tx_queues", port.tx_queues},
                        {"offloads", port.offloads.used},
                        {"in_software", port.offloads.in_software},
                        {"link", watch.up()[i] ? "up" : "down"},
                        {"link_mbps", Ports::link(port).megabits},
                        {"link_reason", watch.reason(i)},
                        {"unclaimed", unclaimed(state, i)},
                        {"tx_failed", watch.failed(i)},
                        {"to_tap", counts.to_tap},
                        {"tap_refused", counts.tap_refused},
                        {"from_tap", counts.from_tap},
                        {"from_tap_refused", counts.from_refused},
                        {"neighbours",
                         {{"asked", asked.asked},
                          {"answered", asked.answered},
                          {"learnt", asked.learnt},
                          {"conflicts", asked.conflicts},
                          {"ignored", asked.ignored}}},
                        {"xdp", xdp_json(port)},
                        {"xdp_statistics", xdp_statistics_json(port)}});
    }
    return list;
}

}  // namespace peerlane::dataplane
