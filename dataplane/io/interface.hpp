// Interfaces of the system, as ports over them need to know them: there, up, and listening.
#pragma once

#include <string>

#include "lib/steer/file.hpp"

namespace peerlane::dataplane {

struct Interface {
    unsigned index = 0;   // the kernel's; 0: there is none of this name
    bool up = false;      // administratively, and with a carrier
    bool set_up = false;  // administratively
    unsigned mtu = 0;     // octets
};

/// How the interface stands: three system calls.
Interface look_at_interface(const std::string& name);

/// Sets its MTU, octets. False: without CAP_NET_ADMIN, or beyond what the interface takes.
bool set_mtu_of_interface(const std::string& name, unsigned mtu);

/// After an interface was set down, the kernel answers the next frame on every packet socket there with that error, and
/// keeps the frame until another is sent. This takes the error away, of this process's sockets on that interface.
void forget_socket_errors(unsigned index);

/// Its name; "" if there is none.
std::string interface_name(unsigned index);

/// Lets an interface receive frames to all group MACs, with `everything` to any MAC, as long as the file is open: in
/// this way nothing is left switched on when the process dies. Not open without CAP_NET_RAW.
steer::File listen_to_groups(unsigned index, bool everything);

}  // namespace peerlane::dataplane
