// From the configuration's words to what a port is opened with.
#pragma once

#include "config/model.hpp"
#include "dataplane/io/open_port.hpp"

namespace peerlane::dataplane {

/// Throws Failure for a device that is none.
inline PortSetup port_setup(const config::Port& port) {
    const unsigned tags = port.role == config::Role::access ? 2 : 0;
    return {port.name, parse_device(port.device, "port " + port.name), port.mtu, tags, port.mac, port.steering};
}

}  // namespace peerlane::dataplane
