// The field table: the file, the edge, ports, customers and circuits. Leaves come first.
#include "config/fields.hpp"

#include <algorithm>

#include "config/store.hpp"

namespace peerlane::config {
namespace {

void* append_port(void* object, std::string_view key) {
    Port& port = static_cast<Model*>(object)->ports.emplace_back();
    port.name = key;
    return &port;
}

/// A peering has one link per link of its circuit.
void* append_peering(void* object, std::string_view) {
    auto& circuit = *static_cast<Circuit*>(object);
    Peering& peering = circuit.peerings.emplace_back();
    for (const CircuitLink& link : circuit.links) peering.links.emplace_back().link = link.link;
    return &peering;
}

template <Link Half>
void store_link(void* object, const Value& value) {
    auto& links = static_cast<Circuit*>(object)->links;
    if (!links.empty() && links.back().link == Half) return;  // `port` beside `links`: complained about elsewhere
    links.push_back({.link = Half, .port = static_cast<std::uint32_t>(std::get<std::uint64_t>(value))});
}

constexpr Word kIdle[] = {{"spin", raw(Idle::spin)}, {"sleep", raw(Idle::sleep)}};
constexpr Word kRole[] = {{"access", raw(Role::access)}, {"core", raw(Role::core)}};
constexpr Word kOuterTpid[] = {
    {"0x8100", 0x8100}, {"0x88a8", 0x88a8}, {"0x9100", 0x9100}, {"0x9200", 0x9200}, {"0x9300", 0x9300}};
constexpr Word kSentTpid[] = {{"0x8100", 0x8100}, {"0x88a8", 0x88a8}, {"0x9100", 0x9100},
                              {"0x9200", 0x9200}, {"0x9300", 0x9300}, {"auto", kHeardTpid}};
constexpr Word kInnerTpid[] = {{"0x8100", 0x8100}, {"0x88a8", 0x88a8}, {"0x9100", 0x9100}};
constexpr Word kAccounting[] = {
    {"l3", raw(Accounting::l3)}, {"l2", raw(Accounting::l2)}, {"wire", raw(Accounting::wire)}};

constexpr Field kEdgeFields[] = {
    {.name = "name",
     .type = Type::name,
     .preset = "peerlane",
     .meaning = "What this edge is called.",
     .store = store<&Edge::name>},
    {.name = "workers",
     .type = Type::integer,
     .min = 1,
     .max = 64,
     .preset = "1",
     .meaning = "Threads that forward packets.",
     .store = store<&Edge::workers>},
    {.name = "cores",
     .type = Type::integer,
     .shape = Shape::list,
     .min = 0,
     .max = 4095,
     .otherwise = "not pinned",
     .meaning = "The CPU cores the workers are pinned to, one per worker.",
     .store = store<&Edge::cores>},
    {.name = "idle",
     .type = Type::choice,
     .words = kIdle,
     .preset = "spin",
     .meaning = "What a worker without packets does: `spin` answers soonest, `sleep` is for shared machines.",
     .store = store<&Edge::idle>},
    {.name = "state_dir",
     .type = Type::text,
     .preset = "/var/lib/peerlane",
     .meaning =
         "Directory for what must survive a restart, as an absolute path. Nobody but root and the user of the edge "
         "may write to it.",
     .store = store<&Edge::state_dir>},
    {.name = "state_dir_volatile",
     .type = Type::boolean,
     .preset = "false",
     .meaning =
         "Says that `state_dir` may lie in memory (tmpfs), where it is lost when the machine restarts. Every key for "
         "AES-GCM or ChaCha20-Poly1305 must then be a new one after each restart of the machine: nothing remembers "
         "which nonces it has used.",
     .store = store<&Edge::state_dir_volatile>},
    {.name = "socket",
     .type = Type::text,
     .preset = "/run/peerlane.sock",
     .meaning = "Unix socket on which the running edge answers `show` and `reload`.",
     .store = store<&Edge::socket>},
    {.name = "read_socket",
     .type = Type::text,
     .otherwise = "none",
     .meaning = "A second Unix socket that answers `show` and refuses `reload`, for who may look and not change. Its "
                "file has mode 0660 too; in a directory with the set-group-ID bit it has that directory's group.",
     .store = store<&Edge::read_socket>},
    {.name = "icmp_errors_per_second",
     .type = Type::integer,
     .min = 0,
     .max = 1'000'000,
     .unit = "per second and peering",
     .preset = "100",
     .meaning = "The most ICMP and ICMPv6 errors sent in one peering; 0 sends none.",
     .store = store<&Edge::icmp_errors_per_second>},
    {.name = "punts_per_second",
     .type = Type::integer,
     .min = 1,
     .max = 1'000'000,
     .unit = "per second and link",
     .preset = "1000",
     .meaning =
         "The most packets for the edge itself (BGP, BFD, …) that one peering's link, or one core port, hands to "
         "local delivery. ARP and neighbour discovery have two limits of a tenth of it beside: one is for those "
         "the edge sends to, so that a flood of others' does not drown their answers.",
     .store = store<&Edge::punts_per_second>},
    {.name = "replies_per_second",
     .type = Type::integer,
     .min = 0,
     .max = 1'000'000,
     .unit = "per second and link",
     .preset = "1000",
     .meaning =
         "The most packets the edge originates in answer to one peering's link, or to one core port: echo replies and "
         "ICMP errors. Echo requests beyond it are dropped as `reply_limited`. What goes to a customer or into a "
         "tunnel also draws on the circuit's bucket; 0 answers nothing.",
     .store = store<&Edge::replies_per_second>},
    {.name = "announcements",
     .type = Type::integer,
     .min = 0,
     .max = 10,
     .unit = "frames",
     .preset = "2",
     .meaning =
         "How often each address of the edge is announced (gratuitous ARP, unsolicited neighbour advertisement), 2 "
         "seconds apart, when the edge starts, when a link comes up, and when a reload adds the address; 0: never.",
     .store = store<&Edge::announcements>},
    {.name = "tcp_rtt",
     .type = Type::milliseconds,
     .min = 1,
     .max = 10'000,
     .preset = "20 ms",
     .meaning = "The round trip that is assumed when a burst is checked against one TCP flow at full rate.",
     .store = store<&Edge::tcp_rtt_ms>},
};
constexpr Mapping kEdge{
    .name = "edge", .path = "edge", .meaning = "The edge itself. May be left out.", .fields = kEdgeFields};

constexpr Field kPortFields[] = {
    {.name = "role",
     .type = Type::choice,
     .required = true,
     .words = kRole,
     .meaning = "`access` faces customers, `core` faces the cloud.",
     .store = store<&Port::role>},
    {.name = "device",
     .type = Type::text,
     .otherwise = "needed by `run` only",
     .meaning = "PCI address, or any DPDK device string such as `net_af_packet0,iface=eth1`.",
     .store = store<&Port::device>},
    {.name = "mtu",
     .type = Type::integer,
     .min = 1280,
     .max = 9600,
     .unit = "octets",
     .preset = "1500",
     .meaning = "The largest IP packet on this port, without Ethernet header and tags.",
     .store = store<&Port::mtu>},
    {.name = "mac",
     .type = Type::mac,
     .otherwise = "the device's; `replay` takes 02:00:00:00:00:0n for port n",
     .meaning = "Overrides the device's Ethernet address.",
     .store = store<&Port::mac>},
    {.name = "tap",
     .type = Type::name,
     .otherwise = "what is for the edge itself, and not answered by it, is counted and goes nowhere",
     .meaning = "Name of a tap interface that the edge makes: what is for its own addresses on this port, and not "
                "answered by it, arrives there with its tags, and what the system sends there leaves by the port.",
     .store = store<&Port::tap>},
    {.name = "steering",
     .type = Type::boolean,
     .preset = "true",
     .meaning = "With `net_af_xdp` only: frames that are not the edge's (other VLANs, other addresses) stay with the "
                "system's own network stack. `false` takes every frame of the interface.",
     .store = store<&Port::steering>},
    {.name = "service_tpid",
     .type = Type::integer,
     .words = kSentTpid,
     .preset = "0x8100",
     .only_role = "access",
     .meaning =
         "TPID of the outer tag of what is sent with two tags. `auto` takes that of the frame received last with "
         "the same tags, and 0x8100 before the first. 0x8100, 0x88a8 and 0x9100 are accepted whatever is sent.",
     .store = store<&Port::service_tpid>},
    {.name = "single_tpid",
     .type = Type::integer,
     .words = kSentTpid,
     .preset = "0x8100",
     .only_role = "access",
     .meaning = "TPID of the tag of what is sent with one tag; `auto` as for `service_tpid`.",
     .store = store<&Port::single_tpid>},
    {.name = "inner_tpid",
     .type = Type::integer,
     .words = kInnerTpid,
     .preset = "0x8100",
     .only_role = "access",
     .meaning = "TPID of the inner tag of what is sent with two tags.",
     .store = store<&Port::inner_tpid>},
    {.name = "accept_tpids",
     .type = Type::integer,
     .shape = Shape::list,
     .words = kOuterTpid,
     .otherwise = "0x8100, 0x88a8, 0x9100 and what is sent",
     .only_role = "access",
     .meaning = "Further TPIDs that are accepted in an outer tag or an only one.",
     .store = store<&Port::accept_tpids>},
    {.name = "accept_inner_tpids",
     .type = Type::integer,
     .shape = Shape::list,
     .words = kInnerTpid,
     .otherwise = "0x8100 and what is sent",
     .only_role = "access",
     .meaning = "Further TPIDs that are accepted in an inner tag.",
     .store = store<&Port::accept_inner_tpids>},
    {.name = "address",
     .type = Type::interface4,
     .only_role = "core",
     .meaning = "The edge's IPv4 address in the core, with the length of its subnet.",
     .store = store<&Port::address>},
    {.name = "gateway",
     .type = Type::ip4,
     .only_role = "core",
     .meaning = "Next hop for IPv4 tunnels; an address in the port's subnet.",
     .store = store<&Port::gateway>},
    {.name = "address6",
     .type = Type::interface6,
     .only_role = "core",
     .meaning = "The edge's IPv6 address in the core, with the length of its subnet.",
     .store = store<&Port::address6>},
    {.name = "gateway6",
     .type = Type::ip6,
     .only_role = "core",
     .meaning = "Next hop for IPv6 tunnels; an address in the port's subnet, or link-local.",
     .store = store<&Port::gateway6>},
    {.name = "gateway_mac",
     .type = Type::mac,
     .otherwise = "gateways, and tunnel ends in the port's own subnet, are resolved by ARP and neighbour discovery",
     .only_role = "core",
     .meaning = "Ethernet address of the next hop; all that leaves by the port goes there.",
     .store = store<&Port::gateway_mac>},
};
constexpr Mapping kPort{.name = "port",
                        .path = "ports.NAME",
                        .meaning = "A port and what it faces. The order in the file numbers the ports from 0.",
                        .fields = kPortFields,
                        .place = place_of<Port>};

constexpr Field kLinksFields[] = {
    {.name = "primary",
     .type = Type::access_port,
     .meaning = "Access port of the primary link.",
     .store = store_link<Link::primary>},
    {.name = "secondary",
     .type = Type::access_port,
     .meaning = "Access port of the secondary link.",
     .store = store_link<Link::secondary>},
};
constexpr std::string_view kLinkKeys[] = {"primary", "secondary"};
constexpr Alternatives kLinksAlternatives[] = {{.keys = kLinkKeys, .one_needed = true}};
constexpr Mapping kLinks{.name = "links",
                         .path = "customers[].circuits[].links",
                         .meaning = "The links that end on this edge: a pair, or the half of one.",
                         .fields = kLinksFields,
                         .alternatives = kLinksAlternatives};

constexpr Field kCircuitFields[] = {
    {.name = "name",
     .type = Type::name,
     .required = true,
     .meaning = "What the circuit is called; unique in its customer.",
     .store = store<&Circuit::name>},
    {.name = "port",
     .type = Type::access_port,
     .meaning = "Short for `links: { primary: PORT }`.",
     .store = store_link<Link::primary>},
    {.name = "links",
     .type = Type::mapping,
     .meaning = "The access ports, one per link.",
     .mapping = &kLinks,
     .child = itself},
    {.name = "service_vlan",
     .type = Type::integer,
     .min = 1,
     .max = 4094,
     .otherwise = "single-tagged",
     .meaning = "The S-VID (QinQ). Best one for each circuit of a port.",
     .store = store<&Circuit::service_vlan>},
    {.name = "bandwidth",
     .type = Type::rate,
     .required = true,
     .min = kMinRate,
     .max = kMaxRate,
     .meaning = "CIR, per link and direction.",
     .store = store<&Circuit::bandwidth>},
    {.name = "burst",
     .type = Type::burst,
     .otherwise = "the larger of 20 ms of the bandwidth and 64 kB",
     .meaning = "CBS: octets, or a time of the bandwidth.",
     .store = store_burst<&Circuit::bandwidth, &Circuit::burst>},
    {.name = "accounting",
     .type = Type::choice,
     .words = kAccounting,
     .preset = "l3",
     .meaning =
         "What a packet costs: `l3` the customer's IP packet, `l2` with Ethernet header and tags, `wire` what the "
         "medium carries: at least 60 bytes of frame, and 24 of FCS, preamble and gap.",
     .store = store<&Circuit::accounting>},
    {.name = "peerings",
     .type = Type::mapping,
     .shape = Shape::list,
     .required = true,
     .filled = true,
     .meaning = "One to three peerings.",
     .mapping = &kPeeringMapping,
     .child = append_peering},
};
constexpr std::string_view kPortKeys[] = {"port", "links"};
constexpr Alternatives kCircuitAlternatives[] = {{.keys = kPortKeys, .one_needed = true, .one_at_most = true}};
constexpr Mapping kCircuit{.name = "circuit",
                           .path = "customers[].circuits[]",
                           .meaning = "What a customer buys: a VLAN on one or two ports, and a bandwidth.",
                           .fields = kCircuitFields,
                           .alternatives = kCircuitAlternatives,
                           .place = place_of<Circuit>};

constexpr Field kCustomerFields[] = {
    {.name = "name",
     .type = Type::name,
     .required = true,
     .meaning = "What the customer is called; unique.",
     .store = store<&Customer::name>},
    {.name = "circuits",
     .type = Type::mapping,
     .shape = Shape::list,
     .required = true,
     .meaning = "What the customer bought.",
     .mapping = &kCircuit,
     .child = append<&Customer::circuits>},
};
constexpr Mapping kCustomer{.name = "customer",
                            .path = "customers[]",
                            .meaning = "A tenant. Customers' addresses may overlap freely.",
                            .fields = kCustomerFields,
                            .place = place_of<Customer>};

constexpr Field kTopFields[] = {
    {.name = "edge",
     .type = Type::mapping,
     .otherwise = "all defaults",
     .meaning = "The edge itself.",
     .mapping = &kEdge,
     .child = member<&Model::edge>},
    {.name = "ports",
     .type = Type::mapping,
     .shape = Shape::keyed,
     .required = true,
     .filled = true,
     .meaning = "The ports by name.",
     .mapping = &kPort,
     .child = append_port},
    {.name = "customers",
     .type = Type::mapping,
     .shape = Shape::list,
     .otherwise = "none",
     .meaning = "The customers.",
     .mapping = &kCustomer,
     .child = append<&Model::customers>},
    {.name = "include",
     .type = Type::paths,
     .shape = Shape::one_or_list,
     .otherwise = "nothing",
     .meaning = "Files with more `customers`, as paths or patterns (`customers.d/*.yaml`) relative to this file."},
};
constexpr Mapping kTop{
    .name = "configuration", .path = "the file", .meaning = "The whole configuration.", .fields = kTopFields};

constexpr Field kIncludedFields[] = {
    {.name = "customers",
     .type = Type::mapping,
     .shape = Shape::list,
     .required = true,
     .meaning = "More customers.",
     .mapping = &kCustomer,
     .child = append<&Model::customers>},
};
constexpr Mapping kIncluded{.name = "included",
                            .path = "an included file",
                            .meaning = "An included file holds customers only.",
                            .fields = kIncludedFields};

void collect(const Mapping& mapping, std::vector<const Mapping*>& into) {
    if (std::ranges::find(into, &mapping) != into.end()) return;
    into.push_back(&mapping);
    for (const Field& field : mapping.fields)
        if (field.mapping != nullptr) collect(*field.mapping, into);
}

}  // namespace

const Mapping& top_mapping() {
    return kTop;
}
const Mapping& included_mapping() {
    return kIncluded;
}

std::vector<const Mapping*> all_mappings() {
    std::vector<const Mapping*> mappings;
    collect(kTop, mappings);
    collect(kIncluded, mappings);
    return mappings;
}

}  // namespace peerlane::config
