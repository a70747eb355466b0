// memif (a port whose other end is another process): what DPDK's driver leaves to whoever uses it.
#pragma once

#include "dataplane/io/device.hpp"

namespace peerlane::dataplane {

/// Before a device is probed: takes away the socket that a killed edge has left behind as a memif server, on which the
/// driver could not listen. Does nothing for other devices, and where somebody listens.
void clear_dead_socket(const Device& device);

}  // namespace peerlane::dataplane
