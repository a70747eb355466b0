// Links followed, and devices whose interface or server went away taken out of the workers' hands and opened
// again.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/io/device_failures.hpp"
#include "dataplane/io/port.hpp"
#include "dataplane/io/publication.hpp"
#include "dataplane/io/socket_device.hpp"
#include "dataplane/io/told.hpp"
#include "dataplane/io/xdp_watch.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Control thread. Logs what changes.
class PortWatch {
  public:
    static constexpr Nanoseconds kPeriod = 100'000'000;
    static constexpr Nanoseconds kRetry = 1'000'000'000;  // between two attempts to open a device again

    PortWatch(Ports& ports, Publication& publication) : ports_(ports), publication_(publication) {}

    /// What it means that a port's link went up or down, for the log.
    using Meaning = std::function<std::string(std::size_t port, bool up)>;
    void explain(Meaning meaning) { meaning_ = std::move(meaning); }

    /// Looks at every link, at most once per kPeriod. Returns true if some link went up or down.
    bool tick(Nanoseconds now);

    /// By port: packets can pass. All false before the first tick.
    [[nodiscard]] const std::vector<bool>& up() const noexcept { return up_; }
    /// Packets that the device had taken and did not send (DeviceFailures).
    [[nodiscard]] std::uint64_t failed(std::size_t port) const { return failures_.count(port); }
    /// Why a link is down or carries less than it should, for a person; "" where there is nothing to add.
    [[nodiscard]] const std::string& reason(std::size_t port) const {
        return reasons_[port].empty() ? narrow_[port] : reasons_[port];
    }

  private:
    bool look(std::size_t index, Nanoseconds now);
    bool look_at_client(std::size_t index, Nanoseconds now);
    void compare_mtu(std::size_t index, const Interface& interface);
    void detach(std::size_t index);
    bool attach(std::size_t index, Nanoseconds now);
    void tell(std::size_t index, Nanoseconds now);

    Ports& ports_;
    Publication& publication_;
    Meaning meaning_;
    std::vector<Told> told_ = std::vector<Told>(ports_.all().size());  // of up_
    std::vector<Told> attached_ =
        std::vector<Told>(ports_.all().size(), Told(1));  // an interface or server came or went
    std::vector<bool> up_ = std::vector<bool>(ports_.all().size());
    std::vector<std::string> reasons_ = std::vector<std::string>(ports_.all().size());
    std::vector<std::string> refusals_ = std::vector<std::string>(ports_.all().size());  // why one was not opened again
    std::vector<Nanoseconds> forgot_ = std::vector<Nanoseconds>(ports_.all().size());    // forget_socket_errors()
    std::vector<Nanoseconds> tried_ = std::vector<Nanoseconds>(ports_.all().size());
    std::vector<Reconnection> reconnections_ = std::vector<Reconnection>(ports_.all().size());
    std::vector<std::string> narrow_ = std::vector<std::string>(ports_.all().size());  // an MTU that is too low
    std::vector<unsigned> longest_ = std::vector<unsigned>(ports_.all().size());       // let_out()
    std::vector<unsigned> too_low_ = std::vector<unsigned>(ports_.all().size());  // MTU that was complained of; 0: none
    XdpWatch xdp_{ports_.all().size()};
    DeviceFailures failures_{ports_.all().size()};
    Nanoseconds looked_ = 0;
    bool first_ = true;
};

}  // namespace peerlane::dataplane
