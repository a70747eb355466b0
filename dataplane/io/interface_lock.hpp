// One edge for each interface of the system: two would both take every frame.
#pragma once

#include <optional>
#include <string>

#include "lib/steer/file.hpp"

namespace peerlane::dataplane {

/// A process that has an interface.
struct InterfaceHolder {
    int process = 0;       // 0: the system does not say
    bool trusted = false;  // root's, or of the same user: nobody else can keep an edge from starting
};

/// Who has the interface with this index of the kernel's, if an edge in this network namespace does.
std::optional<InterfaceHolder> holder_of(unsigned index);

/// Takes it, for as long as the file is open: an abstract Unix socket (unix(7)) that nobody serves. Those are the
/// network namespace's, as interfaces are, and go with the process however it ends. Not open where another one has it.
steer::File take_interface(unsigned index);

/// What is to be said of an interface that another edge has; `holder` from holder_of().
std::string say_holder(const std::string& interface, const InterfaceHolder& holder);
inline constexpr const char* kHolderRemedy = "end that edge, or name another interface with iface=";

}  // namespace peerlane::dataplane
