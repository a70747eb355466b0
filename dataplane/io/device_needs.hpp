// What keeps a virtual device from starting: asked once, for `run` and for the preflight.
#pragma once

#include <optional>
#include <string>

#include "dataplane/io/device.hpp"
#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {

/// The value of `name=` in a device string; "" without one.
std::string device_argument(const Device& device, const std::string& name);

/// Whether the device is made by this driver ("net_tap").
bool is_driver(const Device& device, const char* driver);

/// Looks at the driver's name, the interface, the socket and the captures that a device names, and changes nothing.
/// nullopt: nothing is in the way, or the device is on a bus. `where` names the port. `root` stands before /sys and
/// /dev (tests).
std::optional<Failure> device_obstacle(const Device& device, const std::string& where, const std::string& root = {});

}  // namespace peerlane::dataplane
