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
            refuse(place("ports." + wanted_.ports[i].name), fmt::format("port {} is new", wanted_.ports[i].name));
        }
        for (std::size_t i = common; i < running_.ports.size(); ++i) {
            refuse(place("ports"), fmt::format("port {} is gone", running_.ports[i].name));
        }
        return std::move(findings_);
    }

  private:
    void compare_edge() {
        const auto& running = running_.edge;
        const auto& wanted = wanted_.edge;
        if (running.workers != wanted.workers) { changed("edge.workers", running.workers, wanted.workers); }
        if (running.cores != wanted.cores) { refuse(place("edge.cores"), "edge.cores has changed"); }
        if (running.idle != wanted.idle) { refuse(place("edge.idle"), "edge.idle has changed"); }
        if (running.socket != wanted.socket) { changed("edge.socket", running.socket, wanted.socket); }
        if (running.read_socket != wanted.read_socket) {
            refuse(place("edge.read_socket"), "edge.read_socket has changed");
        }
        if (running.state_dir != wanted.state_dir) { changed("edge.state_dir", running.state_dir, wanted.state_dir); }
    }

    void compare_port(const config::Port& running, const config::Port& wanted) {
        const auto differs = [&](bool same, std::string_view what) {
            if (same) { return; }
            refuse(place(fmt::format("ports.{}.{}", wanted.name, what)),
                   fmt::format("port {}: {} has changed", wanted.name, what));
        };
        if (running.name != wanted.name) {
            refuse(place("ports." + wanted.name),
                   fmt::format("port {} stands where port {} is", wanted.name, running.name));
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
        refuse(place(what), fmt::format("{} is {}, not {} as it was", what, to, from));
    }
    void refuse(std::string where, std::string what) {
        findings_.push_back({Finding::Severity::error, std::move(where), std::move(what),
                             "restart the edge for that, or undo it and reload the rest"});
    }
    /// Of a setting; where the file does not have it, of what it would be in.
    [[nodiscard]] std::string place(std::string_view setting) const {
        while (!setting.empty()) {
            const auto found = wanted_.places.find(setting);
            if (found != wanted_.places.end()) {
                const auto& at = found->second;
                return fmt::format("{}:{}:{}", wanted_.files[at.file], at.line, at.column);
            }
            const auto dot = setting.rfind('.');
            setting = setting.substr(0, dot == std::string_view::npos ? 0 : dot);
        }
        return wanted_.files.front() + ":1:1";
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
