// A whole edge in memory: configuration text in, packets in, packets and counters out, with a clock that the test sets.
// Every send() checks conservation, the counters against the fates, the octets around each packet, and that no buffer
// was lost.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/pipeline/fate.hpp"
#include "dataplane/tables/sa_memory.hpp"
#include "lib/base/types.hpp"
#include "tests/pipeline/packet.hpp"

namespace peerlane::test {

using dataplane::Fate;

inline constexpr unsigned kBurst = 32;

struct Output {
    std::string port;
    Octets frame;
    std::uint32_t slot = 0;  // of the packet that caused it, in its send()
    bool reply = false;
    bool operator==(const Output& other) const { return port == other.port && frame == other.frame; }
};

struct Sent {
    std::vector<Fate> fates;  // of the packets given to send()
    std::vector<Output> out;  // by cause: the packet, its further pieces, the reply to it
    [[nodiscard]] Fate fate(std::size_t i = 0) const { return fates.at(i); }
};

std::string_view name_of(Fate fate);
void PrintTo(Fate fate, std::ostream* out);

struct Passed {
    std::uint64_t packets = 0, bytes = 0;
    bool operator==(const Passed&) const = default;
};
void PrintTo(const Passed& passed, std::ostream* out);
struct Port {
    std::uint64_t received = 0, originated = 0, sent = 0, dropped = 0, punted = 0, transmitted = 0;
};
struct Circuit {
    Passed passed, policed;
    std::array<std::uint64_t, dataplane::kDropReasons> drops{};
    [[nodiscard]] std::uint64_t dropped(Fate reason) const { return drops[dataplane::reason_index(reason)]; }
};

struct Sa {
    std::string state;
    std::uint64_t sequence = 0, packets = 0, bytes = 0, expired = 0, replayed = 0, late = 0, lost = 0, bad_icv = 0,
                  refused = 0;
};

class Edge {
  public:
    /// `before` is what the edge remembers of an earlier run; with `reserved` it sends no sequence number beyond that.
    /// Throws std::invalid_argument with the findings if the text is no valid configuration.
    explicit Edge(std::string_view yaml, const dataplane::SaMemory& before = {}, bool reserved = false);
    ~Edge();
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    /// One burst per kBurst packets (or fewer: `burst`), all at the present time.
    Sent send(std::string_view port, const std::vector<Packet>& packets, unsigned burst = kBurst);
    Sent send_frames(std::string_view port, const std::vector<Octets>& frames, unsigned burst = kBurst);
    /// Validates, compiles and publishes another configuration.
    void reload(std::string_view yaml);

    /// What control would find out: the families (alive::kV4, kV6) that `link` of a peering can carry.
    /// "customer/circuit"
    void set_alive(std::string_view label, std::string_view type, Link link, std::uint8_t families);

    /// The same: the word of every next hop that has to be asked for (namespace neighbour).
    void set_next_hops(std::uint64_t word);

    /// The clock, nanoseconds.
    Nanoseconds now = 1'000'000'000;
    /// Outputs that the transmitter has no room for.
    std::function<bool(const Output&)> refuse;
    /// No buffer for anything the edge makes.
    bool starve = false;

    // Counters, whole life so far.
    [[nodiscard]] Port port(std::string_view name) const;
    [[nodiscard]] std::uint64_t drops(Fate reason) const;
    /// "customer/circuit"
    [[nodiscard]] Circuit circuit(std::string_view label, Link link, Direction direction) const;
    [[nodiscard]] Passed tunnel(std::string_view network, Link link, Direction direction) const;
    [[nodiscard]] Passed peering(std::string_view type, Link link, Direction direction) const;
    [[nodiscard]] Sa sa(std::uint32_t spi) const;
    /// All of them, as the product writes them.
    [[nodiscard]] std::string json() const;

    /// Octets in one packet buffer, headroom included.
    [[nodiscard]] unsigned buffer_size() const;
    [[nodiscard]] const std::vector<std::string>& port_names() const;

  private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

/// The same ports and frames in the same order; says which octet differs.
void expect_out(const Sent& sent, const std::vector<Output>& expected);

}  // namespace peerlane::test

namespace peerlane::dataplane {
using peerlane::test::PrintTo;
}
