#include "tests/pipeline/sealed.hpp"

#include <cstring>
#include <map>
#include <stdexcept>

#include "lib/ipsec/crypto.hpp"
#include "lib/ipsec/locked_memory.hpp"

namespace peerlane::test {
namespace {

using ipsec::Way;

Octets big_endian(std::uint64_t value, unsigned octets) {
    Octets out;
    for (unsigned i = octets; i-- > 0;) { out.push_back(static_cast<std::uint8_t>(value >> (8 * i))); }
    return out;
}
void append(Octets& to, const Octets& more) {
    to.insert(to.end(), more.begin(), more.end());
}
std::uint32_t get32(const Octets& from, std::size_t at) {
    return std::uint32_t{from[at]} << 24U | std::uint32_t{from[at + 1]} << 16U | std::uint32_t{from[at + 2]} << 8U |
           from[at + 3];
}
Octets part(const Octets& of, std::size_t from, std::size_t to) {
    return {of.begin() + static_cast<std::ptrdiff_t>(from), of.begin() + static_cast<std::ptrdiff_t>(to)};
}

const ipsec::Key* ready_key(const Association& sa, Way way) {
    static std::map<std::tuple<EspSuite, unsigned, Way>, std::shared_ptr<const ipsec::Key>> keys;
    auto& key = keys[{sa.suite, sa.mark, way}];
    if (!key) {
        ipsec::allow_unlocked();
        key = ipsec::make_key(sa.suite, key_of(sa.suite, sa.mark), way);
    }
    return key.get();
}
ipsec::Engine& engine() {
    static constexpr std::uint8_t kSeed[16] = {1};
    static ipsec::Engine one{std::span(kSeed)};
    return one;
}

/// `text` with room for the ICV behind it, which is there or will be.
ipsec::Job job_of(const Association& sa, std::uint64_t sequence, const Octets& iv, Octets& text, Way way) {
    ipsec::Job job;
    const auto& suite = row(sa.suite);
    job.key = ready_key(sa, way);
    job.text = text.data();
    job.length = static_cast<std::uint32_t>(text.size() - suite.icv);
    job.sequence_high = static_cast<std::uint32_t>(sequence >> 32U);
    job.suite = sa.suite;
    job.esn = sa.esn;
    Octets nonce;
    if (suite.authentication_key == 0) {
        const auto material = key_of(sa.suite, sa.mark);
        nonce = part(material, suite.cipher_key, material.size());
    }
    append(nonce, iv);
    std::copy(nonce.begin(), nonce.end(), job.nonce);
    Octets aad = big_endian(sa.spi, 4);
    append(aad, sa.esn ? big_endian(sequence, 8) : big_endian(sequence & 0xffffffffU, 4));
    std::copy(aad.begin(), aad.end(), job.aad);
    return job;
}

dataplane::SaKey key_in_memory(const Association& sa, bool outbound) {
    return {ipsec::fingerprint(sa.suite, key_of(sa.suite, sa.mark)), outbound, outbound ? sa.lane : sa.spi};
}

Packet& add_ip(Packet& packet, const std::string& from, const std::string& to, unsigned tos) {
    return (from.find(':') == std::string::npos ? packet.ip4(from, to) : packet.ip6(from, to)).tos(tos);
}
/// UDP over IPv4 goes without checksum (RFC 3948 §2.1), over IPv6 with one.
Packet& add_esp(Packet& packet, const Path& path, const Octets& esp) {
    if (!path.udp) { return packet.raw({}, 50).payload(esp); }
    if (path.local.find(':') != std::string::npos) { return packet.udp(4500, 4500).payload(esp); }
    Octets udp = big_endian(4500ULL << 16U | 4500U, 4);
    append(udp, big_endian((8 + esp.size()) << 16U, 4));
    return packet.raw(udp, 17).payload(esp);
}

std::string digits(const Octets& octets) {
    std::string text = hex(octets);
    std::erase(text, ' ');
    return text;
}
std::string text_of(const std::vector<Association>& sas) {
    std::string text;
    for (const auto& sa : sas) {
        text += (text.empty() ? "{ spi: " : ", { spi: ") + std::to_string(sa.spi) + ", key: \"" +
                digits(key_of(sa.suite, sa.mark)) + '"' +
                (sa.lane != 0 ? ", first_lane: " + std::to_string(sa.lane) : "") +
                (sa.count != 1 ? ", spi_count: " + std::to_string(sa.count) : "") + " }";
    }
    return "[" + text + "]";
}

}  // namespace

Octets key_of(EspSuite suite, unsigned mark) {
    Octets key(row(suite).material());
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::uint8_t>(i * 37 + mark * 101 + static_cast<unsigned>(suite) * 13 + 1);
    }
    return key;
}

dataplane::SaKey Association::out() const {
    return key_in_memory(*this, true);
}
dataplane::SaKey Association::in() const {
    return key_in_memory(*this, false);
}

Octets seal(const Association& sa, std::uint64_t sequence, const Octets& payload, unsigned next_header,
            const Trailer& trailer) {
    const auto& suite = row(sa.suite);
    Octets padding;
    if (trailer.padding) {
        padding = *trailer.padding;
    } else {
        while ((payload.size() + padding.size() + 2) % suite.block != 0) {
            padding.push_back(static_cast<std::uint8_t>(padding.size() + 1));
        }
    }
    Octets text = payload;
    append(text, padding);
    text.push_back(static_cast<std::uint8_t>(trailer.pad_length.value_or(static_cast<unsigned>(padding.size()))));
    text.push_back(static_cast<std::uint8_t>(next_header));
    if (text.size() % suite.block != 0) { throw std::invalid_argument("no whole blocks"); }
    text.resize(text.size() + suite.icv);
    const bool aead = suite.authentication_key == 0;
    const Octets iv = aead ? big_endian(std::uint64_t{sa.lane} << 56U | sequence, 8)
                           : Octets(suite.iv, static_cast<std::uint8_t>(0x40 + sequence));
    // HMAC covers what stands before the text, so all lies in one piece.
    Octets esp = big_endian(sa.spi, 4);
    append(esp, big_endian(sequence & 0xffffffffU, 4));
    append(esp, iv);
    const auto front = esp.size();
    append(esp, text);
    auto job = job_of(sa, sequence, iv, text, Way::seal);
    job.text = esp.data() + front;
    engine().seal({&job, 1});
    return esp;
}

std::optional<Unsealed> unseal(const Association& sa, const Octets& esp, std::uint32_t sequence_high) {
    const auto& suite = row(sa.suite);
    const std::size_t front = 8U + suite.iv;
    if (esp.size() < front + 2 + suite.icv) { return std::nullopt; }
    Octets copy = esp;
    Unsealed out;
    out.spi = get32(esp, 0);
    out.sequence = get32(esp, 4);
    out.iv = part(esp, 8, front);
    Octets text = part(esp, front, esp.size());
    auto job = job_of(sa, std::uint64_t{sequence_high} << 32U | out.sequence, out.iv, text, Way::open);
    job.text = copy.data() + front;
    engine().open({&job, 1});
    if (!job.authentic) { return std::nullopt; }
    const auto end = copy.size() - suite.icv;
    out.pad_length = copy[end - 2];
    out.next_header = copy[end - 1];
    if (out.pad_length >= suite.block || front + 2 + out.pad_length > end) { return std::nullopt; }
    const auto tail = end - 2 - out.pad_length;
    for (std::size_t i = 0; i < out.pad_length; ++i) {
        if (copy[tail + i] != i + 1) { return std::nullopt; }
    }
    out.payload = part(copy, front, tail);
    return out;
}

Packet sealed_frame(const Path& path, const Octets& esp) {
    Packet packet = Packet().ether(kGatewayMac, kCoreMac);
    add_ip(packet, path.local, path.remote, path.tos);
    if (path.local.find(':') == std::string::npos) { packet.df(); }
    return add_esp(packet, path, esp);
}
Packet frame_from_peer(const Path& path, const Octets& esp) {
    Packet packet = Packet().ether(kCoreMac, kGatewayMac);
    add_ip(packet, path.remote, path.local, path.tos);
    return add_esp(packet, path, esp);
}

Octets esp_in(const Octets& frame) {
    const bool six = frame.at(12) == 0x86;
    const std::size_t behind = six ? 54 : 34;
    const unsigned protocol = frame.at(six ? 20 : 23);
    if (protocol == 50) { return part(frame, behind, frame.size()); }
    const bool port = protocol == 17 && get32(frame, behind) == (4500U << 16U | 4500U);
    return port ? part(frame, behind + 8, frame.size()) : Octets{};
}

Association Vpn::own(bool out) const {
    return {suite, out ? 0x1001U : 0x2001U, out ? 1U : 2U, esn, 0};
}
Path Vpn::path() const {
    const bool six = transport ? tunnel6 : outer6;
    return {six ? "2001:db8:ffff::1" : "192.0.2.1", six ? "2001:db8:cafe::7" : "198.51.100.7", udp, 0};
}
Packet Vpn::delivery(bool up, const Packet& ip, unsigned tos) const {
    const std::string local = tunnel6 ? "2001:db8:ffff::1" : "192.0.2.1";
    const std::string remote = tunnel6 ? "2001:db8:cafe::7" : "198.51.100.7";
    Packet packet;
    add_ip(packet, up ? local : remote, up ? remote : local, tos);
    if (!tunnel6) { packet.df(); }
    return packet.gre(0x2a01).then(ip);
}
Octets Vpn::payload(const Packet& delivery) const {
    const auto octets = delivery.octets();
    return part(octets, !transport ? 0U : tunnel6 ? 40U : 20U, octets.size());
}
unsigned Vpn::next_header() const {
    return transport ? 47U : tunnel6 ? 41U : 4U;
}
Packet Vpn::down(std::uint64_t sequence, const Packet& ip, const Association* sa) const {
    return frame_from_peer(
        path(), seal(sa != nullptr ? *sa : own(false), sequence, payload(delivery(false, ip)), next_header()));
}

std::string title(const Vpn& vpn) {
    return std::string(row(vpn.suite).name) + (vpn.transport ? " transport" : " tunnel") + (vpn.esn ? " ESN" : "") +
           (vpn.udp ? " UDP" : "") + (vpn.tunnel6 ? " GRE over IPv6" : "") + (vpn.outer6 ? " ESP over IPv6" : "");
}

std::vector<Vpn> every_kind() {
    std::vector<Vpn> all;
    for (const auto suite : kSuites) {
        for (unsigned bits = 0; bits < 32; ++bits) {
            const Vpn vpn{.transport = (bits & 1U) != 0,
                          .suite = suite,
                          .esn = (bits & 2U) != 0,
                          .udp = (bits & 4U) != 0,
                          .tunnel6 = (bits & 8U) != 0,
                          .outer6 = (bits & 16U) != 0};
            if (!vpn.transport || vpn.tunnel6 == vpn.outer6) { all.push_back(vpn); }
        }
    }
    return all;
}

std::string vpn_edge(const Vpn& vpn, const std::string& circuit) {
    const auto out = vpn.outbound.empty() ? std::vector{vpn.own(true)} : vpn.outbound;
    const auto in = vpn.inbound.empty() ? std::vector{vpn.own(false)} : vpn.inbound;
    const auto path = vpn.path();
    const std::string tunnel = vpn.tunnel6 ? R"(local: "2001:db8:ffff::1", remote: "2001:db8:cafe::7")"
                                           : "local: 192.0.2.1, remote: 198.51.100.7";
    const std::string ipsec = ", ipsec: { mode: " + std::string(vpn.transport ? "transport" : "tunnel") +
                              ", suite: " + std::string(row(vpn.suite).name) + (vpn.esn ? ", esn: true" : "") +
                              (vpn.udp ? ", udp_encapsulation: true" : "") + ", local: \"" + path.local +
                              "\", remote: \"" + path.remote + "\", outbound: " + text_of(out) +
                              ", inbound: " + text_of(in) + vpn.more + " }";
    return R"(
ports:
  access0: { role: access, mtu: 1600 }
  core0: { role: core, mtu: 1500, address: 192.0.2.1/24, gateway: 192.0.2.254,
           address6: "2001:db8:ffff::1/64", gateway6: "2001:db8:ffff::fe", gateway_mac: "02:00:00:00:00:fe" }
customers:
  - name: contoso
    circuits:
      - name: pair
        port: access0
        service_vlan: 100
        )" +
           circuit +
           R"(
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            subnet6: "fd00:172::/126"
            customer_mac: "02:00:00:00:01:01"
            customer_prefixes: [10.0.0.0/16, "fd00:10::/48"]
            virtual_networks:
              - { name: prod, prefixes: [10.100.0.0/16, "fd00:100::/48"], tunnel: { )" +
           tunnel + ", key: 0x2a01 }" + (vpn.clear ? "" : ipsec) + R"( }
              - { name: clear, prefixes: [10.101.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.8, key: 1 } }
              - { name: other, prefixes: [10.102.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.9, key: 2 },
                  ipsec: { suite: aes-cbc-256-hmac-sha256-128, outbound: )" +
           text_of({kOtherOut}) + ", inbound: " + text_of({kOtherIn}) + " } }\n";
}

}  // namespace peerlane::test
