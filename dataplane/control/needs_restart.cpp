// What a reload cannot change: devices are opened, and threads started, once.
#include <fmt/format.h>

#include <algorithm>

#include "dataplane/control/configuration.hpp"

namespace peerlane::dataplane {
namespace {

using config::Finding;
using config::Model;

class Comparison {
  public:
    Comparison(const Model& running, const Model& wanted) : running_(running), wanted_(wanted) {}

    std::vector<Finding> run() {
        compare_edge();
        const auto common = std::min(running_.ports.size(), wanted_.ports.size());
        for (std::size_t i = 0; i < common; ++i) { compare_port(running_.ports[i], wanted_.ports[i]); }
        for (std::size_t i = common; i < wanted_.ports.size(); ++i) {
            refuse(place(wanted_.ports[i]), fmt::format("port {} is new", wanted_.ports[i].name));
        }
        for (std::size_t i = common; i < running_.ports.size(); ++i) {
            refuse(start(), fmt::format("port {} is gone", running_.ports[i].name));
        }
        return std::move(findings_);
    }

  private:
    void compare_edge() {
        const auto& running = running_.edge;
        const auto& wanted = wanted_.edge;
        if (running.workers != wanted.workers) { changed("edge.workers", running.workers, wanted.workers); }
        if (running.cores != wanted.cores) { refuse(start(), "edge.cores has changed"); }
        if (running.idle != wanted.idle) { refuse(start(), "edge.idle has changed"); }
        if (running.socket != wanted.socket) { changed("edge.socket", running.socket, wanted.socket); }
        if (running.state_dir != wanted.state_dir) { changed("edge.state_dir", running.state_dir, wanted.state_dir); }
    }

    void compare_port(const config::Port& running, const config::Port& wanted) {
        const auto differs = [&](bool same, std::string_view what) {
            if (!same) { refuse(place(wanted), fmt::format("port {}: {} has changed", wanted.name, what)); }
        };
        if (running.name != wanted.name) {
            refuse(place(wanted), fmt::format("port {} stands where port {} is", wanted.name, running.name));
            return;
        }
        differs(running.role == wanted.role, "role");
        differs(running.device == wanted.device, "device");
        differs(running.mtu == wanted.mtu, "mtu");
        differs(running.mac == wanted.mac, "mac");
        differs(running.tap == wanted.tap, "tap");
        differs(running.steering == wanted.steering, "steering");
    }

    template <class Value>
    void changed(std::string_view what, const Value& from, const Value& to) {
        refuse(start(), fmt::format("{} is {}, not {} as it was", what, to, from));
    }
    void refuse(std::string where, std::string what) {
        findings_.push_back({Finding::Severity::error, std::move(where), std::move(what),
                             "restart the edge for that, or undo it and reload the rest"});
    }
    [[nodiscard]] std::string start() const { return wanted_.files.front() + ":1:1"; }
    [[nodiscard]] std::string place(const config::Port& port) const {
        return fmt::format("{}:{}:{}", wanted_.files[port.place.file], port.place.line, port.place.column);
    }

    const Model& running_;
    const Model& wanted_;
    std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> needs_restart(const Model& running, const Model& wanted) {
    return Comparison(running, wanted).run();
}

}  // namespace peerlane::dataplane
