// What can become of a packet. One list makes the enum, the names in counters and the table in docs/counters.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace peerlane::dataplane {

/// Who answers for a drop: the port alone (the packet belongs to no circuit yet, or the cause is ours), or also the
/// circuit.
enum class Charge : std::uint8_t { port, circuit };

// clang-format off
#define PEERLANE_DROP_REASONS(X)                                                                                        \
    /* the link */                                                                                                      \
    X(runt, port, "the frame is too short for its Ethernet header and tags")                                            \
    X(chained, port, "the packet spans several buffers and cannot be made one")                                         \
    X(not_for_us, port, "the destination MAC or the outer destination address is somebody else's")                      \
    X(bad_tag, port, "three tags, an inner TPID that is not accepted, VID 4095, three priority tags; tags that a NIC lost") \
    X(unknown_vlan, port, "no peering has these tags on this port")                                                     \
    X(tags_reassigned, port, "a frame of the edge's own whose tags a reload gave to another peering")                   \
    X(multicast, circuit, "a group MAC, or a multicast or broadcast IP destination")                                    \
    /* the customer's packet, either way */                                                                             \
    X(not_ip, circuit, "an EtherType that is neither IPv4, IPv6 nor ARP")                                               \
    X(truncated, circuit, "the IP header or its length runs past the frame")                                            \
    X(bad_header, circuit, "the IP version, header length or total length is wrong")                                    \
    X(bad_checksum, circuit, "the IPv4 header checksum is wrong")                                                       \
    X(super_frame, circuit, "several packets in one frame (GRO, GSO), which the system has left to a device to divide")   \
    X(oversize, circuit, "the IP packet is longer than the MTU of the port it came in by")                              \
    X(martian, circuit, "never forwarded, from or to: 0/8, 127/8, 169.254/16, 240/4, ::, ::1, mapped, fe80::/10")       \
    X(jumbogram, circuit, "an IPv6 packet that says its length in a jumbo payload option (RFC 2675)")                   \
    X(extension_header, circuit, "for the edge: IPv6 extension headers or AH that it cannot follow or must refuse")     \
    X(source_not_accepted, circuit, "outside the accepted prefixes; the edge's own, a link's network or broadcast address")\
    X(no_route, circuit, "the VRF has no route to the destination")                                                     \
    X(ttl_expired, circuit, "the TTL or hop limit would reach 0")                                                       \
    X(too_big, circuit, "larger than the MTU of the way out, and not to be fragmented")                                 \
    X(policed, circuit, "the bucket of the circuit or of the peering is empty")                                         \
    X(no_neighbour, circuit, "the MAC of the next hop is not known, and no packet more may wait for it")                \
    X(reply_limited, circuit, "an echo request beyond replies_per_second of its link, or of the core port")             \
    X(punt_limited, circuit, "more for the edge itself than the peering, or the core port, may send it")                \
    /* the tunnel */                                                                                                    \
    X(outer_not_ip, port, "a core frame that is neither IPv4, IPv6 nor ARP")                                            \
    X(outer_truncated, port, "the outer IP or GRE header runs past the frame")                                          \
    X(outer_bad_header, port, "the outer IP version, header length or total length is wrong")                           \
    X(outer_bad_checksum, port, "the outer IPv4 header checksum is wrong")                                              \
    X(outer_fragment, port, "a fragment of a tunnel's packet")                                                          \
    X(gre_bad_header, port, "GRE bits 1, 4, 5 or the version are not zero (RFC 2784, RFC 2890)")                        \
    X(gre_bad_checksum, port, "the GRE checksum is wrong")                                                              \
    X(unknown_tunnel, port, "no tunnel has these addresses and this key, or this lack of one")                          \
    X(gre_protocol, circuit, "the GRE protocol type is not that of the IP packet inside")                               \
    X(ecn_mismatch, circuit, "congestion marked on the outer header of a packet that does not know ECN (RFC 6040)")     \
    X(from_cloud_to_cloud, circuit, "a packet from a tunnel whose route is a tunnel")                                   \
    /* IPsec */                                                                                                         \
    X(esp_unknown_spi, port, "no inbound SA has this SPI")                                                              \
    X(esp_encapsulation, port, "ESP in UDP for an SA without it, or not in UDP for one with it (RFC 3948)")             \
    X(nat_keepalive, port, "a NAT keepalive: nothing is to be done with it (RFC 3948 §2.3)")                            \
    X(esp_truncated, circuit, "ESP shorter than its header, IV, trailer and ICV")                                       \
    X(esp_not_blocks, circuit, "the ciphertext is no whole number of blocks")                                           \
    X(esp_wrong_tunnel, circuit, "not the SA's outer addresses, or another tunnel inside than the SA's")                \
    X(esp_replayed, circuit, "a sequence number that has been here before")                                             \
    X(esp_late, circuit, "a sequence number older than the replay window, or 0")                                        \
    X(esp_bad_icv, circuit, "not authentic: changed on its way, another key, or another epoch")                         \
    X(esp_bad_pad_length, circuit, "more padding than packet")                                                          \
    X(esp_bad_padding, circuit, "padding that is not 1, 2, 3 …")                                                        \
    X(esp_next_header, circuit, "not what the mode allows: IPv4 or IPv6 in tunnel mode, GRE in transport mode")         \
    X(esp_inner_truncated, circuit, "the inside is shorter than its delivery and GRE headers")                          \
    X(esp_inner_bad, circuit, "a wrong delivery header inside: version, length, checksum, protocol or fragment")        \
    X(esp_dummy, circuit, "a dummy packet: nothing is to be done with it (RFC 4303 §2.6)")                              \
    X(clear_refused, circuit, "clear GRE for a tunnel that is protected")                                               \
    X(sa_expired, circuit, "the SA is at a hard limit of its life")                                                     \
    X(sequence_exhausted, circuit, "the SA has sent its last sequence number")                                          \
    X(sequence_not_reserved, circuit, "the next sequence numbers are not on disk yet")                                  \
    X(no_lane, port, "what the edge made itself met a worker without a lane of the tunnel")                             \
    /* our own limits */                                                                                                \
    X(no_headroom, port, "no room in the buffer before the packet for its encapsulation or its outer tag")              \
    X(no_tailroom, port, "no room in the buffer behind the packet for padding and ICV")                                 \
    X(handover_full, circuit, "the circuit or its customer has its share of the ring to the worker that has the SA")    \
    X(punt_full, circuit, "the sender, its circuit or its customer has its share of the ring to local delivery")        \
    X(no_memory, port, "no buffer free for a fragment")                                                                 \
    X(link_down, port, "the port that the packet leaves by has no link, or no device")                                  \
    X(tx_failed, port, "the frame is longer than the interface of the port that it leaves by takes now")                \
    X(tx_full, port, "the port's transmit queue is full")
// clang-format on

/// The fate of one slot of a burst.
enum class Fate : std::uint8_t {
    live,    // still on its way
    sent,    // goes out of Burst::out_port
    punted,  // delivered locally, with its original frame
    held,    // waits (for a neighbour)
    handed,  // goes to the worker that has the SA, which begins again with it and counts it
#define X(name, charge, meaning) name,
    PEERLANE_DROP_REASONS(X)
#undef X
        count
};

inline constexpr std::size_t kFirstDrop = static_cast<std::size_t>(Fate::handed) + 1;
inline constexpr std::size_t kDropReasons = static_cast<std::size_t>(Fate::count) - kFirstDrop;

constexpr bool is_drop(Fate fate) noexcept {
    return static_cast<std::size_t>(fate) >= kFirstDrop;
}
/// Index of a drop reason, 0 .. kDropReasons - 1.
constexpr std::size_t reason_index(Fate fate) noexcept {
    return static_cast<std::size_t>(fate) - kFirstDrop;
}

struct DropReason {
    std::string_view name;
    Charge charge;
    std::string_view meaning;
};
inline constexpr std::array<DropReason, kDropReasons> kDropReason = {{
#define X(name, charge, meaning) {#name, Charge::charge, meaning},
    PEERLANE_DROP_REASONS(X)
#undef X
}};

/// Per-circuit cells exist for Charge::circuit reasons only; kCircuitReason maps a reason to its cell (or to
/// kNoCircuitReason).
inline constexpr std::uint8_t kNoCircuitReason = 0xff;
inline constexpr auto kCircuitReason = [] {
    std::array<std::uint8_t, kDropReasons> cells{};
    std::uint8_t next = 0;
    for (std::size_t i = 0; i < kDropReasons; ++i) {
        cells[i] = kDropReason[i].charge == Charge::circuit ? next++ : kNoCircuitReason;
    }
    return cells;
}();
inline constexpr std::size_t kCircuitReasons = [] {
    std::size_t n = 0;
    for (const auto& reason : kDropReason) { n += reason.charge == Charge::circuit ? 1U : 0U; }
    return n;
}();

}  // namespace peerlane::dataplane
