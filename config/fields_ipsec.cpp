// The field table: ESP around a tunnel. Leaves come first.
#include <array>

#include "config/fields.hpp"
#include "config/store.hpp"

namespace peerlane::config {
namespace {

constexpr Word kMode[] = {{"tunnel", raw(IpsecMode::tunnel)}, {"transport", raw(IpsecMode::transport)}};
constexpr auto kSuite = [] {
    std::array<Word, kEspSuites.size()> words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = {kEspSuites[i].name, i};
    return words;
}();

constexpr std::uint64_t kMaxPackets = 9'000'000'000'000'000'000;
constexpr std::uint64_t kMaxBytes = 9'000'000'000'000'000'000;
constexpr std::uint64_t kDay = 86'400'000;  // milliseconds

// RFC 4303 §2.1: 0 is never on the wire, 1 to 255 are reserved.
constexpr std::uint64_t kLeastSpi = 256;
constexpr std::uint64_t kMostSpi = 0xffffffff;

constexpr std::string_view kKeyMeaning =
    "Key material in hex; an optional 0x, and spaces, colons and line ends between octets are allowed. For AES-GCM and "
    "ChaCha20-Poly1305 the key and 4 octets of salt (RFC 4106 §8.1, RFC 7634 §2), for AES-CBC with HMAC-SHA256 the "
    "cipher key and 32 octets of authentication key. Never shown. Better kept in a file of its own.";
constexpr std::string_view kKeyFileMeaning =
    "A file that holds nothing but the key material, in hex as under `key`. Relative to the file that names it; at "
    "most "
    "4 KiB, closed to all but its owner (`chmod 600`).";

constexpr Field kOutboundFields[] = {
    {.name = "spi",
     .type = Type::integer,
     .required = true,
     .min = kLeastSpi,
     .max = kMostSpi,
     .meaning = "SPI of the first lane, chosen by the receiver.",
     .store = store<&OutboundSa::spi>},
    {.name = "key", .type = Type::key, .meaning = kKeyMeaning, .store = store<&OutboundSa::key>},
    {.name = "key_file", .type = Type::key_file, .meaning = kKeyFileMeaning},
    {.name = "spi_count",
     .type = Type::integer,
     .min = 1,
     .max = 256,
     .preset = "1",
     .meaning =
         "Lanes, on consecutive SPIs from `spi` and all under this key: each is sent on by one worker, so a tunnel "
         "keeps at most this many busy. The receiver needs an inbound SA for each of these SPIs.",
     .store = store<&OutboundSa::spi_count>},
    {.name = "first_lane",
     .type = Type::integer,
     .min = 0,
     .max = 255,
     .preset = "0",
     .meaning =
         "Number of the first lane, the first octet of every explicit IV of a counter-mode suite: two edges that "
         "send under one key need lanes that do not meet, or nonces repeat.",
     .store = store<&OutboundSa::first_lane>},
};
constexpr std::string_view kKeyKeys[] = {"key", "key_file"};
constexpr Alternatives kKeyAlternatives[] = {{.keys = kKeyKeys, .one_needed = true, .one_at_most = true}};
constexpr Mapping kOutbound{.name = "outbound",
                            .path = "customers[].circuits[].peerings[].virtual_networks[].ipsec.outbound",
                            .meaning = "A security association to send on.",
                            .fields = kOutboundFields,
                            .alternatives = kKeyAlternatives,
                            .place = place_of<OutboundSa>};

constexpr Field kInboundFields[] = {
    {.name = "spi",
     .type = Type::integer,
     .required = true,
     .min = kLeastSpi,
     .max = kMostSpi,
     .meaning = "The SPI we are sent; unique on this edge. One worker opens all packets with it.",
     .store = store<&InboundSa::spi>},
    {.name = "key", .type = Type::key, .meaning = kKeyMeaning, .store = store<&InboundSa::key>},
    {.name = "key_file", .type = Type::key_file, .meaning = kKeyFileMeaning},
};
constexpr Mapping kInbound{.name = "inbound",
                           .path = "customers[].circuits[].peerings[].virtual_networks[].ipsec.inbound",
                           .meaning = "A security association to receive on.",
                           .fields = kInboundFields,
                           .alternatives = kKeyAlternatives,
                           .place = place_of<InboundSa>};

constexpr Field kLimitFields[] = {
    {.name = "packets",
     .type = Type::integer,
     .min = 1,
     .max = kMaxPackets,
     .meaning = "Packets of one lane.",
     .store = store<&Lifetime::packets>},
    {.name = "bytes",
     .type = Type::bytes,
     .min = 1,
     .max = kMaxBytes,
     .meaning = "Octets of ESP payload of one lane.",
     .store = store<&Lifetime::bytes>},
    {.name = "time",
     .type = Type::duration,
     .min = 1'000,
     .max = 3'650 * kDay,
     .meaning = "Time since the key was first put to use, restarts included.",
     .store = store<&Lifetime::milliseconds>},
};
constexpr Mapping kLimits{
    .name = "limits",
    .path = "customers[].circuits[].peerings[].virtual_networks[].ipsec.lifetime.soft and .hard",
    .meaning = "Limits of each security association of the tunnel; whichever is reached first counts.",
    .fields = kLimitFields};

constexpr Field kLifetimeFields[] = {
    {.name = "soft",
     .type = Type::mapping,
     .meaning = "Where the next outbound SA is taken into use; without one, a warning in the log.",
     .mapping = &kLimits,
     .child = member<&Ipsec::soft>},
    {.name = "hard",
     .type = Type::mapping,
     .meaning =
         "Where an SA is used no more: what would need it is dropped (`sa_expired`). Each limit above the soft one.",
     .mapping = &kLimits,
     .child = member<&Ipsec::hard>},
};
constexpr Mapping kLifetime{
    .name = "lifetime",
    .path = "customers[].circuits[].peerings[].virtual_networks[].ipsec.lifetime",
    .meaning = "How long a key is used (RFC 4301 §4.4.2.1). An exhausted sequence number ends it anyway.",
    .fields = kLifetimeFields};

constexpr Field kIpsecFields[] = {
    {.name = "mode",
     .type = Type::choice,
     .words = kMode,
     .preset = "tunnel",
     .meaning =
         "`tunnel`: the whole GRE packet with its own IP header is the payload. `transport`: the payload is GRE, "
         "behind the tunnel's IP header.",
     .store = store<&Ipsec::mode>},
    {.name = "suite",
     .type = Type::choice,
     .required = true,
     .words = kSuite,
     .meaning = "Cipher and authentication (RFC 4106, RFC 3602 with RFC 4868, RFC 7634).",
     .store = store<&Ipsec::suite>},
    {.name = "local",
     .type = Type::ip,
     .otherwise = "the tunnel's",
     .meaning = "Source of the ESP packet, and what chooses the core port. In transport mode only the tunnel's own.",
     .store = store<&Ipsec::local>},
    {.name = "remote",
     .type = Type::ip,
     .otherwise = "the tunnel's",
     .meaning = "The IPsec gateway; of the same family as `local`, which in tunnel mode need not be the tunnel's. In "
                "transport mode only the tunnel's own.",
     .store = store<&Ipsec::remote>},
    {.name = "outbound",
     .type = Type::mapping,
     .shape = Shape::one_or_list,
     .required = true,
     .filled = true,
     .max = 2,
     .meaning = "What is sent on; of two, the second from when the first reaches a soft limit.",
     .mapping = &kOutbound,
     .child = append<&Ipsec::outbound>},
    {.name = "inbound",
     .type = Type::mapping,
     .shape = Shape::one_or_list,
     .required = true,
     .filled = true,
     .meaning = "What is received on, all of them at once.",
     .mapping = &kInbound,
     .child = append<&Ipsec::inbound>},
    {.name = "replay_window",
     .type = Type::integer,
     .min = 64,
     .max = 8192,
     .unit = "packets",
     .preset = "1024",
     .meaning = "With W, a packet is accepted once if its number is among the W highest up to the highest received.",
     .store = store<&Ipsec::replay_window>},
    {.name = "esn",
     .type = Type::boolean,
     .preset = "false",
     .meaning = "Extended sequence numbers (RFC 4303 §2.2.1); both ends alike. Without, an SA ends after 4294967295 "
                "packets of a lane.",
     .store = store<&Ipsec::esn>},
    {.name = "udp_encapsulation",
     .type = Type::boolean,
     .preset = "false",
     .meaning = "ESP in UDP, port 4500 on both sides (RFC 3948); both ends alike.",
     .store = store<&Ipsec::udp_encapsulation>},
    {.name = "dscp",
     .type = Type::integer,
     .min = 0,
     .max = 63,
     .unset_word = "copy",
     .preset = "copy",
     .meaning = "DSCP of the ESP packet: `copy` takes the delivery header's.",
     .store = store<&Ipsec::dscp>},
    {.name = "lifetime",
     .type = Type::mapping,
     .otherwise = "no limits",
     .meaning = "Limits in packets, octets and time.",
     .mapping = &kLifetime,
     .child = itself},
};

}  // namespace

constinit const Mapping kIpsecMapping{
    .name = "ipsec",
    .path = "customers[].circuits[].peerings[].virtual_networks[].ipsec",
    .meaning =
        "ESP (RFC 4303) around a tunnel's GRE packets. No two security associations, of whichever direction, share "
        "a cipher key.",
    .fields = kIpsecFields,
    .place = place_of<Ipsec>};

}  // namespace peerlane::config
