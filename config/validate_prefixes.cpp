// Rules for prefixes: none twice in one VRF, only public sources in microsoft and public peerings.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "config/derive.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

/// A prefix of a VRF and the way back to where it is written.
struct Entry {
    Prefix prefix;
    Place owner;
    std::string_view key;
    std::size_t index = 0;
};

struct Special {
    std::string_view prefix;
    std::string_view meaning;
};

// RFC 6890 and its successors, without the documentation prefixes: examples and labs use them as public ones.
constexpr Special kNotPublic4[] = {
    {"10.0.0.0/8", "private (RFC 1918)"},           {"172.16.0.0/12", "private (RFC 1918)"},
    {"192.168.0.0/16", "private (RFC 1918)"},       {"100.64.0.0/10", "shared (RFC 6598)"},
    {"0.0.0.0/8", "this network (RFC 1122)"},       {"127.0.0.0/8", "loopback (RFC 1122)"},
    {"169.254.0.0/16", "link-local (RFC 3927)"},    {"192.0.0.0/24", "for protocols (RFC 6890)"},
    {"198.18.0.0/15", "for benchmarks (RFC 2544)"}, {"224.0.0.0/4", "multicast (RFC 5771)"},
    {"240.0.0.0/4", "reserved (RFC 1112)"}};

/// Why a prefix is not all public; empty if it is.
std::string why_not_public(const Prefix& prefix) {
    if (const Prefix6* v6 = std::get_if<Prefix6>(&prefix)) {
        const Prefix6 global{{0x2000'0000'0000'0000, 0}, 3};
        return v6->length >= global.length && contains(global, v6->address)
                   ? ""
                   : "not in 2000::/3, the global unicast space";
    }
    const Prefix4 v4 = std::get<Prefix4>(prefix);
    if (v4.length == 0) return "the default route";
    for (const Special& special : kNotPublic4) {
        const Prefix4 space = *parse_prefix4(special.prefix);
        if (contains(space, v4.address)) return fmt::format("in {}, which is {}", special.prefix, special.meaning);
        if (contains(v4, space.address)) return fmt::format("around {}, which is {}", special.prefix, special.meaning);
    }
    return "";
}

void add_list(std::vector<Entry>& entries, const std::vector<Prefix>& prefixes, Place owner, std::string_view key) {
    for (std::size_t i = 0; i < prefixes.size(); ++i) entries.push_back({prefixes[i], owner, key, i});
}

std::vector<Entry> entries_of(const Peering& peering) {
    std::vector<Entry> entries;
    const bool pair = peering.links.size() == 2;
    for (const PeeringLink& link : peering.links) {
        if (link.subnet) entries.push_back({*link.subnet, peering.place, pair ? "subnets" : "subnet"});
        if (link.subnet6) entries.push_back({*link.subnet6, peering.place, pair ? "subnets6" : "subnet6"});
    }
    add_list(entries, peering.customer_prefixes, peering.place, "customer_prefixes");
    for (const VirtualNetwork& network : peering.virtual_networks)
        add_list(entries, network.prefixes, network.place, "prefixes");
    return entries;
}

Place place_of_entry(const Check& check, const Entry& entry) {
    const bool listed = entry.key == "customer_prefixes" || entry.key == "prefixes";
    return listed ? check.sources.item(entry.owner, entry.key, entry.index) : check.sources.at(entry.owner, entry.key);
}

bool is_subnet(const Entry& entry) {
    return entry.key.starts_with("subnet");
}

void check_twice(const Check& check, const Peering& peering) {
    std::vector<Entry> entries = entries_of(peering);
    std::ranges::stable_sort(entries, {}, &Entry::prefix);
    for (std::size_t i = 1; i < entries.size(); ++i) {
        const Entry& first = entries[i - 1];
        const Entry& second = entries[i];
        if (first.prefix != second.prefix || (is_subnet(first) && is_subnet(second)))
            continue;  // two subnets: they overlap
        check.report.error(place_of_entry(check, second),
                           fmt::format("{}: {} is in this VRF already, at {}", second.key, to_string(second.prefix),
                                       check.report.where(place_of_entry(check, first))),
                           is_subnet(first) ? "remove it: a link's subnet is accepted and connected anyway"
                                            : "keep one of the two; a longer or shorter prefix may stand beside it");
    }
}

void check_public(const Check& check, const Peering& peering) {
    if (peering.type == PeeringType::private_) return;
    for (std::size_t i = 0; i < peering.customer_prefixes.size(); ++i) {
        const std::string why = why_not_public(peering.customer_prefixes[i]);
        if (why.empty()) continue;
        check.report.error(check.sources.item(peering.place, "customer_prefixes", i),
                           fmt::format("customer_prefixes: {} is {}: a {} peering accepts public sources only",
                                       to_string(peering.customer_prefixes[i]), why, to_text(peering.type)),
                           "write the public prefixes the customer translates to, or use a private peering");
    }
}

}  // namespace

void validate_prefixes(const Check& check) {
    each_peering(check.model, [&](const Customer&, const Circuit&, const Peering& peering) {
        check_twice(check, peering);
        check_public(check, peering);
    });
}

}  // namespace peerlane::config
