#include "dataplane/io/steering.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "dataplane/io/failure.hpp"
#include "dataplane/io/log.hpp"
#include "dataplane/io/port.hpp"
#include "lib/steer/needs.hpp"
#include "lib/steer/object.hpp"

namespace peerlane::dataplane {
namespace {

static_assert(kMaxPeerings <= STEER_VLANS);

/// The value of `name=` in a device string; "" without one.
std::string argument(const std::string& device, const std::string& name) {
    const auto at = device.find("," + name + "=");
    if (at == std::string::npos) { return {}; }
    const auto start = at + name.size() + 2;
    return device.substr(start, device.find(',', start) - start);
}

template <class Work>
void or_failure(const std::string& where, Work work) {
    try {
        work();
    } catch (const steer::SteeringError& error) { throw Failure(where, error.what(), error.remedy); }
}

std::vector<steer_vlan> vlans(const PortInfo& port) {
    std::vector<steer_vlan> keys;
    for (const auto& entry : port.vlans.entries()) { keys.push_back({entry.outer, entry.inner}); }
    return keys;
}

std::vector<steer_address> addresses(const Snapshot& snapshot) {
    std::vector<steer_address> keys;
    std::ranges::transform(snapshot.local_addresses, std::back_inserter(keys), steer::key_of);
    return keys;
}

}  // namespace

std::optional<std::string> steered_interface(const std::string& device, bool steering) {
    if (!steering || !device.starts_with("net_af_xdp") || !argument(device, "xdp_prog").empty()) { return {}; }
    const auto interface = argument(device, "iface");
    return interface.empty() ? std::nullopt : std::optional(interface);  // DPDK says what it misses
}

PortSteering::PortSteering(std::string where, std::string interface, bool access)
    : where_(std::move(where)), interface_(std::move(interface)), index_(if_nametoindex(interface_.c_str())) {
    if (const auto there = steer::attached(index_);
        there && there->program != 0 && steer::take_off_orphan(index_, *there, steer::kProgram)) {
        log("{}: the XDP program of an edge that was killed as it started is taken off {}", where_, interface_);
    }
    for (const auto& problem : steer::steering_needs(interface_, access)) {
        if (problem.fatal) { throw Failure(where_, problem.what, problem.remedy); }
        log("{}: {}\n    {}", where_, problem.what, problem.remedy);
    }
    const auto object = steer::object();
    try {
        object_ = steer::memory_file("steer.bpf.o", {reinterpret_cast<const char*>(object.data()), object.size()});
    } catch (const std::exception& error) { throw Failure(where_, error.what(), "allow more open files"); }
}

std::string PortSteering::arguments() const {
    return ",xdp_prog=" + steer::path_of(object_);
}

void PortSteering::take_over(std::span<const int> sockets) {
    or_failure(where_, [&] { steering_.emplace(interface_, sockets); });
    object_.reset();
}

void PortSteering::receive(bool promiscuous) {
    or_failure(where_, [&] { steering_->receive(promiscuous); });
}

void PortSteering::add(const Snapshot& next, std::size_t index) {
    const bool access = next.ports[index].access;
    or_failure(where_, [&] {
        if (access) {
            steering_->vlans().add(vlans(next.ports[index]));
        } else {
            for (const auto& problem : steer::shared_addresses(interface_, next.local_addresses)) {
                throw steer::SteeringError(problem.what, problem.remedy);
            }
            steering_->addresses().add(addresses(next));
        }
        const auto& port = next.ports[index];
        steering_->settle({access ? STEER_ROLE_ACCESS : STEER_ROLE_CORE, port.outer_tpids, port.inner_tpids});
    });
}

void PortSteering::keep(const Snapshot& now, std::size_t index) {
    if (now.ports[index].access) {
        steering_->vlans().keep(vlans(now.ports[index]));
    } else {
        steering_->addresses().keep(addresses(now));
    }
}

PortSteering::Status PortSteering::status() const {
    const auto now = steer::attached(index_);
    const auto zero_copy = steering_->zero_copy();
    return {steer::to_text(now ? now->mode : steer::Mode::none),
            !zero_copy   ? "unknown"
            : *zero_copy ? "zero-copy"
                         : "copy",
            steering_->verdicts()};
}

void admit(const Ports& ports, const Snapshot& next) {
    for (std::size_t i = 0; i < ports.all().size(); ++i) {
        if (const auto& steering = ports.all()[i].steering) { steering->add(next, i); }
    }
}

std::vector<std::string> admit_each(const Ports& ports, const Snapshot& now) {
    std::vector<std::string> refusals;
    for (std::size_t i = 0; i < ports.all().size(); ++i) {
        const auto& steering = ports.all()[i].steering;
        if (!steering) { continue; }
        try {
            steering->add(now, i);
        } catch (const Failure& failure) { refusals.emplace_back(failure.what()); }
    }
    return refusals;
}

void dismiss(const Ports& ports, const Snapshot& now) {
    for (std::size_t i = 0; i < ports.all().size(); ++i) {
        if (const auto& steering = ports.all()[i].steering) { steering->keep(now, i); }
    }
}

}  // namespace peerlane::dataplane
