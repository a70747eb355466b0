#include "tests/pipeline/packet.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace peerlane::test {
namespace {

void put16(Octets& to, unsigned value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8U));
    to.push_back(static_cast<std::uint8_t>(value));
}
void put32(Octets& to, std::uint32_t value) {
    put16(to, value >> 16U);
    put16(to, value & 0xffffU);
}
void put(Octets& to, const Octets& more) {
    to.insert(to.end(), more.begin(), more.end());
}
void set16(Octets& in, std::size_t at, unsigned value) {
    in[at] = static_cast<std::uint8_t>(value >> 8U);
    in[at + 1] = static_cast<std::uint8_t>(value);
}
Octets mac(std::string_view text) {
    Octets octets;
    for (std::size_t at = 0; at + 1 < text.size(); at += 3) {
        octets.push_back(static_cast<std::uint8_t>(std::stoul(std::string(text.substr(at, 2)), nullptr, 16)));
    }
    return octets;
}

}  // namespace

std::uint16_t internet_checksum(const Octets& octets) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < octets.size(); i += 2) {
        sum += static_cast<std::uint32_t>(octets[i] << 8U) + (i + 1 < octets.size() ? octets[i + 1] : 0U);
        if (sum > 0xffff) { sum -= 0xffff; }
    }
    return static_cast<std::uint16_t>(~sum);
}

std::string hex(const Octets& octets) {
    std::string text;
    for (const auto octet : octets) {
        char two[4];
        std::snprintf(two, sizeof two, "%02x ", octet);
        text += two;
    }
    return text;
}

Octets address(std::string_view text) {
    Octets octets(16);
    const std::string copy(text);
    if (inet_pton(AF_INET, copy.c_str(), octets.data()) == 1) {
        octets.resize(4);
    } else if (inet_pton(AF_INET6, copy.c_str(), octets.data()) != 1) {
        throw std::invalid_argument(copy);
    }
    return octets;
}

Packet::Layer& Packet::add(Kind kind) {
    layers_.emplace_back().kind = kind;
    return layers_.back();
}
Packet::Layer& Packet::last(std::initializer_list<Kind> kinds) {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        if (std::find(kinds.begin(), kinds.end(), layer->kind) != kinds.end()) { return *layer; }
    }
    throw std::logic_error("no such layer");
}
Packet& Packet::set(Field field, unsigned value, bool any) {
    (any ? last({Kind::ip4, Kind::ip6, Kind::gre}) : last({Kind::ip4, Kind::ip6})).*field = value;
    return *this;
}

Packet& Packet::ether(std::string_view destination, std::string_view source) {
    Layer& layer = add(Kind::ether);
    layer.a = mac(destination);
    layer.b = mac(source);
    return *this;
}
Packet& Packet::tag(unsigned vid, unsigned tpid, unsigned priority) {
    Layer& layer = add(Kind::tag);
    layer.x = vid;
    layer.y = priority;
    layer.tpid = tpid;
    return *this;
}
Packet& Packet::ip4(std::string_view source, std::string_view destination) {
    Layer& layer = add(Kind::ip4);
    layer.a = address(source);
    layer.b = address(destination);
    return *this;
}
Packet& Packet::ip6(std::string_view source, std::string_view destination) {
    Layer& layer = add(Kind::ip6);
    layer.a = address(source);
    layer.b = address(destination);
    return *this;
}
Packet& Packet::udp(unsigned source, unsigned destination) {
    Layer& layer = add(Kind::udp);
    layer.x = source;
    layer.y = destination;
    return *this;
}
Packet& Packet::tcp(unsigned flags, const Octets& options) {
    Layer& layer = add(Kind::tcp);
    layer.x = flags;
    layer.options = options;
    return *this;
}
Packet& Packet::icmp(unsigned type, unsigned code, std::uint32_t rest) {
    Layer& layer = add(Kind::icmp);
    layer.x = type;
    layer.y = code;
    layer.z = rest;
    return *this;
}
Packet& Packet::icmp6(unsigned type, unsigned code, std::uint32_t rest) {
    icmp(type, code, rest);
    layers_.back().kind = Kind::icmp6;
    return *this;
}
Packet& Packet::gre(std::optional<std::uint32_t> key) {
    add(Kind::gre).key = key;
    return *this;
}
Packet& Packet::raw(const Octets& octets, unsigned number) {
    Layer& layer = add(Kind::raw);
    layer.a = octets;
    layer.x = number;
    return *this;
}
Packet& Packet::payload(std::size_t size, unsigned mark) {
    payload_.resize(size);
    for (std::size_t i = 0; i < size; ++i) { payload_[i] = static_cast<std::uint8_t>(i * 7 + mark * 31 + i / 256); }
    return *this;
}
Packet& Packet::payload(const Octets& octets) {
    payload_ = octets;
    return *this;
}
Packet& Packet::then(const Packet& inner) {
    layers_.insert(layers_.end(), inner.layers_.begin(), inner.layers_.end());
    payload_ = inner.payload_;
    return *this;
}
Packet& Packet::options(const Octets& octets) {
    last({Kind::ip4, Kind::tcp}).options = octets;
    return *this;
}
Packet& Packet::wrong_checksum(unsigned value) {
    last({Kind::ip4, Kind::icmp, Kind::icmp6, Kind::udp, Kind::tcp, Kind::gre}).spoil = value;
    return *this;
}
Packet& Packet::gre_flags(unsigned bits) {
    last({Kind::gre}).flags |= bits;
    return *this;
}
Packet& Packet::gre_protocol(unsigned value) {
    last({Kind::gre}).next = value;
    return *this;
}
Packet& Packet::gre_checksum() {
    last({Kind::gre}).summed = true;
    return *this;
}
Packet& Packet::gre_sequence(std::uint32_t number) {
    last({Kind::gre}).sequence = number;
    return *this;
}
Packet& Packet::ether_type(unsigned value) {
    last({Kind::ether, Kind::tag}).next = value;
    return *this;
}
Packet& Packet::pad(std::size_t octets, std::uint8_t with) {
    padding_ = octets;
    pad_with_ = with;
    return *this;
}
Packet& Packet::truncate(std::size_t length) {
    truncated_ = length;
    return *this;
}
Packet& Packet::segments(unsigned count) {
    segments_ = count;
    return *this;
}
Packet& Packet::headroom(unsigned octets) {
    headroom_ = octets;
    return *this;
}

unsigned Packet::ether_type_of(std::size_t at) const {
    if (at >= layers_.size()) { return 0; }
    const Layer& layer = layers_[at];
    switch (layer.kind) {
        case Kind::ip4:
            return 0x0800;
        case Kind::ip6:
            return 0x86dd;
        case Kind::tag:
            if (layer.tpid != 0) { return layer.tpid; }
            return 0x8100;
        default:
            return layer.x;
    }
}
unsigned Packet::protocol_of(std::size_t at) const {
    if (at >= layers_.size()) { return 253; }  // for experiments (RFC 3692)
    switch (layers_[at].kind) {
        case Kind::ip4:
            return 4;
        case Kind::ip6:
            return 41;
        case Kind::udp:
            return 17;
        case Kind::tcp:
            return 6;
        case Kind::icmp:
            return 1;
        case Kind::icmp6:
            return 58;
        case Kind::gre:
            return 47;
        default:
            return layers_[at].x;
    }
}

Octets Packet::pseudo_header(std::size_t at, std::size_t length) const {
    Octets pseudo;
    if (at == 0) { return pseudo; }
    const Layer& ip = layers_[at - 1];
    put(pseudo, ip.a);
    put(pseudo, ip.b);
    put32(pseudo, static_cast<std::uint32_t>(length));
    put32(pseudo, protocol_of(at));
    return pseudo;
}

Octets Packet::emit(std::size_t at, const Octets& body) const {
    const Layer& layer = layers_[at];
    Octets out;
    const auto finish = [&](std::size_t sum_at, const Octets& before) {
        put(out, body);
        Octets summed = before;
        put(summed, out);
        unsigned sum = internet_checksum(summed);
        if (layer.kind == Kind::udp && sum == 0) { sum = 0xffff; }
        set16(out, sum_at, sum + layer.spoil);
    };
    switch (layer.kind) {
        case Kind::ether:
            put(out, layer.a);
            put(out, layer.b);
            put16(out, layer.next.value_or(ether_type_of(at + 1)));
            put(out, body);
            break;
        case Kind::tag:
            put16(out, layer.y << 13U | layer.x);
            put16(out, layer.next.value_or(ether_type_of(at + 1)));
            put(out, body);
            break;
        case Kind::ip4: {
            Octets options = layer.options;
            options.resize((options.size() + 3) / 4 * 4);
            const auto length = 20 + options.size();
            out.push_back(static_cast<std::uint8_t>(layer.version.value_or(4) << 4U |
                                                    layer.words.value_or(static_cast<unsigned>(length / 4))));
            out.push_back(static_cast<std::uint8_t>(layer.tos.value_or(0)));
            put16(out, layer.length.value_or(static_cast<unsigned>(length + body.size())));
            put16(out, layer.id.value_or(0));
            put16(out, layer.fragment.value_or(0));
            out.push_back(static_cast<std::uint8_t>(layer.ttl.value_or(64)));
            out.push_back(static_cast<std::uint8_t>(layer.next.value_or(protocol_of(at + 1))));
            put16(out, 0);
            put(out, layer.a);
            put(out, layer.b);
            put(out, options);
            set16(out, 10, internet_checksum(out) + layer.spoil);
            put(out, body);
            break;
        }
        case Kind::ip6:
            put32(out, layer.version.value_or(6) << 28U | layer.tos.value_or(0) << 20U | layer.id.value_or(0));
            put16(out, layer.length.value_or(static_cast<unsigned>(body.size())));
            out.push_back(static_cast<std::uint8_t>(layer.next.value_or(protocol_of(at + 1))));
            out.push_back(static_cast<std::uint8_t>(layer.ttl.value_or(64)));
            put(out, layer.a);
            put(out, layer.b);
            put(out, body);
            break;
        case Kind::udp:
            put16(out, layer.x);
            put16(out, layer.y);
            put16(out, static_cast<unsigned>(8 + body.size()));
            put16(out, 0);
            finish(6, pseudo_header(at, 8 + body.size()));
            break;
        case Kind::tcp: {
            Octets options = layer.options;
            options.resize((options.size() + 3) / 4 * 4);
            put16(out, 1000);
            put16(out, 2000);
            put32(out, 0x01020304);
            put32(out, 0);
            put16(out, static_cast<unsigned>((20 + options.size()) / 4 << 12U | layer.x));
            put16(out, 0xffff);
            put32(out, 0);
            put(out, options);
            finish(16, pseudo_header(at, out.size() + body.size()));
            break;
        }
        case Kind::icmp:
        case Kind::icmp6:
            out.push_back(static_cast<std::uint8_t>(layer.x));
            out.push_back(static_cast<std::uint8_t>(layer.y));
            put16(out, 0);
            put32(out, layer.z);
            finish(2, layer.kind == Kind::icmp ? Octets{} : pseudo_header(at, 8 + body.size()));
            break;
        case Kind::gre:
            put16(out, (layer.summed ? 0x8000U : 0U) | (layer.key ? 0x2000U : 0U) | (layer.sequence ? 0x1000U : 0U) |
                           layer.flags);
            put16(out, layer.next.value_or(ether_type_of(at + 1)));
            if (layer.summed) { put32(out, 0); }
            if (layer.key) { put32(out, *layer.key); }
            if (layer.sequence) { put32(out, *layer.sequence); }
            if (layer.summed) {
                finish(4, {});
            } else {
                put(out, body);
            }
            break;
        case Kind::raw:
            out = layer.a;
            put(out, body);
            break;
    }
    return out;
}

Octets Packet::octets() const {
    Octets octets = payload_;
    for (std::size_t at = layers_.size(); at-- > 0;) { octets = emit(at, octets); }
    octets.insert(octets.end(), padding_, pad_with_);
    if (truncated_ && *truncated_ < octets.size()) { octets.resize(*truncated_); }
    return octets;
}

}  // namespace peerlane::test
