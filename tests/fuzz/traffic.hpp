// Packets that carry a mark, what is known of each, and where a frame from the edge went.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "tests/fuzz/family.hpp"

namespace peerlane::fuzz {

/// What a packet entered by: tags, or a GRE key with or without SAs. Whose that is changes with the configuration.
struct Entry {
    bool from_cloud = false;
    Link link = Link::primary;  // of a customer's packet
    bool sealed = false;
    unsigned tags = 0;  // set; from the cloud of the GRE key
    unsigned sas = 0;   // set, where sealed
    bool clear_key = false;

    /// The customer it belongs to under a configuration, kNobody for none.
    [[nodiscard]] unsigned owner(Variant variant) const noexcept;
};

struct Sent {
    Entry entry;
    unsigned length = 0;      // IP, as it came
    bool secret = false;      // for, or from, a protected network
    std::uint8_t owners = 0;  // bit by customer: those it may come out at
    bool passed = false;      // it came out
};

/// Where a frame from the edge goes, as the wire says.
struct Exit {
    enum class Kind : std::uint8_t { other, customer, clear_tunnel, protected_tunnel } kind = Kind::other;
    unsigned customer = kNobody;
    Link link = Link::primary;
    bool reply = false;  // ICMP or an echo reply, which the edge made itself
    bool known = false;  // tags, key or SA are somebody's
    std::optional<std::uint32_t> mark{};
    // ESP
    unsigned key = 0;  // number of the cipher key
    bool counter_mode = false;
    std::uint64_t iv = 0;
    unsigned length = 0;  // of the IP packet in it
};

class Traffic {
  public:
    /// What a customer sends, by kind; what it is, is remembered.
    Octets from_customer(unsigned tags, Link link, unsigned kind, unsigned size, Variant now);
    /// What a gateway sends.
    Octets from_cloud(unsigned set, unsigned kind, unsigned size, Variant now);
    /// The answer of a customer's router to the question for its MAC.
    static Octets arp_reply(unsigned tags, Link link, unsigned router);

    [[nodiscard]] static Exit judge(unsigned port, std::span<const std::uint8_t> frame, Variant variant);
    /// Which packet a frame is that came in, sealed or not.
    [[nodiscard]] std::optional<std::uint32_t> which(std::span<const std::uint8_t> frame) const;
    [[nodiscard]] Sent& sent(std::uint32_t mark) { return all_.at(mark); }
    [[nodiscard]] std::size_t count() const noexcept { return all_.size(); }
    /// Numbers that the peer has used: cipher key and IV.
    [[nodiscard]] const std::vector<std::pair<unsigned, std::uint64_t>>& peer_ivs() const noexcept { return ivs_; }

    static constexpr unsigned kUpKinds = 12, kDownKinds = 10;

  private:
    std::uint32_t remember(const Entry& entry, unsigned length, bool secret, Variant now);

    std::vector<Sent> all_;
    std::map<unsigned, std::uint64_t> sequences_;  // of the peer, by cipher key
    std::vector<std::pair<unsigned, std::uint64_t>> ivs_;
    std::map<unsigned, Octets> last_;                // sealed frame, by set
    std::map<std::uint64_t, std::uint32_t> sealed_;  // by SPI and sequence number
};

}  // namespace peerlane::fuzz
