// The object file of the XDP program (steer.bpf.c), as it is inside this program.
#pragma once

#include <span>

namespace peerlane::steer {

std::span<const unsigned char> object() noexcept;

}  // namespace peerlane::steer
