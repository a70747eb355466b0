// The configuration as plain structs: what the file says, after loading and validation. Nothing here knows YAML or the
// data plane.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/secret.hpp"
#include "lib/base/address.hpp"
#include "lib/base/esp_suite.hpp"
#include "lib/base/types.hpp"

namespace peerlane::config {

/// Where in which file something was said; line and column from 1. `file` indexes Model::files.
struct Place {
    std::uint32_t file = 0;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

enum class Role : std::uint8_t { access, core };
enum class PeeringType : std::uint8_t { private_, microsoft, public_ };
enum class Accounting : std::uint8_t { l3, l2, wire };
enum class Idle : std::uint8_t { spin, sleep };
enum class InnerDf : std::uint8_t { honour, ignore };

struct Edge {
    std::string name = "peerlane";
    std::uint32_t workers = 1;
    std::vector<std::uint32_t> cores;  // pins worker i to cores[i]; empty: not pinned
    Idle idle = Idle::spin;
    std::string state_dir = "/var/lib/peerlane";
    bool state_dir_volatile = false;  // it may lie in memory
    std::string socket = "/run/peerlane.sock";
    std::string read_socket;                     // answers `show` only; empty: none
    std::uint32_t icmp_errors_per_second = 100;  // per peering
    std::uint32_t punts_per_second = 1000;       // per peering, and per core port
    std::uint32_t replies_per_second = 1000;     // per peering's link, and per core port
    std::uint32_t announcements = 2;             // of each address of the edge, unasked
    std::uint32_t tcp_rtt_ms = 20;               // the round trip the burst warning assumes
};

/// `auto` as a TPID: that of the frame received last with the same tags.
inline constexpr std::uint16_t kHeardTpid = 0;

struct Port {
    std::string name;
    Role role = Role::access;
    std::string device;
    std::uint16_t mtu = 1500;  // largest IP packet, octets
    std::optional<Mac> mac;    // unset: the device's; in replay: any accepted, 02:00:00:00:00:0n sent
    std::string tap;           // interface the edge makes for what is delivered locally; empty: none
    bool steering = true;      // net_af_xdp only: what is not the edge's stays with the kernel
    // Access ports only: the TPIDs of what is sent, of the outer of two tags, of an only tag, of the inner tag.
    std::uint16_t service_tpid = 0x8100;  // or kHeardTpid
    std::uint16_t single_tpid = 0x8100;   // or kHeardTpid
    std::uint16_t inner_tpid = 0x8100;
    // What is accepted besides: outer or only tags with 0x8100, 0x88a8, 0x9100, inner ones with 0x8100, and what is
    // sent are accepted anyway.
    std::vector<std::uint16_t> accept_tpids;
    std::vector<std::uint16_t> accept_inner_tpids;
    // core ports only
    std::optional<Prefix4> address;  // the edge's address with its prefix length
    std::optional<Prefix6> address6;
    std::optional<Ip4> gateway;
    std::optional<Ip6> gateway6;
    std::optional<Mac> gateway_mac;
    Place place;
};

struct Tunnel {
    IpAddress local;
    IpAddress remote;  // the family of local
    std::optional<GreKey> key;
    std::optional<std::uint8_t> dscp;  // unset: copied from the inner packet; else 0 .. 63
    InnerDf inner_df = InnerDf::honour;
    bool mss_clamp = false;
    Place place;
};

enum class IpsecMode : std::uint8_t { tunnel, transport };

/// Limits of a security association (RFC 4301 §4.4.2.1); 0: none.
struct Lifetime {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;         // of ESP payload
    std::uint64_t milliseconds = 0;  // from the first time the key is put to use
};

/// What we send under: `spi_count` lanes on the SPIs spi, spi + 1 …, all with this key, lane first_lane + i on SPI
/// spi + i.
struct OutboundSa {
    std::uint32_t spi = 0;  // 256 .. 2^32 - 1
    Secret key;             // row(suite).material() octets
    std::uint32_t spi_count = 1;
    std::uint32_t first_lane = 0;  // first_lane + spi_count <= 256
    Place place;
};
struct InboundSa {
    std::uint32_t spi = 0;
    Secret key;
    Place place;
};

struct Ipsec {
    IpsecMode mode = IpsecMode::tunnel;
    EspSuite suite = EspSuite::aes_gcm_128;
    IpAddress local;  // outer addresses, of one family; resolved: the tunnel's where the file gives none
    IpAddress remote;
    std::vector<OutboundSa> outbound;    // 1 or 2: the one in use, and the next when that reaches a soft limit
    std::vector<InboundSa> inbound;      // 1 or more
    std::uint32_t replay_window = 1024;  // 64 .. 8192
    bool esn = false;
    bool udp_encapsulation = false;    // RFC 3948, port 4500
    std::optional<std::uint8_t> dscp;  // of the ESP packet; unset: copied from the delivery header
    Lifetime soft;
    Lifetime hard;
    Place place;
};

struct VirtualNetwork {
    std::string name;
    std::vector<Prefix> prefixes;
    Tunnel tunnel;
    std::optional<Ipsec> ipsec;
    Place place;
};

/// One end of a peering on one link of its circuit. The customer has the first usable address of the subnet, the edge
/// the second.
struct PeeringLink {
    Link link = Link::primary;
    std::optional<Prefix4> subnet;
    std::optional<Prefix6> subnet6;
};

struct Peering {
    PeeringType type = PeeringType::private_;
    std::uint16_t vlan = 0;          // the C-VID of a QinQ circuit; the only tag of a single-tagged one; 1 .. 4094
    std::vector<PeeringLink> links;  // one per Circuit::links, in the same order
    std::optional<Mac> customer_mac;
    std::vector<Prefix> customer_prefixes;
    std::optional<BitsPerSecond> bandwidth;  // a bucket of its own, before the circuit's
    Bytes burst{0};                          // resolved; meaningful when bandwidth is set
    std::vector<VirtualNetwork> virtual_networks;
    Place place;
};

/// One half of a circuit that ends on this edge.
struct CircuitLink {
    Link link = Link::primary;
    std::uint32_t port = 0;  // index into Model::ports, an access port
};

struct Circuit {
    std::string name;
    std::vector<CircuitLink> links;             // 1 or 2, at most one of each Link
    std::optional<std::uint16_t> service_vlan;  // S-VID; unset: single-tagged, each peering's vlan is the only tag
    BitsPerSecond bandwidth{0};                 // per link and direction
    Bytes burst{0};                             // resolved to octets
    Accounting accounting = Accounting::l3;
    std::vector<Peering> peerings;
    Place place;
};

struct Customer {
    std::string name;
    std::vector<Circuit> circuits;
    Place place;
};

struct Model {
    Edge edge;
    std::vector<Port> ports;  // file order: port n of docs and of replay's MAC
    std::vector<Customer> customers;
    std::vector<std::string> files;  // every file read, the named one first
    /// Where the settings of the edge and of its ports are: "edge.workers", "ports.core0", "ports.core0.mtu". Of a
    /// file with mistakes what could be read of them.
    std::map<std::string, Place, std::less<>> places{};
};

/// One finding: where, what is wrong, what to write instead.
struct Finding {
    enum class Severity : std::uint8_t { error, warning };
    Severity severity = Severity::error;
    std::string where;   // "FILE:LINE:COLUMN"
    std::string what;    // what is wrong, with the value
    std::string remedy;  // what to write instead
};

}  // namespace peerlane::config
