// Who asks by the edge's socket, and what is answered.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace peerlane::dataplane {

/// The process at the other end, as the kernel vouches for it (SO_PEERCRED of unix(7)): as it was when it connected.
struct Peer {
    std::uint32_t uid = 0;
    std::int32_t pid = 0;     // 0: of another namespace
    bool may_change = false;  // false: it may only `show`
};

/// An answer; large ones are made in pieces, so that control does something else between them.
struct Reply {
    std::string text;  // without newline, as far as it is made
    /// Makes the next piece, which takes a millisecond or so; true: there is more to make. Empty: `text` is whole.
    std::function<bool(std::string& text)> more{};
};

}  // namespace peerlane::dataplane
