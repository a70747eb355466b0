// `show circuit NAME`: one circuit, link by link: what it carries, and what it could carry now.
#pragma once

#include <expected>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dataplane/tables/snapshot.hpp"
#include "dataplane/tables/state.hpp"

namespace peerlane::dataplane {

/// The circuit called `name`, which is its name, or customer/circuit where several customers have one of that name.
/// Else a sentence about what is wrong, with names that are close.
std::expected<const Names::Circuit*, std::string> find_circuit(const Names& names, std::string_view name);

/// `ports` has one object per port, in order, whose `link` is "up" or "down"; what it does not have is null in the
/// answer. Control thread. docs/counters.md says what the keys mean.
nlohmann::ordered_json circuit_json(const Snapshot& snapshot, const State& state, const Names::Circuit& circuit,
                                    const nlohmann::ordered_json& ports);

/// What circuit_json() says, as tables for people.
std::string circuit_text(const nlohmann::ordered_json& circuit);

}  // namespace peerlane::dataplane
