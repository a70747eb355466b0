// An edge for one execution: a fixed configuration, compiled anew, two workers, local delivery, no disk. Frames go in
// after somebody has changed them; whose they may be is known, and where they come out is checked.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/model.hpp"
#include "dataplane/control/local.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/peer.hpp"
#include "tests/fuzz/team.hpp"

namespace peerlane::fuzz {

/// Three customers with the same addresses: 0 a pair with two tags, 1 with one tag on access0, 2 with two tags on
/// access1 whose inner one is customer 0's. `learnt`: no MAC but the edge's own is configured.
const config::Model& three_customers(bool learnt);
inline constexpr unsigned kThree = 3;

/// The tunnels: GRE keys no two of which differ in one bit, and customer 2's without a key.
struct BenchTunnel {
    unsigned customer;
    bool six;                          // the delivery header's family
    std::optional<std::uint32_t> key;  // none: GRE without a key
    bool sealed, transport;
    EspSuite suite = EspSuite::aes_gcm_128;
    unsigned number = 0;  // the network is 10.(100 + number).0.0/16; cipher keys and SPIs go by it
};
std::span<const BenchTunnel> bench_tunnels();
EspKey bench_key(const BenchTunnel& tunnel, bool outbound);
std::uint32_t bench_spi(const BenchTunnel& tunnel, bool outbound);
/// Delivery header and GRE around `ip`, as the gateway sends them.
test::Packet bench_delivery(const BenchTunnel& tunnel, const test::Packet& ip);

/// Changes what a frame says, by choices of the input; `l3` is where an IP header may be whose checksum is mended.
void edit(Input& input, Octets& frame, std::size_t l3);
/// The bytes that follow in the input.
Octets raw_frame(Input& input);

class Bench {
  public:
    explicit Bench(bool learnt);
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// A payload of at least 12 bytes that says which packet it is.
    Octets payload(unsigned size);
    /// Whoever is in `owners`, bit by customer, may get the packets that `octets` say they are.
    void allow(const Octets& octets, unsigned owners);
    void feed(unsigned port, unsigned worker, const Octets& frame);
    /// Everybody's turn, and what must hold.
    void settle();

    Nanoseconds now = 1'000'000'000;
    dataplane::State state{kWorkers};
    std::unique_ptr<dataplane::Snapshot> snapshot;
    std::unique_ptr<dataplane::LocalDelivery> local;
    /// Frames that left; cleared by who looks.
    std::vector<std::pair<unsigned, Octets>> out;

  private:
    void note(unsigned port, std::span<const std::uint8_t> frame);

    std::unique_ptr<Team> team_;
    std::map<std::uint32_t, unsigned> owners_;  // by mark
    std::uint32_t marks_ = 0;
    std::uint64_t fed_ = 0, taken_ = 0;
};

/// The customers, bit by customer, that the tags at the start of a frame may name.
unsigned owners_by_tags(unsigned port, const Octets& frame);
/// The customers whose clear tunnels a frame from the core may be of: those whose keys are anywhere in it, and the one
/// whose tunnel has none.
unsigned owners_by_key(const Octets& frame);

}  // namespace peerlane::fuzz
