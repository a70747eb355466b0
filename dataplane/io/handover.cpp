#include "dataplane/io/handover.hpp"

#include <string>

namespace peerlane::dataplane {

HandoverRings::HandoverRings(unsigned workers) {
    for (unsigned i = 0; workers > 1 && i < workers; ++i) {
        rings_.push_back(std::make_unique<SharedRing>("handover" + std::to_string(i), kHandoverRoom));
        all_.push_back(rings_.back().get());
    }
}

}  // namespace peerlane::dataplane
