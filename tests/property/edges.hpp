// Random edges, and whose frame is whose by a reader that shares nothing with the product.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/pipeline/packet.hpp"

namespace peerlane::test {

using Random = std::mt19937_64;

inline std::uint64_t below(Random& random, std::uint64_t limit) {
    return random() % limit;
}
inline bool one_in(Random& random, std::uint64_t n) {
    return below(random, n) == 0;
}

struct Tunnel {
    std::string local, remote;
    std::optional<std::uint32_t> key;
    bool operator==(const Tunnel&) const = default;
};
struct Attachment {
    std::string port;
    unsigned outer = 0, inner = 0;  // inner 0: a single tag
    bool operator==(const Attachment&) const = default;
};
struct Tenant {
    std::vector<Attachment> attachments;
    std::vector<Tunnel> tunnels;
};
/// A configuration in which every customer has the same addresses.
struct RandomEdge {
    std::string yaml;
    std::vector<Tenant> tenants;
};
RandomEdge random_edge(Random& random);

/// Index of the tenant whose tags, or whose tunnel, a frame shows; nullopt: nobody's. On core ports `sent` says which
/// of its addresses is ours.
std::optional<std::size_t> owner(const RandomEdge& edge, const std::string& port, const Octets& frame, bool sent);

/// A frame that is right in every respect, of `tenant`, carrying `mark`; and what may become of frames on the way.
Octets right_frame(Random& random, const RandomEdge& edge, std::size_t tenant, bool from_cloud, std::uint32_t mark);
void mutate(Random& random, Octets& frame);
/// The mark that right_frame() put into a frame.
std::optional<std::uint32_t> mark_of(const Octets& frame);

}  // namespace peerlane::test
