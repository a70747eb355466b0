// Every bucket to the unit: after each burst what left a bucket is what the packets cost that were sent, whatever was
// cut, sent back, refused by a bucket, by memory, by an SA or by a transmit queue; and what passes keeps to the rate.
// PEERLANE_ROUNDS and PEERLANE_SEED as in property_test.cpp.
#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include <cstdlib>
#include <map>

#include "config/load.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/handover.hpp"
#include "dataplane/io/transmit.hpp"
#include "dataplane/pipeline/run.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/pipeline/sealed.hpp"
#include "tests/property/edges.hpp"

namespace peerlane::dataplane {
namespace buckets_test {

using test::below;
using test::one_in;
using test::Packet;
using test::Random;

__extension__ using Wide = __int128;

constexpr unsigned kBuffers = 1'023;
constexpr unsigned kPorts = 3, kQueueRoom = 16;  // access0, access1, core0
constexpr unsigned kMtus[] = {4000, 1280, 1400};
constexpr unsigned kCustomers = 2;
constexpr unsigned kLinkHeader = 14 + 2 * 4;

/// A bucket of the configuration as the textbook has it: what passes is what a queue served at the rate would hold.
struct Book {
    std::uint64_t rate = 0, burst = 0, quantum = 0;  // bit/s; bytes; bytes over all workers
    Nanoseconds at = 0;
    Wide queue = 0;
    [[nodiscard]] bool passed(Nanoseconds now, std::uint64_t bytes) {
        queue = std::max<Wide>(0, queue - Wide{rate} * Wide{now - at}) + Wide{bytes} * meter::kUnitsPerByte;
        at = now;
        return queue <= Wide{burst + quantum} * meter::kUnitsPerByte;
    }
};

/// Two customers with a pair each, the links' MTUs unlike, clear and protected tunnels, and a peering with a bucket of
/// its own (fabrikam's).
struct Shape {
    std::uint64_t rate, burst, own_rate, own_burst;
    std::string accounting;
    std::string lifetime;

    explicit Shape(Random& random)
        : rate(1'000'000 + below(random, 500'000'000)),
          burst(std::vector{4'100U, 20'000U, 200'000U}[below(random, 3)] + below(random, 1'000)),
          own_rate(1'000'000 + below(random, 500'000'000)),
          own_burst(std::vector{4'100U, 20'000U, 200'000U}[below(random, 3)] + below(random, 1'000)),
          accounting(std::vector<std::string>{"l3", "l2", "wire"}[below(random, 3)]),
          lifetime(one_in(random, 2)
                       ? ", lifetime: { hard: { packets: " + std::to_string(1 + below(random, 60)) + " } }"
                       : "") {}

    [[nodiscard]] std::uint64_t cost(unsigned length) const {
        if (accounting == "l3") { return length; }
        const std::uint64_t frame = kLinkHeader + length;
        return accounting == "l2" ? frame : std::max<std::uint64_t>(frame, 60) + 24;
    }
    [[nodiscard]] std::string yaml() const {
        std::string text = R"(
ports:
  access0: { role: access, mtu: 4000 }
  access1: { role: access, mtu: 1280 }
  core0: { role: core, mtu: 1400, address: 192.0.2.1/24, gateway: 192.0.2.254, gateway_mac: "02:00:00:00:00:fe" }
customers:
)";
        for (unsigned i = 0; i < kCustomers; ++i) {
            const auto n = std::to_string(i);
            const auto bucket = [](std::uint64_t bits, std::uint64_t bytes) {
                return "bandwidth: " + std::to_string(bits) + " bps, burst: " + std::to_string(bytes) + " B";
            };
            text += "  - { name: c" + n +
                    ", circuits: [ { name: pair, links: { primary: access0, secondary: access1 }, " +
                    "service_vlan: 10" + n + ", accounting: " + accounting + ", " + bucket(rate, burst) +
                    ", peerings: [ { type: private, vlan: 10, " + (i == 1 ? bucket(own_rate, own_burst) + ", " : "") +
                    R"(subnets: { primary: 172.16.0.0/30, secondary: 172.16.0.4/30 }, customer_mac: "02:00:00:00:01:01",
      customer_prefixes: [10.0.0.0/16], virtual_networks: [
        { name: clear, prefixes: [10.100.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.7, key: )" +
                    n + R"( } },
        { name: sealed, prefixes: [10.101.0.0/16], tunnel: { local: 192.0.2.1, remote: 198.51.100.8, key: )" +
                    n + " }, ipsec: { suite: aes-gcm-128, outbound: { spi: 0x100" + n + ", key: \"" + key(2 * i) +
                    "\" }, inbound: { spi: 0x200" + n + ", key: \"" + key(2 * i + 1) + "\" }" + lifetime +
                    " } } ] } ] } ] }\n";
        }
        return text;
    }

  private:
    static std::string key(unsigned mark) {
        std::string text;
        for (const auto octet : test::key_of(EspSuite::aes_gcm_128, mark)) {
            constexpr auto kDigits = "0123456789abcdef";
            text += {kDigits[octet >> 4U], kDigits[octet & 15U]};
        }
        return text;
    }
};

/// Workers whose transmit queues have little room, with a clock that the test sets.
class Edge {
  public:
    Edge(Random& source, const Shape& form, unsigned count) : random_(source), shape_(form), state_(count) {
        static unsigned made = 0;  // names are for ever
        const auto name = "b" + std::to_string(++made);
        pool_ = make_pool(name.c_str(), kBuffers, 4000, 0);
        std::vector<rte_ring*> rings;
        for (unsigned i = 0; i < kPorts * count; ++i) {
            queues_.push_back(rte_ring_create((name + "q" + std::to_string(i)).c_str(), kQueueRoom, SOCKET_ID_ANY, 0));
        }
        const auto queues = static_cast<std::uint16_t>(queues_.size());
        const int device = rte_eth_from_rings(name.c_str(), queues_.data(), queues, queues_.data(), queues, 0);
        if (device < 0) { throw std::runtime_error("no ring device"); }
        device_.store(static_cast<std::uint16_t>(device));
        const rte_eth_conf conf{};
        rte_eth_dev_configure(device_, queues, queues, &conf);
        for (std::uint16_t i = 0; i < queues; ++i) {
            rte_eth_rx_queue_setup(device_, i, 64, 0, nullptr, pool_);
            rte_eth_tx_queue_setup(device_, i, 64, 0, nullptr);
        }
        rte_eth_dev_start(device_);
        if (count > 1) { rings_.emplace(count); }
        const auto loaded = config::load_text(form.yaml(), "buckets.yaml");
        for (const auto& finding : loaded.findings) {
            if (finding.severity == config::Finding::Severity::error) { throw std::invalid_argument(finding.what); }
        }
        snapshot_ = compile(loaded.model, state_, nullptr, {{}, now_});
        set_limits(*snapshot_, state_, now_, one_in(random_, 4));
        state_.commit();
        for (unsigned i = 0; i < count; ++i) {
            auto& one = *workers_.emplace_back(
                std::make_unique<Worker>(state_, *state_.workers[i], pool_, table::best_kernels(), kFixedIvSeed));
            one.alone = count == 1;
            one.index = i;
            one.snapshot = snapshot_.get();
            auto& out = outlets_.emplace_back();
            for (unsigned port = 0; port < kPorts; ++port) {
                out.push_back({&device_, static_cast<std::uint16_t>(i * kPorts + port), nullptr});
            }
        }
        handed_.resize(count);
        make_books(count);
    }
    ~Edge() {
        for (auto* queue : queues_) { drain(queue, kQueueRoom); }
        rings_.reset();
        EXPECT_EQ(rte_mempool_avail_count(pool_), kBuffers) << "buffers are lost";
        rte_eth_dev_stop(device_);
        rte_eth_dev_close(device_);
        for (auto* queue : queues_) { rte_ring_free(queue); }
        rte_mempool_free(pool_);
    }
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    /// One burst of one port into some worker, and what it hands to others.
    void burst() {
        now_ += one_in(random_, 4) ? below(random_, 100'000'000) : one_in(random_, 2) ? below(random_, 50'000) : 0;
        const auto index = below(random_, workers_.size());
        const auto port = static_cast<std::uint8_t>(below(random_, kPorts));
        const auto count = static_cast<std::uint32_t>(1 + below(random_, kBurst));
        for (auto* queue : queues_) { drain(queue, one_in(random_, 3) ? below(random_, kQueueRoom) : kQueueRoom); }
        for (std::uint32_t slot = 0; slot < count; ++slot) { workers_[index]->burst.mbuf[slot] = frame(port); }
        process(index, port, count);
        for (unsigned to = 0; rings_ && to < workers_.size(); ++to) {
            std::uint8_t from = 0;
            while (const auto got = handed_[to].take(rings_->all()[to], workers_[to]->burst, from)) {
                process(to, from, got);
            }
        }
    }

    /// A circuit counts what its buckets were charged for.
    void expect_counters() {
        for (const auto& circuit : snapshot_->names.circuits) {
            for (const auto link : circuit.links) {
                for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                    const auto counters = circuit_counters(*snapshot_, state_, circuit, link, way);
                    EXPECT_EQ(counters.passed.bytes, counted_[circuit_cell(circuit.slot, link, way)]);
                }
            }
        }
    }

    std::map<std::string, std::uint64_t> seen;  // what was put to the test

  private:
    void make_books(unsigned count) {
        const auto book = [&](std::uint64_t rate, std::uint64_t burst) {
            return Book{rate, burst, count == 1 ? 0 : count * raw(meter::quantum(Bytes{burst}, count)), now_};
        };
        for (unsigned cell = 0; cell < kCustomers * 4; ++cell) {
            circuits_.push_back(book(shape_.rate, shape_.burst));
            peerings_.push_back(book(shape_.own_rate, shape_.own_burst));
        }
    }

    static void drain(rte_ring* queue, std::uint64_t packets) {
        void* packet = nullptr;
        while (packets-- != 0 && rte_ring_dequeue(queue, &packet) == 0) {
            rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
        }
    }

    /// A packet of some customer that comes in by `port`. Its IP length is in its UDP source port.
    rte_mbuf* frame(unsigned port) {
        const auto customer = static_cast<unsigned>(below(random_, kCustomers));
        const auto some = [&](std::initializer_list<const char*> of) {
            return std::string(std::data(of)[below(random_, of.size())]);
        };
        const auto flow = std::to_string(below(random_, 200));
        const auto length = static_cast<unsigned>(one_in(random_, 3) ? 28 + below(random_, 60)
                                                                     : 28 + below(random_, kMtus[port] - 28 + 1));
        Packet packet;
        if (port == 2) {
            packet.ether("02:00:00:00:00:02", "02:00:00:00:00:fe").ip4("198.51.100.7", "192.0.2.1").gre(customer);
            packet.then(ip("10.100.0.1", some({"172.16.0.1", "172.16.0.5", "10.0.0."}), flow, length));
        } else {
            packet.ether("02:00:00:00:00:0" + std::to_string(port), "02:00:00:00:01:01").tag(100 + customer).tag(10);
            packet.then(
                ip("10.0.0.1", some({"10.100.0.", "10.101.0.", "172.16.0.1", "172.16.0.5", "10.0.1."}), flow, length));
        }
        const auto octets = packet.octets();
        auto* mbuf = rte_pktmbuf_alloc(pool_);
        if (mbuf == nullptr) { throw std::runtime_error("packet buffers were lost"); }
        // Now and then without room behind it for an ICV.
        mbuf->data_off = static_cast<std::uint16_t>(one_in(random_, 8) ? mbuf->buf_len - octets.size() : 192);
        std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(octets.size())), octets.data(), octets.size());
        return mbuf;
    }
    Packet ip(const std::string& from, std::string to, const std::string& flow, unsigned length) {
        if (to.back() == '.') { to += flow; }
        Packet packet;
        packet.ip4(from, to);
        if (one_in(random_, 8)) { packet.df(); }
        if (one_in(random_, 16)) { packet.ttl(1); }
        return packet.udp(length, 2000).payload(length - 28);
    }

    /// Units in a bucket now, those that workers have borrowed among them.
    static Wide level(const meter::SharedBucket& bucket, const meter::BucketRate& rate, Nanoseconds now, Wide lent) {
        return Wide{meter::settled(bucket.bucket, rate, now).level} + lent;
    }
    struct Levels {
        std::vector<Wide> circuits, peerings;
    };
    [[nodiscard]] Levels levels() const {
        Levels all;
        for (unsigned cell = 0; cell < kCustomers * 4; ++cell) {
            const unsigned end = cell / 4 * kLinks + cell / 2 % 2;
            const bool up = cell % 2 == 0;
            const auto& rate = up ? snapshot_->attachments[end].rate : snapshot_->exits[end].rate;
            Wide lent = 0;
            Wide own = 0;
            for (const auto& worker : state_.workers) {
                lent += worker->circuit_credits[cell].units;
                own += worker->peering_credits[cell].units;
            }
            all.circuits.push_back(level(state_.circuit_buckets[cell], rate, now_, lent));
            all.peerings.push_back(level(state_.peering_buckets[cell], snapshot_->peerings[cell / 4].rate, now_, own));
        }
        return all;
    }

    void process(std::uint64_t index, std::uint8_t port, std::uint32_t count) {
        Worker& worker = *workers_[index];
        std::vector<unsigned> lengths;
        for (std::uint32_t slot = 0; slot < count; ++slot) {
            const auto* frame = rte_pktmbuf_mtod(worker.burst.mbuf[slot], const std::uint8_t*);
            const auto* udp = frame + (port == 2 ? 14 + 20 + 8 : kLinkHeader) + 20;
            lengths.push_back(static_cast<unsigned>(udp[0] << 8U | udp[1]));
        }
        std::vector<rte_mbuf*> hoard;
        if (one_in(random_, 4)) { hoard.resize(rte_mempool_avail_count(pool_) - below(random_, 12)); }
        if (!hoard.empty() && rte_pktmbuf_alloc_bulk(pool_, hoard.data(), static_cast<unsigned>(hoard.size())) != 0) {
            throw std::runtime_error("packet buffers were lost");
        }
        const auto before = levels();
        run(worker, port, now_, count);
        transmit_all(worker, outlets_[index].data());
        if (worker.burst.hands) { give_away(*snapshot_, worker.burst, rings_->all().data()); }
        auto costs = costs_of(worker.burst, lengths);
        for (unsigned cell = 0; cell < kCustomers * 4; ++cell) { counted_[cell] += costs.circuits[cell]; }
        add_replies(worker.replies, costs);
        finish_all(worker);
        rte_pktmbuf_free_bulk(hoard.data(), static_cast<unsigned>(hoard.size()));
        const auto after = levels();
        for (unsigned cell = 0; cell < kCustomers * 4; ++cell) {
            const Wide cost = Wide{costs.circuits[cell]} * meter::kUnitsPerByte;
            EXPECT_TRUE(before.circuits[cell] - after.circuits[cell] == cost)
                << "the bucket of cell " << cell << " changed by other than " << costs.circuits[cell] << " bytes";
            EXPECT_TRUE(circuits_[cell].passed(now_, costs.circuits[cell])) << "cell " << cell << " passed too much";
            if (cell < 4) { continue; }
            const Wide own = Wide{costs.peerings[cell]} * meter::kUnitsPerByte;
            EXPECT_TRUE(before.peerings[cell] - after.peerings[cell] == own)
                << "the peering's bucket of cell " << cell << " changed by other than " << costs.peerings[cell];
            EXPECT_TRUE(peerings_[cell].passed(now_, costs.peerings[cell])) << "peering cell " << cell << " passed";
        }
    }

    struct Costs {
        std::vector<std::uint64_t> circuits = std::vector<std::uint64_t>(kCustomers * 4),
                                   peerings = std::vector<std::uint64_t>(kCustomers * 4);
    };
    /// What the packets cost that were sent: each whole, whatever it was cut into, in the buckets of every link it
    /// used.
    Costs costs_of(const Burst& burst, const std::vector<unsigned>& lengths) {
        Costs costs;
        for (std::uint32_t slot = 0; slot < burst.count; ++slot) {
            const Fate fate = burst.fate[slot];
            const bool up = burst.direction == Direction::to_cloud;
            const bool back = up && fate != Fate::handed && burst.attachment[slot] != kNowhere &&
                              burst.tunnel[slot] == kNowhere && burst.hairpins;
            if (is_drop(fate)) { ++seen[std::string(kDropReason[reason_index(fate)].name)]; }
            if (fate != Fate::sent) { continue; }
            ++seen[back ? "sent back" : "sent"];
            if (burst.cuts && burst.cut_mtu[slot] != 0) { ++seen[back ? "sent back, cut" : "sent, cut"]; }
            const auto charge = [&](std::uint32_t end, Direction way) {
                const auto cell = end * 2 + raw(way);
                costs.circuits[cell] += shape_.cost(lengths[slot]);
                costs.peerings[cell] += shape_.cost(lengths[slot]);
            };
            if (up) { charge(burst.attachment[slot], Direction::to_cloud); }
            if (!up || back) { charge(burst.exit[slot], Direction::to_customer); }
        }
        return costs;
    }

    /// What the edge said itself counts in the circuit, and costs where it was charged.
    void add_replies(const Burst& replies, Costs& costs) {
        const bool up = replies.direction == Direction::to_cloud;
        for (std::uint32_t slot = 0; slot < replies.count; ++slot) {
            if (replies.mbuf[slot] == nullptr || replies.fate[slot] != Fate::sent) { continue; }
            const auto end = up ? snapshot_->tunnels[replies.tunnel[slot]].attachment : replies.exit[slot];
            const auto cell = end * 2 + raw(replies.direction);
            const auto cost = shape_.cost(replies.length[slot]);
            ++seen["replies"];
            counted_[cell] += cost;
            if (replies.charged[slot] == 0) { continue; }
            costs.circuits[cell] += cost;
            costs.peerings[cell] += cost;
        }
    }

    Random& random_;
    const Shape& shape_;
    State state_;
    Nanoseconds now_ = 1'000'000'000;
    rte_mempool* pool_ = nullptr;
    std::vector<rte_ring*> queues_;  // worker * kPorts + port
    DeviceNumber device_{kNoDevice};
    std::optional<HandoverRings> rings_;
    std::vector<Handed> handed_;
    std::unique_ptr<const Snapshot> snapshot_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::vector<Outlet>> outlets_;
    std::vector<Book> circuits_, peerings_;  // by cell
    std::vector<std::uint64_t> counted_ = std::vector<std::uint64_t>(kCustomers * 4);
};

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

TEST(Buckets, ChangeByWhatWasSent) {
    ipsec::allow_unlocked();
    start_eal(private_memory(128));
    const auto first = setting("PEERLANE_SEED", 1);
    std::map<std::string, std::uint64_t> seen;
    for (auto seed = first; seed < first + setting("PEERLANE_ROUNDS", 18); ++seed) {
        SCOPED_TRACE(testing::Message() << "PEERLANE_SEED=" << seed);
        Random random(seed);
        const Shape shape(random);
        Edge edge(random, shape, 1 + static_cast<unsigned>(seed % 3));
        for (int i = 0; i < 120 && !HasFailure(); ++i) { edge.burst(); }
        edge.expect_counters();
        for (const auto& [what, count] : edge.seen) { seen[what] += count; }
        ASSERT_FALSE(HasFailure()) << shape.yaml();
    }
    for (const auto* what : {"sent", "sent, cut", "sent back", "sent back, cut", "policed", "tx_full", "no_memory",
                             "no_tailroom", "too_big", "replies", "sa_expired", "sequence_not_reserved"}) {
        EXPECT_GT(seen[what], 20U) << what;
    }
}

}  // namespace buckets_test
}  // namespace peerlane::dataplane
