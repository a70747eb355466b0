// What the running edge answers to a request: {"command": "show", "what": …}, {"command": "reload"} and
// {"command": "sa-age", …} (sa_age_command.hpp).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dataplane/control/configuration.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/control/reply.hpp"

namespace peerlane::dataplane {

/// Builds what is asked for, and nothing else. Control thread.
struct Commands {
    Configuration& configuration;
    const State& state;
    /// One object per port, in order: what counters do not say (device, link, …).
    std::function<nlohmann::ordered_json()> ports;
    std::function<Rows()> neighbours;
    std::function<Applied(const Peer& peer)> reload;
    std::function<nlohmann::ordered_json(const nlohmann::ordered_json& request)> set_sa_age = {};

    /// One line of JSON for one line of JSON; whatever is wrong is an answer with "ok": false and "error". Outlives
    /// the replies.
    [[nodiscard]] Reply answer(std::string_view request, const Peer& peer) const;
};

nlohmann::ordered_json findings_json(const std::vector<config::Finding>& findings);

}  // namespace peerlane::dataplane
