// The rules that look at more than one value.
#pragma once

#include <map>

#include "config/load.hpp"
#include "config/report.hpp"
#include "config/yaml_tree.hpp"

namespace peerlane::config {

/// What every rule looks at. The model may have gaps where loading has complained already: an unset value is passed
/// over.
struct Check {
    const Model& model;
    const Sources& sources;
    Report& report;

    /// False where the file gives a value that was complained of: the model has the default in its place.
    [[nodiscard]] bool is_good(Place object, std::string_view key) const {
        const Cursor value = sources.field(object, key);
        return !value || value.kind() != Kind::bad;
    }
    /// The same of a key of `edge`.
    [[nodiscard]] bool edge_is_good(std::string_view key) const {
        const Cursor edge = Cursor{&sources.trees.front(), 0}.find("edge");
        const Cursor value = edge ? edge.find(key) : edge;
        return !value || value.kind() != Kind::bad;
    }
};

void validate(const Model& model, const Sources& sources, const LoadOptions& options, Report& report);

// By subject, one file each.
void validate_edge(const Check& check);
void validate_ports(const Check& check, const LoadOptions& options);
void validate_names(const Check& check);
void validate_vlans(const Check& check);
void validate_buckets(const Check& check);
void validate_prefixes(const Check& check);
void validate_links(const Check& check);
void validate_tunnels(const Check& check);
void validate_ipsec(const Check& check);
void validate_state(const Check& check);
void validate_roles(const Check& check);

/// Two ends: of one family, and not the same. Complains at `place`.
void check_ends(const Check& check, const IpAddress& local, const IpAddress& remote, Place place);

/// Remembers where each key was first seen.
template <class Key>
class Seen {
  public:
    /// The place of the first with this key; nullptr, and remembered, if this one is it.
    const Place* find_or_add(const Key& key, Place place) {
        const auto [first, fresh] = places_.try_emplace(key, place);
        return fresh ? nullptr : &first->second;
    }

  private:
    std::map<Key, Place> places_;
};

/// Calls `visit(customer, circuit)` for every circuit.
template <class Visit>
void each_circuit(const Model& model, Visit visit) {
    for (const Customer& customer : model.customers)
        for (const Circuit& circuit : customer.circuits) visit(customer, circuit);
}

/// Calls `visit(customer, circuit, peering)` for every peering.
template <class Visit>
void each_peering(const Model& model, Visit visit) {
    each_circuit(model, [&](const Customer& customer, const Circuit& circuit) {
        for (const Peering& peering : circuit.peerings) visit(customer, circuit, peering);
    });
}

}  // namespace peerlane::config
