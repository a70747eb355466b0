// The field table: peerings, virtual networks and tunnels. Leaves come first.
#include "config/fields.hpp"

#include "config/store.hpp"

namespace peerlane::config {
namespace {

/// For the only link; a pair's `subnet` is refused by a rule.
template <auto Subnet>
void store_only_subnet(void* object, const Value& value) {
    auto& links = static_cast<Peering*>(object)->links;
    if (links.size() == 1) assign(links.front().*Subnet, value);
}

/// The other half of a pair may end on another edge: its subnet is not ours to keep.
template <Link Half, auto Subnet>
void store_subnet(void* object, const Value& value) {
    for (PeeringLink& link : static_cast<Peering*>(object)->links)
        if (link.link == Half) assign(link.*Subnet, value);
}

constexpr Word kPeeringType[] = {{"private", raw(PeeringType::private_)},
                                 {"microsoft", raw(PeeringType::microsoft)},
                                 {"public", raw(PeeringType::public_)}};
constexpr Word kInnerDf[] = {{"honour", raw(InnerDf::honour)}, {"ignore", raw(InnerDf::ignore)}};

constexpr Field kTunnelFields[] = {
    {.name = "local",
     .type = Type::ip,
     .required = true,
     .meaning =
         "Our end: the source of what is sent. Need not be a port's own address. The core port whose subnet holds it "
         "serves the tunnel, else the first core port with an address of its family.",
     .store = store<&Tunnel::local>},
    {.name = "remote",
     .type = Type::ip,
     .required = true,
     .meaning = "The cloud gateway; of the same family as `local`.",
     .store = store<&Tunnel::remote>},
    {.name = "key",
     .type = Type::integer,
     .min = 0,
     .max = 0xffffffff,
     .otherwise = "no key, which differs from key 0",
     .meaning = "The GRE key (RFC 2890).",
     .store = store<&Tunnel::key>},
    {.name = "dscp",
     .type = Type::integer,
     .min = 0,
     .max = 63,
     .unset_word = "copy",
     .preset = "copy",
     .meaning = "DSCP of the outer header: `copy` takes the inner packet's.",
     .store = store<&Tunnel::dscp>},
    {.name = "inner_df",
     .type = Type::choice,
     .words = kInnerDf,
     .preset = "honour",
     .meaning =
         "For an inner IPv4 packet too big for the tunnel: `honour` fragments it only if its DF is 0, `ignore` always. "
         "Senders "
         "that set DF may leave the ID 0 (RFC 6864), and then receivers may mix up the pieces of different packets.",
     .store = store<&Tunnel::inner_df>},
    {.name = "mss_clamp",
     .type = Type::boolean,
     .preset = "false",
     .meaning = "Lowers the MSS of TCP SYNs to what fits the tunnel.",
     .store = store<&Tunnel::mss_clamp>},
};
constexpr Mapping kTunnel{
    .name = "tunnel",
    .path = "customers[].circuits[].peerings[].virtual_networks[].tunnel",
    .meaning = "A GRE tunnel (RFC 2784, RFC 2890). No two tunnels have the same local, remote and key.",
    .fields = kTunnelFields,
    .place = place_of<Tunnel>};

constexpr Field kNetworkFields[] = {
    {.name = "name",
     .type = Type::name,
     .required = true,
     .meaning = "What the virtual network is called; unique in its peering.",
     .store = store<&VirtualNetwork::name>},
    {.name = "prefixes",
     .type = Type::prefix,
     .shape = Shape::list,
     .required = true,
     .filled = true,
     .meaning = "Cloud prefixes behind the tunnel; a default route is allowed.",
     .store = store<&VirtualNetwork::prefixes>},
    {.name = "tunnel",
     .type = Type::mapping,
     .required = true,
     .meaning = "The tunnel to its gateway.",
     .mapping = &kTunnel,
     .child = member<&VirtualNetwork::tunnel>},
    {.name = "ipsec",
     .type = Type::mapping,
     .otherwise = "sent and accepted in the clear",
     .meaning = "ESP around the tunnel: nothing of it is sent or accepted without.",
     .mapping = &kIpsecMapping,
     .child = [](void* object, std::string_view) -> void* {
         return &static_cast<VirtualNetwork*>(object)->ipsec.emplace();
     }},
};
constexpr Mapping kNetwork{.name = "virtual_network",
                           .path = "customers[].circuits[].peerings[].virtual_networks[]",
                           .meaning = "Cloud prefixes reached through one tunnel.",
                           .fields = kNetworkFields,
                           .place = place_of<VirtualNetwork>};

constexpr Field kSubnetsFields[] = {
    {.name = "primary",
     .type = Type::subnet4,
     .meaning = "Subnet of the primary link.",
     .store = store_subnet<Link::primary, &PeeringLink::subnet>},
    {.name = "secondary",
     .type = Type::subnet4,
     .meaning = "Subnet of the secondary link.",
     .store = store_subnet<Link::secondary, &PeeringLink::subnet>},
};
constexpr Mapping kSubnets{
    .name = "subnets",
    .path = "customers[].circuits[].peerings[].subnets",
    .meaning = "IPv4 subnets of a pair. That of a link that ends on another edge may be given too.",
    .fields = kSubnetsFields};

constexpr Field kSubnets6Fields[] = {
    {.name = "primary",
     .type = Type::subnet6,
     .meaning = "IPv6 subnet of the primary link.",
     .store = store_subnet<Link::primary, &PeeringLink::subnet6>},
    {.name = "secondary",
     .type = Type::subnet6,
     .meaning = "IPv6 subnet of the secondary link.",
     .store = store_subnet<Link::secondary, &PeeringLink::subnet6>},
};
constexpr Mapping kSubnets6{
    .name = "subnets6",
    .path = "customers[].circuits[].peerings[].subnets6",
    .meaning = "IPv6 subnets of a pair. That of a link that ends on another edge may be given too.",
    .fields = kSubnets6Fields};

constexpr Field kPeeringFields[] = {
    {.name = "type",
     .type = Type::choice,
     .required = true,
     .words = kPeeringType,
     .meaning =
         "`private` accepts any customer prefix, `microsoft` and `public` only public ones. One of each per circuit.",
     .store = store<&Peering::type>},
    {.name = "vlan",
     .type = Type::integer,
     .required = true,
     .min = 1,
     .max = 4094,
     .meaning = "The C-VID, or the only tag of a circuit without `service_vlan`. The same on both links.",
     .store = store<&Peering::vlan>},
    {.name = "subnet",
     .type = Type::subnet4,
     .meaning =
         "IPv4 subnet of the only link, /24 to /31: the customer has the first usable address, the edge the second.",
     .store = store_only_subnet<&PeeringLink::subnet>},
    {.name = "subnets",
     .type = Type::mapping,
     .meaning = "IPv4 subnets of a pair, one per link.",
     .mapping = &kSubnets,
     .child = itself},
    {.name = "subnet6",
     .type = Type::subnet6,
     .meaning =
         "IPv6 subnet of the only link, /64 to /127: the customer has ::1, the edge ::2 (of a /127 ::0 and ::1).",
     .store = store_only_subnet<&PeeringLink::subnet6>},
    {.name = "subnets6",
     .type = Type::mapping,
     .meaning = "IPv6 subnets of a pair, one per link.",
     .mapping = &kSubnets6,
     .child = itself},
    {.name = "customer_mac",
     .type = Type::mac,
     .otherwise = "resolved by ARP and neighbour discovery",
     .meaning = "Ethernet address of the customer's router, on both links of a pair.",
     .store = store<&Peering::customer_mac>},
    {.name = "customer_prefixes",
     .type = Type::prefix,
     .shape = Shape::list,
     .otherwise = "only the link subnets",
     .meaning = "Sources accepted from the customer, and where they are reached; the link subnets are accepted anyway.",
     .store = store<&Peering::customer_prefixes>},
    {.name = "bandwidth",
     .type = Type::rate,
     .min = kMinRate,
     .max = kMaxRate,
     .otherwise = "only the circuit's",
     .meaning = "A bucket of the peering's own, per link and direction, before the circuit's.",
     .store = store<&Peering::bandwidth>},
    {.name = "burst",
     .type = Type::burst,
     .otherwise = "the larger of 20 ms of the bandwidth and 64 kB",
     .meaning = "Depth of that bucket, in octets or as a time of the bandwidth.",
     .store = store_burst<&Peering::bandwidth, &Peering::burst>},
    {.name = "virtual_networks",
     .type = Type::mapping,
     .shape = Shape::list,
     .otherwise = "none",
     .meaning = "What the peering reaches.",
     .mapping = &kNetwork,
     .child = append<&Peering::virtual_networks>},
};
constexpr std::string_view kSubnetKeys[] = {"subnet", "subnets", "subnet6", "subnets6"};
constexpr std::string_view kSubnet4Keys[] = {"subnet", "subnets"};
constexpr std::string_view kSubnet6Keys[] = {"subnet6", "subnets6"};
constexpr Alternatives kPeeringAlternatives[] = {{.keys = kSubnetKeys, .one_needed = true},
                                                 {.keys = kSubnet4Keys, .one_at_most = true},
                                                 {.keys = kSubnet6Keys, .one_at_most = true}};
}  // namespace

constinit const Mapping kPeeringMapping{
    .name = "peering",
    .path = "customers[].circuits[].peerings[]",
    .meaning =
        "A routing domain on a circuit: its own VRF. No prefix twice in one VRF; nested ones "
        "are what longest-prefix match is for.",
    .fields = kPeeringFields,
    .alternatives = kPeeringAlternatives,
    .place = place_of<Peering>};

}  // namespace peerlane::config
