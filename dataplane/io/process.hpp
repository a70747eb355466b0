// What the process keeps from the rest of the system.
#pragma once

namespace peerlane::dataplane {

/// From here on the process leaves no core dump, and only a privileged process may read its memory (prctl(2),
/// PR_SET_DUMPABLE): it holds customers' packets and keys. Call it before anything is read.
void keep_memory_private() noexcept;

}  // namespace peerlane::dataplane
