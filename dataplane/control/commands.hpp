// What the running edge answers to a request: {"command": "show", "what": …} and {"command": "reload"}.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dataplane/control/configuration.hpp"

namespace peerlane::dataplane {

struct Commands {
    Configuration& configuration;
    const State& state;
    /// One object per port, in order: what counters do not say (device, link, …).
    std::function<nlohmann::ordered_json()> ports;
    std::function<nlohmann::ordered_json()> neighbours;
    std::function<Applied()> reload;

    /// One line of JSON for one line of JSON; whatever is wrong is an answer with "ok": false and "error".
    [[nodiscard]] std::string answer(std::string_view request) const;
};

nlohmann::ordered_json findings_json(const std::vector<config::Finding>& findings);

}  // namespace peerlane::dataplane
