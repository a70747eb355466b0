#include "dataplane/io/process.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace peerlane::dataplane {

void keep_memory_private() noexcept {
    // A dump that is piped to a program is bounded by no limit; one of a process that is not dumpable is not made.
    prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

}  // namespace peerlane::dataplane
