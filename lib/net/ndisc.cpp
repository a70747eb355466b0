#include "lib/net/ndisc.hpp"

#include <cstring>

#include "lib/net/checksum.hpp"

namespace peerlane {
namespace {

constexpr std::uint8_t kSolicitation = 135;
constexpr std::uint8_t kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;  // proves that no router was on the way
constexpr unsigned kOptionUnit = 8;      // octets

/// RFC 4861 §4.3 and §4.4: the two differ in the flags only.
struct Message {
    Icmp icmp;  // its `rest` holds the flags
    Be64 target_high, target_low;

    static constexpr std::uint32_t kRouter = 1U << 31U;
    static constexpr std::uint32_t kSolicited = 1U << 30U;
    static constexpr std::uint32_t kOverride = 1U << 29U;
};
static_assert(sizeof(Message) == 24 && alignof(Message) == 1);

/// RFC 4861 §4.6.1 with RFC 2464 §6. `length` counts units of 8 octets.
struct LinkAddressOption {
    std::uint8_t type, length;
    std::uint8_t mac[6];

    static constexpr std::uint8_t kSource = 1;
    static constexpr std::uint8_t kTarget = 2;
};
static_assert(sizeof(LinkAddressOption) == kOptionUnit && alignof(LinkAddressOption) == 1);
static_assert(kNdMaxLength == sizeof(Ipv6) + sizeof(Message) + sizeof(LinkAddressOption));

constexpr std::uint8_t option_type(NdMessage::Kind kind) noexcept {
    return kind == NdMessage::Kind::solicitation ? LinkAddressOption::kSource : LinkAddressOption::kTarget;
}

bool is_group(Ip6 address) noexcept {
    return address.high >> 56U == 0xff;
}

struct Options {
    bool valid = false;                         // each longer than nothing and inside
    const LinkAddressOption* wanted = nullptr;  // the first of the type asked for; 8 octets of it may be read
};

Options read_options(const std::uint8_t* at, unsigned length, std::uint8_t type) noexcept {
    Options options;
    while (length >= kOptionUnit) {
        const auto* option = reinterpret_cast<const LinkAddressOption*>(at);
        const unsigned octets = option->length * kOptionUnit;
        if (octets == 0 || octets > length) { return options; }
        if (option->type == type && options.wanted == nullptr) { options.wanted = option; }
        at += octets;
        length -= octets;
    }
    options.valid = length == 0;
    return options;
}

std::optional<Mac> link_address_of(const LinkAddressOption* option) noexcept {
    if (option == nullptr || option->length != 1) { return std::nullopt; }
    Mac mac;
    std::memcpy(mac.octets.data(), option->mac, sizeof option->mac);
    if (mac.is_group() || mac == Mac{}) { return std::nullopt; }
    return mac;
}

/// The octets of the ICMPv6 message behind the header; 0 if the packet is not one of ours by its headers and checksum.
unsigned message_length(const Ipv6& packet, unsigned length) noexcept {
    if (length < sizeof(Ipv6) + sizeof(Message)) { return 0; }
    const unsigned payload = packet.payload_length.get();
    if (payload < sizeof(Message) || payload > length - sizeof(Ipv6)) { return 0; }
    if (packet.version_class_flow.get() >> 28U != 6 || packet.next_header != ip::kIcmp6) { return 0; }
    if (packet.hop_limit != kHopLimit) { return 0; }
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet) + sizeof(Ipv6);
    const auto& icmp = *reinterpret_cast<const Icmp*>(octets);
    if ((icmp.type != kSolicitation && icmp.type != kAdvertisement) || icmp.code != 0) { return 0; }
    const auto sum = pseudo_header_sum(packet, ip::kIcmp6, payload) + sum_words(octets, payload);
    return fold(sum) == 0xffff ? payload : 0;
}

}  // namespace

std::optional<NdMessage> parse_nd(const Ipv6& packet, unsigned length) noexcept {
    const unsigned payload = message_length(packet, length);
    if (payload == 0) { return std::nullopt; }
    const auto* octets = reinterpret_cast<const std::uint8_t*>(&packet) + sizeof(Ipv6);
    const auto& wire = *reinterpret_cast<const Message*>(octets);

    NdMessage message;
    const bool solicitation = wire.icmp.type == kSolicitation;
    message.kind = solicitation ? NdMessage::Kind::solicitation : NdMessage::Kind::advertisement;
    message.source = {packet.source_high.get(), packet.source_low.get()};
    message.destination = {packet.destination_high.get(), packet.destination_low.get()};
    message.target = {wire.target_high.get(), wire.target_low.get()};
    if (is_group(message.target) || is_group(message.source)) { return std::nullopt; }

    const auto options =
        read_options(octets + sizeof(Message), payload - unsigned{sizeof(Message)}, option_type(message.kind));
    if (!options.valid) { return std::nullopt; }
    message.link_address = link_address_of(options.wanted);

    if (solicitation) {
        const bool probe = message.source == Ip6{};  // of duplicate address detection (RFC 4862 §5.4)
        const bool to_node = message.destination == solicited_node(message.destination);
        if (probe && (!to_node || options.wanted != nullptr)) { return std::nullopt; }
    } else {
        const auto flags = wire.icmp.rest.get();
        message.router = (flags & Message::kRouter) != 0;
        message.solicited = (flags & Message::kSolicited) != 0;
        message.override_entry = (flags & Message::kOverride) != 0;
        if (message.solicited && is_group(message.destination)) { return std::nullopt; }
    }
    return message;
}

unsigned write_nd(std::uint8_t* out, const NdMessage& message) noexcept {
    const bool solicitation = message.kind == NdMessage::Kind::solicitation;
    const bool option_follows = message.link_address.has_value();
    const auto payload = unsigned{sizeof(Message)} + (option_follows ? unsigned{sizeof(LinkAddressOption)} : 0U);

    auto& header = *reinterpret_cast<Ipv6*>(out);
    header.version_class_flow.set(6U << 28U);
    header.payload_length.set(static_cast<std::uint16_t>(payload));
    header.next_header = ip::kIcmp6;
    header.hop_limit = kHopLimit;
    header.source_high.set(message.source.high);
    header.source_low.set(message.source.low);
    header.destination_high.set(message.destination.high);
    header.destination_low.set(message.destination.low);

    auto* octets = out + sizeof(Ipv6);
    auto& wire = *reinterpret_cast<Message*>(octets);
    wire.icmp.type = solicitation ? kSolicitation : kAdvertisement;
    wire.icmp.code = 0;
    wire.icmp.checksum.set(0);
    const auto flags = (message.router ? Message::kRouter : 0U) | (message.solicited ? Message::kSolicited : 0U) |
                       (message.override_entry ? Message::kOverride : 0U);
    wire.icmp.rest.set(solicitation ? 0U : flags);
    wire.target_high.set(message.target.high);
    wire.target_low.set(message.target.low);
    if (option_follows) {
        auto& option = *reinterpret_cast<LinkAddressOption*>(octets + sizeof(Message));
        option.type = option_type(message.kind);
        option.length = 1;
        std::memcpy(option.mac, message.link_address->octets.data(), sizeof option.mac);
    }
    const auto sum =
        static_cast<std::uint16_t>(~fold(pseudo_header_sum(header, ip::kIcmp6, payload) + sum_words(octets, payload)));
    std::memcpy(wire.icmp.checksum.octets, &sum, sizeof sum);
    return unsigned{sizeof(Ipv6)} + payload;
}

Ip6 solicited_node(Ip6 address) noexcept {
    return {0xff02'0000'0000'0000, 0x0000'0001'ff00'0000 | (address.low & 0xff'ffffU)};
}

Mac multicast_mac(Ip6 group) noexcept {
    const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(group.low >> shift); };
    return {{0x33, 0x33, octet(24), octet(16), octet(8), octet(0)}};
}

Ip6 link_local(const Mac& mac) noexcept {
    std::uint64_t identifier = 0;
    for (unsigned i = 0; i < 6; ++i) {
        identifier = identifier << 8U | mac.octets[i];
        if (i == 2) { identifier = identifier << 16U | 0xfffeU; }
    }
    return {0xfe80'0000'0000'0000, identifier ^ (std::uint64_t{0x02} << 56U)};  // the universal/local bit turns round
}

}  // namespace peerlane
