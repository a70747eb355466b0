// Rules for tunnels and the core ports that serve them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "config/derive.hpp"
#include "config/validate.hpp"

namespace peerlane::config {
namespace {

// The least MTU of an IPv6 link (RFC 8200 §5): every customer may rely on it.
constexpr std::uint32_t kLeastMtu = 1280;

struct Named {
    const Customer& customer;
    const Circuit& circuit;
    const Peering& peering;
    const VirtualNetwork& network;

    [[nodiscard]] std::string label() const { return network_label(customer, circuit, peering, network); }
};

/// What the tunnels on one core port ask of its MTU, and the one that asks most.
struct Need {
    std::uint32_t mtu = 0;
    std::uint32_t inner = 0;
    std::uint32_t fits = ~std::uint32_t{0};  // the largest inner packet that all of them carry
    std::size_t tunnels = 0;                 // that need more than there is
    std::string label;
};

struct PortNeeds {
    Need least;   // for packets of 1280 octets
    Need access;  // for packets of the access MTU
};

using Identity = std::tuple<IpAddress, IpAddress, std::optional<std::uint32_t>>;

std::string_view family(const IpAddress& address) {
    return std::holds_alternative<Ip4>(address) ? "IPv4" : "IPv6";
}

void check_identity(const Check& check, const Tunnel& tunnel, Seen<Identity>& seen) {
    if (!is_set(tunnel.local) || !is_set(tunnel.remote)) return;
    const std::optional<std::uint32_t> key = tunnel.key ? std::optional(raw(*tunnel.key)) : std::nullopt;
    const Cursor written = check.sources.field(tunnel.place, "key");
    if (written && written.kind() == Kind::bad) return;
    if (const Place* first = seen.find_or_add({tunnel.local, tunnel.remote, key}, tunnel.place))
        check.report.error(tunnel.place,
                           fmt::format("tunnel: local {}, remote {}, {} is another tunnel's already, at {}",
                                       to_string(tunnel.local), to_string(tunnel.remote),
                                       key ? fmt::format("key {:#x}", *key) : "no key", check.report.where(*first)),
                           "give this tunnel a key of its own");
}

void note_need(Need& need, const Port& port, std::uint32_t inner, const Named& named) {
    const std::uint32_t outer = sealed_size(named.network, inner);
    if (outer <= port.mtu) return;
    ++need.tunnels;
    need.fits = std::min(need.fits, largest_inner(named.network, port.mtu));
    if (outer <= need.mtu) return;
    need.mtu = outer;
    need.inner = inner;
    need.label = named.label();
}

std::uint32_t access_mtu(const Check& check, const Circuit& circuit) {
    std::uint32_t mtu = 0;
    for (const CircuitLink& link : circuit.links) {
        if (link.port >= check.model.ports.size()) continue;
        const Port& port = check.model.ports[link.port];
        if (check.is_good(port.place, "mtu")) mtu = std::max<std::uint32_t>(mtu, port.mtu);
    }
    return mtu;
}

std::string need_text(const Port& port, const Need& need, std::string_view inner_text) {
    return fmt::format(
        "mtu: {} of port {} is {} octets short: packets of {} octets ({}) and {} octets of overhead in tunnel {} make "
        "{} "
        "({} tunnel{} too large)",
        port.mtu, port.name, need.mtu - port.mtu, need.inner, inner_text, need.mtu - need.inner, need.label, need.mtu,
        need.tunnels, need.tunnels == 1 ? " is" : "s are");
}

/// One finding per port, not per tunnel: the remedy is one number.
void report_needs(const Check& check, const Port& port, const PortNeeds& needs) {
    if (!check.is_good(port.place, "mtu")) return;
    const Place place = check.sources.at(port.place, "mtu");
    if (needs.least.tunnels != 0)
        check.report.error(place, need_text(port, needs.least, "the least a customer may rely on"),
                           fmt::format("write mtu: {} or more", std::max(needs.least.mtu, needs.access.mtu)));
    else if (needs.access.tunnels != 0)
        check.report.warning(
            place, need_text(port, needs.access, "the access MTU"),
            fmt::format("write mtu: {}, or an MTU of {} for the access ports", needs.access.mtu, needs.access.fits));
}

/// A next hop has to be known: its MAC, or an address it can be asked for by ARP or neighbour discovery.
void warn_of_missing_next_hop(const Check& check, const Port& port, const VirtualNetwork& network) {
    if (check.sources.field(port.place, "gateway_mac")) return;
    const IpAddress& remote = outer_remote(network);
    const Ip4* v4 = std::get_if<Ip4>(&remote);
    const bool near = v4 != nullptr ? port.address && contains(*port.address, *v4)
                                    : port.address6 && contains(*port.address6, std::get<Ip6>(remote));
    const auto key = v4 != nullptr ? "gateway" : "gateway6";
    if (near || !is_set(remote) || check.sources.field(port.place, key)) return;
    check.report.warning(
        port.place,
        fmt::format("port {} has no `{}` and no `gateway_mac`: nothing can be sent to {} (`no_neighbour`)", port.name,
                    key, to_string(remote)),
        fmt::format("add `{}`: the address of the next hop; its MAC is asked for", key));
}

/// A port whose role or addresses are complained about already might have served.
bool ports_are_known(const Check& check) {
    return std::ranges::all_of(check.model.ports, [&](const Port& port) {
        return std::ranges::all_of(std::initializer_list<std::string_view>{"role", "address", "address6"},
                                   [&](auto key) {
                                       const Cursor value = check.sources.field(port.place, key);
                                       return !value || value.kind() != Kind::bad;
                                   });
    });
}

/// Where the source of what leaves is written.
Place local_place(const Check& check, const VirtualNetwork& network) {
    const Cursor own = network.ipsec ? check.sources.field(network.ipsec->place, "local") : Cursor{};
    return own ? own.place() : check.sources.at(network.tunnel.place, "local");
}

void check_port(const Check& check, const Named& named, std::vector<PortNeeds>& needs) {
    const IpAddress& local = outer_local(named.network);
    if (!is_set(local)) return;
    const auto index = core_port_of(check.model, local);
    if (!ports_are_known(check)) return;
    const Place place = local_place(check, named.network);
    if (!index) {
        check.report.error(
            place, fmt::format("local: there is no core port to reach {} by", to_string(outer_remote(named.network))),
            "add a port with `role: core`");
        return;
    }
    const Port& port = check.model.ports[*index];
    const bool four = std::holds_alternative<Ip4>(local);
    if (!(four ? port.address.has_value() : port.address6.has_value())) {
        check.report.warning(place,
                             fmt::format("local: no core port has an {} address; {} will leave by `{}`", family(local),
                                         to_string(local), port.name),
                             fmt::format("add `{}` to the port", four ? "address" : "address6"));
    }
    note_need(needs[*index].least, port, kLeastMtu, named);
    note_need(needs[*index].access, port, access_mtu(check, named.circuit), named);
}

}  // namespace

void check_ends(const Check& check, const IpAddress& local, const IpAddress& remote, Place place) {
    if (!is_set(local) || !is_set(remote)) return;
    if (local.index() != remote.index())
        check.report.error(place,
                           fmt::format("remote: {} is {}, local {} is {}", to_string(remote), family(remote),
                                       to_string(local), family(local)),
                           "write two addresses of one family");
    else if (local == remote)
        check.report.error(place, fmt::format("remote: {} is the local address too", to_string(remote)),
                           "write the address of the gateway");
}

void validate_tunnels(const Check& check) {
    Seen<Identity> seen;
    std::vector<PortNeeds> needs(check.model.ports.size());
    std::vector<std::array<bool, 2>> warned(check.model.ports.size());  // by family
    each_peering(check.model, [&](const Customer& customer, const Circuit& circuit, const Peering& peering) {
        for (const VirtualNetwork& network : peering.virtual_networks) {
            if (network.tunnel.place.line == 0) continue;
            check_ends(check, network.tunnel.local, network.tunnel.remote,
                       check.sources.at(network.tunnel.place, "remote"));
            check_identity(check, network.tunnel, seen);
            check_port(check, {customer, circuit, peering, network}, needs);
            const auto port = core_port_of(check.model, network);
            if (!port) continue;
            bool& once = warned[*port][outer_remote(network).index()];
            if (!std::exchange(once, true)) warn_of_missing_next_hop(check, check.model.ports[*port], network);
        }
    });
    for (std::size_t i = 0; i < needs.size(); ++i) { report_needs(check, check.model.ports[i], needs[i]); }
}

}  // namespace peerlane::config
