#include "dataplane/io/device_failures.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>

#include "dataplane/io/log.hpp"

namespace peerlane::dataplane {

bool loses_what_it_took(std::string_view driver) noexcept {
    constexpr std::array<std::string_view, 5> kRefuse{"net_af_xdp", "net_tap", "net_vhost", "net_ring", "net_memif"};
    return std::ranges::find(kRefuse, driver) == kRefuse.end();
}

void DeviceFailures::look(const Port& port, std::size_t index, Nanoseconds now) {
    Known& known = known_[index];
    if (!port.open || !loses_what_it_took(port.driver) || (known.looked != 0 && now - known.looked < kPeriod)) {
        return;
    }
    known.looked = now;
    rte_eth_stats stats{};
    if (rte_eth_stats_get(port.device, &stats) != 0) { return; }
    const auto failures = follow(stats.oerrors, index, now);
    if (failures == 0) { return; }
    log("port {}: {} did not send {} packets that it had taken: the link or the interface's MTU has changed, or the "
        "device has a fault",
        port.setup.name, port.driver, failures);
}

std::uint64_t DeviceFailures::follow(std::uint64_t count, std::size_t index, Nanoseconds now) {
    Known& known = known_[index];
    known.sum += count < known.read ? count : count - known.read;
    known.read = count;
    if (known.sum == known.said || now < known.silent_until) { return 0; }
    const auto failures = known.sum - known.said;
    known.said = known.sum;
    known.silent_until = now + kSilence;
    return failures;
}

}  // namespace peerlane::dataplane
