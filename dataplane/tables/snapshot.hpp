// Everything control decided, immutable, published by one pointer. The packet path reads it; only compile.cpp writes
// it. Indices into the arrays are slots of the state (state.hpp): stable as long as the thing they name exists.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/tables/sa_memory.hpp"
#include "lib/base/address.hpp"
#include "lib/base/types.hpp"
#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/sa.hpp"
#include "lib/meter/bucket.hpp"
#include "lib/table/route_table.hpp"
#include "lib/table/sa_table.hpp"
#include "lib/table/tunnel_table.hpp"
#include "lib/table/vlan_table.hpp"

namespace peerlane::dataplane {

inline constexpr unsigned kMaxPorts = 32;

/// The value a VRF's route table answers: who may send from this address (two bits), and where to go for it (kind and
/// index).
namespace route {
inline constexpr std::uint32_t kAcceptPrimary = 1U << 30U;    // accepted as a source on the primary link
inline constexpr std::uint32_t kAcceptSecondary = 1U << 29U;  // … on the secondary link
inline constexpr std::uint32_t kKindShift = 26;
static_assert((kAcceptPrimary | kAcceptSecondary) <= table::kMaxRouteValue);
inline constexpr std::uint32_t kIndexMask = (1U << kKindShift) - 1;
/// `pair`: to the customer, by whichever of the peering's two links the flow goes; the index is the home link's.
enum class Kind : std::uint32_t { none = 0, tunnel = 1, customer = 2, special = 3, pair = 4 };
enum class Special : std::uint32_t { local = 0, broadcast = 1 };  // the index of Kind::special

constexpr Kind kind(std::uint32_t value) noexcept {
    return static_cast<Kind>(value >> kKindShift & 7U);
}
constexpr std::uint32_t index(std::uint32_t value) noexcept {
    return value & kIndexMask;
}
constexpr std::uint32_t make(Kind kind, std::uint32_t index) noexcept {
    return static_cast<std::uint32_t>(kind) << kKindShift | index;
}
constexpr std::uint32_t accept_bit(Link link) noexcept {
    return link == Link::primary ? kAcceptPrimary : kAcceptSecondary;
}
}  // namespace route

/// Where a neighbour's word is in State::neighbours: customers by attachment and family, then the core's by slot.
namespace neighbour {
constexpr std::uint32_t customer(std::uint32_t attachment, bool six) noexcept {
    return attachment * 2U + (six ? 1U : 0U);
}
inline constexpr std::uint32_t kFirstCore = std::uint32_t{1} << 20U;
inline constexpr std::uint32_t kNobody = kFirstCore;  // never known
}  // namespace neighbour

/// An L3 peering on one link, as a packet from the customer meets it. Index: peering slot * 2 + link.
struct alignas(64) Attachment {
    const table::RouteTable4* routes4 = nullptr;
    const table::RouteTable6* routes6 = nullptr;
    meter::BucketRate rate{};  // of the circuit
    std::uint32_t bucket =
        0;  // the circuit's to_cloud bucket and drop cell: circuit slot * 4 + link * 2; to_customer: + 1
    std::uint32_t peering = 0;   // slot
    std::uint32_t accept = 0;    // route::accept_bit of the link
    std::uint32_t hold = 0;      // octets one of several workers may hold of a bucket of this circuit; 0: none
    std::uint16_t overhead = 0;  // octets the circuit's accounting adds to the IP length
    std::uint8_t shortest = 0;   // bytes a packet costs at least
    std::uint8_t port = 0;
    bool own_bucket = false;  // the peering has a bucket before the circuit's
    bool valid = false;
};
static_assert(sizeof(Attachment) == 64, "one cache line a packet");

/// Quick questions whether the source of a packet from a tunnel may be an own address of its peering, or the network or
/// broadcast address of one of its links. Who may be is looked up in the VRF.
namespace link_source {
/// Exit::near4: what the subnets of the links have in common, and in the low bits how many bits differ (8 .. 32).
inline constexpr std::uint32_t kBits = 63;
inline constexpr std::uint32_t kAsk6 = 64;  // the links' IPv6 subnets have different hashes: everybody may be
inline constexpr std::uint32_t kNone = 8;   // 0.0.0.0/24, which is never a source

constexpr bool may_be(std::uint32_t near4, Ip4 source) noexcept {
    return std::uint64_t{source.value ^ near4} >> (near4 & kBits) == 0;
}
/// Of the first half of an address: link subnets are /64 or longer.
constexpr std::uint8_t hash6(std::uint64_t high) noexcept {
    return static_cast<std::uint8_t>(high * 0x9e37'79b9'7f4a'7c15U >> 56U);
}
constexpr bool may_be(std::uint32_t near4, std::uint8_t near6, Ip6 source) noexcept {
    return hash6(source.high) == near6 || (near4 & kAsk6) != 0;
}
}  // namespace link_source

/// The way out to a customer on one link; same index as Attachment. The first half line ends with the link header, so
/// that one 32-octet copy puts it in front of a packet.
struct alignas(64) Exit {
    std::uint16_t mtu = 0;  // largest IP packet, octets
    std::uint16_t overhead = 0;
    std::uint8_t port = 0;
    std::uint8_t header_length = 0;  // 18 or 22
    bool has_mac = false;            // the header's; else `neighbours` say it
    bool own_bucket : 1 = false;
    bool hears_tpid : 1 = false;            // the outer or only tag's TPID is in State::heard_tpids
    std::uint8_t shortest = 0;              // as Attachment::shortest
    std::uint8_t near6 = 0;                 // namespace link_source, of the peering's links
    std::array<std::uint8_t, 22> header{};  // Ethernet and tags, right-aligned; its last two octets are the EtherType
    meter::BucketRate rate{};
    std::uint32_t bucket = 0;  // the circuit's to_customer bucket and drop cell
    std::uint32_t near4 = link_source::kNone;
};
static_assert(sizeof(Exit) == 64 && offsetof(Exit, header) + 22 == 32);

/// What the stages before the encapsulation need of a tunnel. Index: tunnel slot.
struct TunnelInfo {
    static constexpr std::uint8_t kOuterV6 = 1, kKey = 2, kClampMss = 4, kIgnoreDf = 8, kFixedDscp = 16,
                                  kLearns = 32,  // the next hop's MAC: `neighbour` says it
        kProtected = 64;                         // nothing leaves or comes in but inside ESP
    std::uint16_t mtu = 0;                       // largest inner IP packet, octets
    std::uint8_t port = 0;
    std::uint8_t header_length = 0;  // Ethernet, IP and GRE: 38 .. 62
    std::uint8_t flags = 0;
    std::uint8_t dscp = 0;  // in the upper six bits, with kFixedDscp
    std::uint16_t header_sum =
        0;                        // folded sum (memory order) of the IPv4 header without total length, TOS and checksum
    std::uint32_t neighbour = 0;  // slot of the next hop, with kLearns
    std::uint32_t attachment = 0;  // the peering's home link here: what the edge makes itself leaves by it
    [[nodiscard]] std::uint32_t peering() const noexcept { return attachment / kLinks; }  // slot
};
static_assert(sizeof(TunnelInfo) == 16);

/// Ethernet + IP + GRE as they stand before the inner packet, right-aligned: one 64-octet copy ends where the inner
/// packet begins.
struct alignas(64) TunnelHeader {
    std::array<std::uint8_t, 64> octets{};
};

/// What a received tunnel packet finds under its identity.
struct TunnelPayload {
    const table::RouteTable4* routes4 = nullptr;
    const table::RouteTable6* routes6 = nullptr;
    std::uint32_t tunnel = 0;     // slot
    std::uint16_t clamp_mtu = 0;  // 0: no MSS clamp
    std::uint16_t unused = 0;
};

/// The number of an SA in tunnel identities: its slot and one. 0: no SA, in clear. A protected tunnel is in the table
/// once for each of its inbound SAs, and once under kAnySa, which no packet has, so that a clear packet can be told
/// from a stranger.
constexpr std::uint32_t sa_number(std::uint32_t slot) noexcept {
    return slot + 1;
}
inline constexpr std::uint32_t kAnySa = 0x7fff'ffff;

/// Limits as configured; kNoLimit: none.
struct SaLimits {
    std::uint64_t packets = ipsec::kNoLimit;
    std::uint64_t bytes = ipsec::kNoLimit;
    Nanoseconds age = ipsec::kNoLimit;
};

/// A security association, control's side: by what its state persists, what limits it, what it is called.
struct SaPlan {
    SaKey key;
    std::uint32_t slot = 0;    // in the state
    std::uint32_t tunnel = 0;  // slot
    std::uint32_t spi = 0;
    std::uint32_t lane = 0;  // outbound
    EspSuite suite = EspSuite::aes_gcm_128;
    bool transport = false;
    bool esn = false;
    std::uint16_t window = 0;  // inbound
    std::uint8_t owner = 0;    // worker
    bool has_next = false;     // outbound: another takes over at the soft limits
    bool standby = false;      // outbound: it is that other
    SaLimits soft, hard;
    std::uint32_t name = 0;  // index into Names::tunnels
};

/// Rarely read facts of a peering. Index: peering slot.
struct PeeringInfo {
    struct End {
        bool present = false;
        bool has4 = false, has6 = false;
        Ip4 edge4;
        Ip6 edge6;
    };
    std::array<End, kLinks> ends;  // by Link
    Link home = Link::primary;     // what is of no link in particular is of this one
    meter::BucketRate rate{};      // of its own bucket
    std::uint32_t hold = 0;        // as Attachment::hold, of its own bucket
    bool own_bucket = false;
    std::uint32_t circuit = 0;   // slot
    std::uint32_t customer = 0;  // slot
    std::uint64_t mark = 0;      // never another peering's, also of one that has the slot later
};

struct PortInfo {
    std::string name;
    bool access = true;
    bool tap = false;            // the system answers for the edge's own addresses, but for echo requests
    std::uint64_t mac = 0;       // the first six octets as a little-endian load sees them
    std::uint64_t mac_mask = 0;  // 0: any destination is ours (replay without mac:)
    Mac mac_address;             // what is sent from
    std::uint16_t mtu = 0;
    // Access. Of what is sent; where that is heard, what is sent before anything is.
    std::uint16_t service_tpid = 0;  // of the outer one of two tags
    std::uint16_t single_tpid = 0;   // of an only tag
    std::uint16_t inner_tpid = 0;
    std::uint8_t outer_tpids = 0, inner_tpids = 0;  // accepted, sets of ether::tpid_bit
    bool hears_tpids = false;                       // some of what is sent has the TPID heard last
    Mac gateway_mac;
    bool has_gateway_mac = false;
    meter::BucketRate neighbour_rate{};  // core: as Snapshot::neighbour_rate, for all that are next to it
    std::vector<Ip6> own;                // core: the edge's addresses that are reached by it, IPv4 mapped; sorted
    table::VlanTable vlans;
};

/// Somebody next to the edge, whose MAC is configured or has to be learnt (RFC 826, RFC 4861).
struct NeighbourPlan {
    std::uint32_t word = neighbour::kNobody;
    std::uint32_t also = neighbour::kNobody;  // a second word: of the family that has no subnet on the link
    std::uint8_t port = 0;
    static constexpr std::uint32_t kCore = 0xffff'ffff;
    std::uint32_t attachment = kCore;  // kCore: on the core side, untagged
    Ip6 address{};                     // IPv4 mapped
    Ip6 own{};                         // the edge's own address beside it
    std::optional<Mac> mac{};          // configured
    bool gateway = false;              // of a core port; else a tunnel's end
    bool watched = false;              // one of a pair: its loss is to be noticed within a second
    bool operator==(const NeighbourPlan&) const = default;
};

/// What the counters are called: control's side of the slots, in configuration order.
struct Names {
    struct Circuit {
        std::string customer, circuit;
        std::uint32_t slot;
        std::vector<Link> links;
        std::uint16_t overhead;
        std::vector<std::uint32_t> peerings;  // indices into Names::peerings
        std::uint32_t shortest = 0;           // as Attachment::shortest
    };
    struct Peering {
        std::string customer, circuit, type;
        std::uint32_t slot;
        std::vector<Link> links;
        std::uint16_t overhead;
        std::vector<std::uint32_t> tunnels;  // slots
    };
    struct Tunnel {
        std::string customer, circuit, peering, name, local, remote;
        std::optional<GreKey> key;
        std::uint32_t slot;
        std::vector<Link> links;
    };
    std::vector<Circuit> circuits;
    std::vector<Peering> peerings;
    std::vector<Tunnel> tunnels;
};

struct Snapshot {
    std::vector<PortInfo> ports;
    std::vector<Attachment> attachments;
    std::vector<Exit> exits;
    std::vector<PeeringInfo> peerings;
    std::vector<TunnelInfo> tunnels;
    std::vector<TunnelHeader> tunnel_headers;
    table::TunnelTable<TunnelPayload> tunnel_table;
    // IPsec; empty where no tunnel asks for it.
    std::vector<std::vector<ipsec::SaOut>> sas_out;  // by worker, then by tunnel slot; standby SAs behind
    std::vector<TunnelHeader> esp_headers;           // by tunnel slot: Ethernet, IP and UDP before the ESP header
    table::SaTable<ipsec::SaIn> sa_table;
    std::vector<std::uint32_t> sa_tunnels;  // by SA slot: tunnel slot
    std::vector<std::uint64_t>
        sa_marks;                      // by SA slot: of the key, never 0; tells an SA from one that had its slot before
    std::vector<SaPlan> sas;           // in configuration order
    std::vector<Ip6> local_addresses;  // the edge's own on the core side, IPv4 mapped (RFC 4291 §2.5.5.2); sorted
    meter::BucketRate icmp_rate{};     // one "octet" is one error
    unsigned announcements = 2;        // of each address of the edge, unasked
    meter::BucketRate reply_rate{};    // one "byte" is one packet that the edge originates
    meter::BucketRate punt_rate{};     // one "octet" is one packet for the edge itself
    meter::BucketRate ask_rate{};      // … one ARP or neighbour discovery message of anybody
    meter::BucketRate neighbour_rate{};                    // … of whom the edge sends to, by an access port
    std::vector<std::pair<std::uint32_t, Ip6>> next_hops;  // whom the edge sends to, by local_cell; sorted
    std::vector<NeighbourPlan> neighbours;                 // in configuration order
    unsigned workers = 1;
    bool pads = false;         // some circuit counts the padding of short frames (Attachment::shortest)
    bool hears_tpids = false;  // PortInfo::hears_tpids of any

    // Parts shared with the snapshots before and after: one VRF's routes each, and what they were built from.
    struct Vrf {
        std::uint32_t peering;
        std::vector<table::Range<Ip4>> ranges4;
        std::vector<table::Range<Ip6>> ranges6;
        std::shared_ptr<const table::RouteTable4> routes4;
        std::shared_ptr<const table::RouteTable6> routes6;
    };
    std::vector<std::shared_ptr<const Vrf>> vrfs;  // by peering slot; null where there is none
    std::map<std::array<std::uint8_t, 33>, std::shared_ptr<const ipsec::Key>>
        keys;  // by SHA-256 of the material, and way

    // Buckets whose rate or depth differs from the snapshot before: worker 0 settles them when it takes this one up.
    struct Retune {
        enum class Of : std::uint8_t { circuit, peering };
        Of of;
        std::uint32_t bucket;
        meter::BucketRate from, to;
    };
    std::vector<Retune> retunes;
    std::vector<meter::BucketRate> circuit_rates;  // circuit slot * 2 + link; rate 0: no such link
    Names names;
};

}  // namespace peerlane::dataplane
