// Rules for what must survive a restart.
#include <fmt/format.h>

#include "config/derive.hpp"
#include "config/validate.hpp"

namespace peerlane::config {

/// A path that depends on where the edge is started from is another directory the next time, which knows nothing of the
/// sequence numbers that were used.
void validate_state(const Check& check) {
    const std::string& directory = check.model.edge.state_dir;
    if (directory.starts_with('/')) return;
    bool sealed = false;
    each_network(check.model, [&](const VirtualNetwork& network) { sealed |= network.ipsec.has_value(); });
    const Cursor given = Cursor{&check.sources.trees.front(), 0}.find("edge").find("state_dir");
    if (!sealed || !given || given.kind() != Kind::scalar) return;
    check.report.error(
        given.place(),
        fmt::format("state_dir: `{}` is relative, so that an edge started from another directory would use "
                    "sequence numbers again",
                    directory),
        "write an absolute path, as /var/lib/peerlane; an edge that has run with this one needs its sa-state "
        "and lock moved there");
}

}  // namespace peerlane::config
