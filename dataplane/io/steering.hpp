// Steering of net_af_xdp ports (lib/steer): what DPDK's driver is told, the program taken over from it, its maps filled
// from snapshots.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/io/device.hpp"
#include "dataplane/tables/snapshot.hpp"
#include "lib/steer/steering.hpp"

namespace peerlane::dataplane {

class Ports;

/// The interface on which frames would be steered for a port with this `device:` and `steering:`; nullopt for another
/// driver, `steering: false`, and a device that brings a program of its own (xdp_prog=).
std::optional<std::string> steered_interface(const std::string& device, bool steering);

/// One port's, from before its device is probed until before it is closed. Control thread.
class PortSteering {
  public:
    /// Throws Failure when something stands in the way. `where` names the port.
    PortSteering(std::string where, std::string interface, bool access);

    /// What DPDK is to be told beside the device's arguments.
    [[nodiscard]] std::string arguments() const;
    /// When the queues are set up: DPDK's driver has attached the program and opened `sockets`. Throws Failure.
    void take_over(std::span<const int> sockets);
    /// What the interface has to receive. Throws Failure.
    void receive(bool promiscuous);

    /// Adds what `next` has more for port `index`, before its frames are to be forwarded. Throws Failure, and then
    /// nothing has changed that matters: keep() of the snapshot in force undoes it.
    void add(const Snapshot& next, std::size_t index);
    /// Takes out what `now` does not have.
    void keep(const Snapshot& now, std::size_t index);

    struct Status {
        const char* mode;  // "native", "generic", "offloaded"; "none" when the interface is gone
        const char* copy;  // "copy", "zero-copy", "unknown"
        steer::Verdicts verdicts;
    };
    [[nodiscard]] Status status() const;

  private:
    std::string where_;
    std::string interface_;
    unsigned index_ = 0;  // the system's number of the interface
    steer::File object_;
    std::optional<steer::Steering> steering_;
};

/// For every steered port: add() before a snapshot is published, keep() behind it.
void admit(const Ports& ports, const Snapshot& next);
void dismiss(const Ports& ports, const Snapshot& now);
/// add() of the snapshot in force: what a device that was opened again lacks. One that refuses holds up no other;
/// returns what they said.
std::vector<std::string> admit_each(const Ports& ports, const Snapshot& now);

}  // namespace peerlane::dataplane
