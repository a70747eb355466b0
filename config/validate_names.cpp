// Rules for names: each one once where it is looked up.
#include <fmt/format.h>

#include "config/derive.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

template <class Key>
void check_unique(const Check& check, Seen<Key>& seen, const Key& key, Place object, std::string_view field,
                  std::string_view thing, std::string_view text, std::string_view remedy) {
    const Place place = check.sources.at(object, field);
    if (const Place* first = seen.find_or_add(key, place))
        check.report.error(place, fmt::format("{} {} is there already, at {}", thing, text, check.report.where(*first)),
                           std::string(remedy));
}

void check_name(const Check& check, Seen<std::string_view>& seen, const std::string& name, Place object,
                std::string_view thing) {
    if (!name.empty())
        check_unique(check, seen, std::string_view(name), object, "name", thing, name, "choose another name");
}

}  // namespace

void validate_names(const Check& check) {
    Seen<std::string_view> customers;
    for (const Customer& customer : check.model.customers) {
        check_name(check, customers, customer.name, customer.place, "customer");
        Seen<std::string_view> circuits;
        for (const Circuit& circuit : customer.circuits)
            check_name(check, circuits, circuit.name, circuit.place, "circuit");
    }
    each_circuit(check.model, [&](const Customer&, const Circuit& circuit) {
        Seen<PeeringType> types;
        for (const Peering& peering : circuit.peerings) {
            const Cursor type = check.sources.field(peering.place, "type");
            if (type && type.kind() == Kind::scalar)
                check_unique(check, types, peering.type, peering.place, "type", "a peering of type",
                             to_text(peering.type),
                             "a circuit has one peering of a type: merge the two, or use another circuit");
            Seen<std::string_view> networks;
            for (const VirtualNetwork& network : peering.virtual_networks)
                check_name(check, networks, network.name, network.place, "virtual network");
        }
    });
}

}  // namespace peerlane::config
