#include "dataplane/io/port_watch.hpp"

#include "dataplane/io/failure.hpp"
#include "dataplane/io/log.hpp"
#include "lib/net/headers.hpp"

namespace peerlane::dataplane {
namespace {

/// Of a port that is no interface of the system's and connects to no server.
std::string why_down(const Port& port) {
    if (!Ports::is_open(port)) { return "the device is closed"; }
    const bool socket = is_memif(port.setup.device) || port.setup.device.name.starts_with("net_vhost");
    return port.setup.device.is_virtual && socket ? "no peer is connected" : "the device has no link";
}

}  // namespace

bool PortWatch::tick(Nanoseconds now) {
    if (!first_ && now - looked_ < kPeriod) { return false; }
    looked_ = now;
    bool changed = false;
    for (std::size_t i = 0; i < up_.size(); ++i) {
        const bool up = look(i, now);
        xdp_.look(ports_.all()[i], i, now);
        failures_.look(ports_.all()[i], i, now);
        ports_.let_out(i, up, longest_[i]);
        if (up) { reasons_[i].clear(); }
        if (first_) { told_[i] = Told(up ? 2 : 1); }  // neither: it is told of at the start
        changed |= first_ || up != up_[i];
        up_[i] = up;
        tell(i, now);
    }
    first_ = false;
    return changed;
}

void PortWatch::tell(std::size_t index, Nanoseconds now) {
    const bool up = up_[index];
    const auto changes = told_[index].look(up ? 1 : 2, now);
    if (changes == 0) { return; }
    const auto& reason = reasons_[index];
    const auto meaning = meaning_ && !first_ ? meaning_(index, up) : "";
    log("port {}: link {}{}{}{}{}", ports_.all()[index].setup.name, up ? "up" : "down", reason.empty() ? "" : ": ",
        reason, changes > 1 ? fmt::format(" (changed {} times since it was last told)", changes) : "",
        meaning.empty() ? "" : "; " + meaning);
}

/// Whether packets can pass.
bool PortWatch::look(std::size_t index, Nanoseconds now) {
    const Port& port = ports_.all()[index];
    if (connects_once(port.setup.device)) { return look_at_client(index, now); }
    if (port.interface == 0) {
        const bool up = Ports::link(port).up;
        if (!up) { reasons_[index] = why_down(port); }
        return up;
    }
    const bool was_open = Ports::is_open(port);
    if (!was_open && (now - tried_[index] < kRetry || !attach(index, now))) { return false; }
    const auto interface = look_at_interface(port.interface_name);
    if (interface.index == port.interface) {
        // Its ring may hold what found no carrier: old by now, and behind what went by the other link of a pair.
        const bool stale = was_open && !first_ && interface.up && !up_[index] && port.driver == "net_af_packet";
        if (stale) {
            detach(index);
            if (!attach(index, now)) { return false; }
        }
        // It may have been down and up again between two looks.
        if (interface.up && (!up_[index] || now - forgot_[index] >= kRetry)) {
            forget_socket_errors(port.interface);
            forgot_[index] = now;
        }
        if (!interface.up) {
            reasons_[index] = interface.set_up ? fmt::format("interface {} has no carrier", port.interface_name)
                                               : fmt::format("interface {} is set down", port.interface_name);
        }
        compare_mtu(index, interface);
        return interface.up;
    }
    // Removed; one of the same name is another one. The driver's sockets belong to the old one.
    reasons_[index] = fmt::format("interface {} is gone", port.interface_name);
    if (attached_[index].look(0, now) != 0) {
        log("port {}: interface {} is gone; the port waits for it, the others go on", port.setup.name,
            port.interface_name);
    }
    detach(index);
    tried_[index] = now - kRetry;
    return false;
}

bool PortWatch::look_at_client(std::size_t index, Nanoseconds now) {
    const Port& port = ports_.all()[index];
    const bool up = Ports::is_open(port) && Ports::link(port).up;
    const bool due = reconnections_[index].due(port.setup.device, port.connection, up, now);
    // Without its server it is of no use, and virtio-user's driver complains at every look.
    if (Ports::is_open(port) && !up && (due || up_[index])) { detach(index); }
    if (due) { attach(index, now); }
    reasons_[index] = up ? "" : reconnections_[index].reason();
    if (!up && reasons_[index].empty()) { reasons_[index] = refusals_[index]; }
    return up;
}

/// Somebody else may set the MTU of an interface that the edge shares with the system. Packet sockets lose what is
/// longer without a word, so it is not given to them.
void PortWatch::compare_mtu(std::size_t index, const Interface& interface) {
    const Port& port = ports_.all()[index];
    const unsigned needed = port.setup.mtu + port.setup.tags * 4U;
    const bool low = interface.mtu != 0 && interface.mtu < needed;
    longest_[index] =
        low && port.driver == "net_af_packet" ? interface.mtu + static_cast<unsigned>(sizeof(ether::Header)) : 0;
    const unsigned complaint = low ? interface.mtu : 0;
    if (complaint == too_low_[index]) { return; }
    too_low_[index] = complaint;
    if (!low) {
        narrow_[index].clear();
        return log("port {}: interface {} has an MTU of {} again", port.setup.name, port.interface_name, interface.mtu);
    }
    narrow_[index] =
        fmt::format("interface {} has an MTU of {}, and the port needs {}", port.interface_name, interface.mtu, needed);
    log("port {}: {}: longer packets are lost\n    ip link set {} mtu {}", port.setup.name, narrow_[index],
        port.interface_name, needed);
}

void PortWatch::detach(std::size_t index) {
    ports_.take(index);
    publication_.wait_for_quiet();
    ports_.close(index);
}

bool PortWatch::attach(std::size_t index, Nanoseconds now) {
    const Port& port = ports_.all()[index];
    // Some drivers make their interface, others need one.
    const bool needs = port.interface != 0 && port.driver != "net_tap";
    if (needs && look_at_interface(port.interface_name).index == 0) { return false; }
    tried_[index] = now;
    try {
        ports_.reopen(index);
    } catch (const std::exception& failure) {
        const std::string said = failure.what();
        if (refusals_[index] != said) { log("{}", said); }
        refusals_[index] = reasons_[index] = said;
        return false;
    }
    refusals_[index].clear();
    reasons_[index].clear();
    if (attached_[index].look(1, now) != 0) {
        log("port {}: opened again, {}", port.setup.name, port.setup.device.arguments);
    }
    return true;
}

}  // namespace peerlane::dataplane
