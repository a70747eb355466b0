// Packets for tests, said layer by layer from the outside in. Shares no header layout and no checksum with the product.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peerlane::test {

using Octets = std::vector<std::uint8_t>;

/// RFC 1071 over big-endian words, the slow way.
std::uint16_t internet_checksum(const Octets& octets);
/// "0a 00 …", for messages.
std::string hex(const Octets& octets);
/// 4 or 16 octets.
Octets address(std::string_view text);

/// A frame, or a bare packet if the first layer is not ether(). What says a property of a header applies to the last
/// layer that has it. Lengths, checksums and protocol numbers follow from the layers unless they are overridden.
class Packet {
  public:
    Packet& ether(std::string_view destination = "02:00:00:00:00:00", std::string_view source = "02:00:00:00:01:01");
    /// TPID 0: 0x8100.
    Packet& tag(unsigned vid, unsigned tpid = 0, unsigned priority = 0);
    Packet& ip4(std::string_view source, std::string_view destination);
    Packet& ip6(std::string_view source, std::string_view destination);
    Packet& udp(unsigned source = 1000, unsigned destination = 2000);
    Packet& tcp(unsigned flags, const Octets& options = {});
    Packet& icmp(unsigned type, unsigned code = 0, std::uint32_t rest = 0x00010001);
    Packet& icmp6(unsigned type, unsigned code = 0, std::uint32_t rest = 0x00010001);
    Packet& gre(std::optional<std::uint32_t> key = std::nullopt);
    /// Octets as they are; `number` is the IP protocol or EtherType that stands before them.
    Packet& raw(const Octets& octets, unsigned number = 0);
    /// `size` octets that differ from each other and, by `mark`, from other payloads.
    Packet& payload(std::size_t size, unsigned mark = 0);
    Packet& payload(const Octets& octets);
    /// Appends the layers and the payload of `inner`.
    Packet& then(const Packet& inner);

    // IP
    Packet& ttl(unsigned value) { return set(&Layer::ttl, value); }
    Packet& tos(unsigned value) { return set(&Layer::tos, value); }
    Packet& id(unsigned value) { return set(&Layer::id, value); }
    Packet& df() { return set(&Layer::fragment, 0x4000); }
    /// Flags and offset as on the wire.
    Packet& fragment(unsigned value) { return set(&Layer::fragment, value); }
    Packet& options(const Octets& octets);
    Packet& protocol(unsigned value) { return set(&Layer::next, value, true); }
    Packet& version(unsigned value) { return set(&Layer::version, value); }
    Packet& header_words(unsigned value) { return set(&Layer::words, value); }
    Packet& total_length(unsigned value) { return set(&Layer::length, value); }  // IPv6: payload length
    /// Adds `value` to the right checksum of the last IPv4, ICMP, UDP, TCP or GRE layer.
    Packet& wrong_checksum(unsigned value = 1);
    // GRE
    Packet& gre_flags(unsigned bits);  // or-ed in
    Packet& gre_protocol(unsigned value);
    Packet& gre_checksum();
    Packet& gre_sequence(std::uint32_t number);
    Packet& ether_type(unsigned value);  // of the last Ethernet or tag layer

    // the frame
    Packet& pad(std::size_t octets, std::uint8_t with = 0xee);
    Packet& truncate(std::size_t length);

    // the buffer
    Packet& segments(unsigned count);
    Packet& headroom(unsigned octets);

    [[nodiscard]] Octets octets() const;
    [[nodiscard]] std::size_t size() const { return octets().size(); }
    [[nodiscard]] unsigned segment_count() const { return segments_; }
    [[nodiscard]] unsigned room() const { return headroom_; }

  private:
    enum class Kind : std::uint8_t { ether, tag, ip4, ip6, udp, tcp, icmp, icmp6, gre, raw };
    struct Layer {
        Kind kind;
        Octets a, b;            // addresses, or raw octets
        unsigned x = 0, y = 0;  // tag: VID, PCP; ports; type, code; flags
        std::uint32_t z = 0;    // rest of ICMP
        std::optional<unsigned> ttl, tos, id, fragment, version, words, length, next;
        std::optional<std::uint32_t> key, sequence;
        bool summed = false;
        unsigned flags = 0;
        unsigned tpid = 0;
        unsigned spoil = 0;
        Octets options;
    };
    using Field = std::optional<unsigned> Layer::*;
    Packet& set(Field field, unsigned value, bool any = false);
    Layer& add(Kind kind);
    Layer& last(std::initializer_list<Kind> kinds);
    [[nodiscard]] unsigned ether_type_of(std::size_t layer) const;
    [[nodiscard]] unsigned protocol_of(std::size_t layer) const;
    [[nodiscard]] Octets emit(std::size_t layer, const Octets& body) const;
    [[nodiscard]] Octets pseudo_header(std::size_t layer, std::size_t length) const;

    std::vector<Layer> layers_;
    Octets payload_;
    std::size_t padding_ = 0;
    std::uint8_t pad_with_ = 0;
    std::optional<std::size_t> truncated_;
    unsigned segments_ = 1;
    unsigned headroom_ = 128;
};

}  // namespace peerlane::test
