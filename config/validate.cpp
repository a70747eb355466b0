#include "config/validate.hpp"

namespace peerlane::config {

void validate(const Model& model, const Sources& sources, const LoadOptions& options, Report& report) {
    const Check check{model, sources, report};
    validate_edge(check);
    validate_ports(check, options);
    validate_names(check);
    validate_vlans(check);
    validate_buckets(check);
    validate_links(check);
    validate_prefixes(check);
    validate_tunnels(check);
    validate_ipsec(check);
    validate_state(check);
    validate_roles(check);
}

}  // namespace peerlane::config
