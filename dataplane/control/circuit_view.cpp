#include "dataplane/control/circuit_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "config/derive.hpp"
#include "config/hints.hpp"
#include "config/units.hpp"
#include "dataplane/control/client.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/pipeline/pair.hpp"

namespace peerlane::dataplane {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestName = 64;  // octets; longer ones are near to nothing
constexpr std::size_t kCloseNames = 5;

std::string label(const Names::Circuit& circuit) {
    return circuit.customer + '/' + circuit.circuit;
}

/// 0: one holds the other; else how many letters differ, or more than any slip has.
std::size_t distance(std::string_view a, std::string_view b) {
    if (a.find(b) != std::string_view::npos || b.find(a) != std::string_view::npos) { return 0; }
    const auto longer = std::max(a.size(), b.size());
    const auto slips = longer / 3;
    if (longer - std::min(a.size(), b.size()) > slips) { return kLongestName; }
    const auto letters = config::edit_distance(a, b);
    return letters <= slips ? letters : kLongestName;
}

/// The closest names first, a few at most.
std::vector<std::string> close_names(const Names& names, std::string_view name) {
    std::vector<std::tuple<std::size_t, std::string>> close;
    if (name.empty() || name.size() > kLongestName) { return {}; }
    for (const auto& circuit : names.circuits) {
        auto whole = label(circuit);
        const auto far = distance(name, name.find('/') == std::string_view::npos ? circuit.circuit : whole);
        if (far < kLongestName) { close.emplace_back(far, std::move(whole)); }
    }
    const auto kept = std::min(close.size(), kCloseNames);
    std::partial_sort(close.begin(), close.begin() + static_cast<std::ptrdiff_t>(kept), close.end());
    std::vector<std::string> found;
    found.reserve(kept);
    for (std::size_t i = 0; i < kept; ++i) { found.push_back(std::move(std::get<1>(close[i]))); }
    return found;
}

struct Family {
    const char* name;
    std::uint8_t bit;
    bool PeeringInfo::End::* present;
};
constexpr Family kFamilies[] = {{"ipv4", alive::kV4, &PeeringInfo::End::has4},
                                {"ipv6", alive::kV6, &PeeringInfo::End::has6}};

/// How many of the flows to the customer's prefixes take this link now: pipeline/pair.hpp's rule.
const char* flows(const PeeringInfo& info, bool mine, bool others) {
    if (!info.ends[0].present || !info.ends[1].present) { return "all"; }
    if (mine == others) { return "half"; }
    return mine ? "all" : "none";
}

Json peering_json(const Snapshot& snapshot, const State& state, const Names::Peering& peering, Link link) {
    const PeeringInfo& info = snapshot.peerings[peering.slot];
    const auto index = peering.slot * kLinks + raw(link);
    auto lives = Json::object();
    auto carries = Json::object();
    for (const auto& [family, bit, present] : kFamilies) {
        if (!(info.ends[0].*present || info.ends[1].*present)) { continue; }
        const bool mine = is_alive(state, index, bit);
        lives[family] = mine;
        carries[family] = flows(info, mine, is_alive(state, index ^ 1U, bit));
    }
    const auto& end = info.ends[raw(link)];
    auto addresses = Json::array();
    if (end.has4) { addresses.push_back(to_string(end.edge4)); }
    if (end.has6) { addresses.push_back(to_string(end.edge6)); }
    return {{"peering", peering.type}, {"flows", carries}, {"alive", lives}, {"edge_addresses", addresses}};
}

/// Of the packets to the customer; one decimal. Null where there were none.
Json share(std::uint64_t part, std::uint64_t all) {
    if (all == 0) { return nullptr; }
    return std::round(1000.0 * static_cast<double>(part) / static_cast<double>(all)) / 10.0;
}

Json way_row(const Json& link, const char* way) {
    Json row{{"link", link["link"]}, {"direction", way}};
    row.update(link[way]);
    row["share_percent"] = std::string_view(way) == "to_customer" ? link["share_to_customer_percent"] : Json();
    return row;
}

}  // namespace

std::expected<const Names::Circuit*, std::string> find_circuit(const Names& names, std::string_view name) {
    std::vector<const Names::Circuit*> found;
    for (const auto& circuit : names.circuits) {
        if (label(circuit) == name) { return &circuit; }
        if (circuit.circuit == name) { found.push_back(&circuit); }
    }
    if (found.size() == 1) { return found[0]; }
    if (found.empty()) {
        const auto close = close_names(names, name);
        return std::unexpected(fmt::format(
            "no circuit is called `{}`: {}", name.substr(0, kLongestName),
            close.empty() ? "`show circuits` lists them" : fmt::format("did you mean {}?", fmt::join(close, ", "))));
    }
    std::vector<std::string> labels;
    labels.reserve(found.size());
    for (const auto* one : found) { labels.push_back(label(*one)); }
    const bool more = labels.size() > kCloseNames;
    labels.resize(std::min(labels.size(), kCloseNames));
    return std::unexpected(fmt::format("{} customers have a circuit `{}`: say which, {}{}", found.size(), name,
                                       fmt::join(labels, ", "), more ? ", …" : ""));
}

Json circuit_json(const Snapshot& snapshot, const State& state, const Names::Circuit& circuit, const Json& ports) {
    std::array<CircuitCounters, kLinks> down;
    std::uint64_t all = 0;
    for (const auto link : circuit.links) {
        down[raw(link)] = circuit_counters(snapshot, state, circuit, link, Direction::to_customer);
        all += down[raw(link)].passed.packets;
    }
    auto links = Json::array();
    std::uint64_t rate = 0;
    for (const auto link : circuit.links) {
        auto peerings = Json::array();
        Json port;
        Json port_link;
        for (const auto number : circuit.peerings) {
            const auto& peering = snapshot.names.peerings[number];
            const auto index = snapshot.attachments[peering.slot * kLinks + raw(link)].port;
            port = snapshot.ports[index].name;
            if (index < ports.size()) { port_link = ports[index].value("link", Json()); }
            peerings.push_back(peering_json(snapshot, state, peering, link));
        }
        rate = snapshot.circuit_rates[circuit.slot * kLinks + raw(link)].rate;
        const auto up = circuit_counters(snapshot, state, circuit, link, Direction::to_cloud);
        links.push_back({{"link", config::to_text(link)},
                         {"port", port},
                         {"port_link", port_link},
                         {"peerings", peerings},
                         {"to_cloud", circuit_counters_json(up)},
                         {"to_customer", circuit_counters_json(down[raw(link)])},
                         {"share_to_customer_percent", share(down[raw(link)].passed.packets, all)}});
    }
    return {{"customer", circuit.customer}, {"circuit", circuit.circuit}, {"bandwidth_bps", rate}, {"links", links}};
}

std::string circuit_text(const Json& circuit) {
    auto lives = Json::array();
    auto counts = Json::array();
    for (const auto& link : circuit["links"]) {
        for (const auto& peering : link["peerings"]) {
            Json row{{"link", link["link"]}, {"port", link["port"]}, {"port_link", link["port_link"]}};
            row.update(peering);
            row["edge_addresses"] =
                fmt::format("{}", fmt::join(peering["edge_addresses"].get<std::vector<std::string>>(), ", "));
            lives.push_back(row);
        }
        counts.push_back(way_row(link, "to_cloud"));
        counts.push_back(way_row(link, "to_customer"));
    }
    return fmt::format("{}/{}, {} each way on each link\n\n{}\n{}", circuit["customer"].get<std::string>(),
                       circuit["circuit"].get<std::string>(),
                       config::rate_text(BitsPerSecond{circuit["bandwidth_bps"].get<std::uint64_t>()}), table(lives),
                       table(counts));
}

}  // namespace peerlane::dataplane
