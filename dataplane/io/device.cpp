#include "dataplane/io/device.hpp"

#include <net/if.h>

#include <algorithm>
#include <cctype>

#include "dataplane/io/failure.hpp"

namespace peerlane::dataplane {
namespace {

/// Against a pattern in which x stands for a hexadecimal digit.
bool like(std::string_view text, std::string_view pattern) {
    return std::ranges::equal(text, pattern, [](char letter, char wanted) {
        return wanted == 'x' ? std::isxdigit(static_cast<unsigned char>(letter)) != 0 : letter == wanted;
    });
}

}  // namespace

Device parse_device(std::string_view text, const std::string& where) {
    const std::string name(text.substr(0, text.find(',')));
    const std::string arguments(text);
    if (name.empty()) {
        throw Failure(where, "has no `device`", "add `device`: a PCI address or a DPDK device string");
    }
    if (like(name, "xxxx:xx:xx.x")) { return {false, arguments, name}; }
    if (like(name, "xx:xx.x")) { return {false, "0000:" + arguments, "0000:" + name}; }
    if (name.starts_with("net_")) { return {true, arguments, name}; }
    if (if_nametoindex(name.c_str()) != 0) {
        throw Failure(where, "device `" + name + "` is a network interface of the system, not a DPDK device",
                      "write its PCI address, or `net_af_packet0,iface=" + name + "` to share it with the system");
    }
    return {false, arguments, name};
}

}  // namespace peerlane::dataplane
