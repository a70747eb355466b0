#include "perf/pipeline/verify.hpp"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "perf/pipeline/floor_esp.hpp"

namespace peerlane::perf {
namespace {

void must_equal(std::uint64_t product, std::uint64_t floor, const char* what, std::size_t index) {
    if (product == floor) { return; }
    throw std::runtime_error(fmt::format("pipeline and floor differ: {} {}: {} and {}", what, index, product, floor));
}

void compare_counters(const Product& product, const Floor& floor, Direction direction, std::uint64_t packets) {
    const auto& state = product.state;
    const auto& worker = *state.workers[0];
    const unsigned side = direction == Direction::to_cloud ? 0 : 1;
    const auto& port = worker.ports[side];
    must_equal(port.received, floor.ports[side].received, "received", side);
    must_equal(port.sent, floor.ports[side].sent, "sent", side);
    must_equal(port.sent, port.received, "sent and received", side);
    must_equal(port.dropped + port.punted + port.held, floor.ports[side].dropped, "dropped", side);
    std::uint64_t tallied = 0;
    for (std::size_t i = 0; i < product.tunnel.size(); ++i) {
        const auto& tally = worker.tallies[dataplane::tally::tunnel(product.tunnel[i], Link::primary, direction)];
        const bool out = direction == Direction::to_cloud;
        const auto& tunnel = floor.tunnels[i + 1];
        const auto& back = floor.tallies_customer[i + 1];
        must_equal(tally.packets, out ? tunnel.packets : back.packets, "packets of tunnel", i);
        must_equal(tally.bytes, out ? tunnel.bytes : back.bytes, "bytes of tunnel", i);
        tallied += tally.packets;
        const auto cell = dataplane::circuit_cell(product.circuit[i], Link::primary, direction);
        const auto& bucket = state.circuit_buckets[cell].bucket;
        const auto& circuit = out ? floor.to_cloud[i + 1] : floor.to_customer[i + 1];
        must_equal(bucket.level, circuit.level, "level of circuit", i);
        must_equal(bucket.at, circuit.at, "time of circuit", i);
    }
    must_equal(tallied, port.sent, "sum of tunnels", 0);
    if (packets > port.sent) { throw std::runtime_error("not every packet was sent"); }
}

/// Both sides did the same to the state of every SA.
void compare_sas(const Product& product, const Floor& floor, Direction direction) {
    if (floor.esp == nullptr) { return; }
    for (std::size_t i = 0; i < product.tunnel.size(); ++i) {
        if (direction == Direction::to_cloud) {
            const auto& ours = product.state.sa_states[product.sa_out[i]];
            const auto& other = floor.esp->sas_out[i + 1];
            must_equal(ours.sequence, other.sequence, "sequence of SA", i);
            must_equal(ours.packets, other.packets, "packets of SA", i);
            must_equal(ours.bytes, other.bytes, "octets of SA", i);
            continue;
        }
        const auto& ours = product.state.sa_states[product.sa_in[i]];
        const auto& other = floor.esp->sas_in[i + 1];
        must_equal(ours.sequence, other.top, "highest sequence of SA", i);
        must_equal(ours.packets, other.packets, "packets of SA", i);
        must_equal(ours.bytes, other.bytes, "octets of SA", i);
        const auto& ring = product.state.replay_rings[product.sa_in[i]];
        const auto& other_ring = floor.esp->rings[i + 1];
        for (auto s = other.top; s != 0 && other.top - s < kFloorWindow; --s) {
            must_equal(ring.word[(s >> 6U) % ipsec::ReplayRing::kWords] >> (s % 64) & 1U,
                       other_ring.word[(s >> 6U) % FloorRing::kWords] >> (s % 64) & 1U, "window of SA", i);
        }
    }
}

struct Sent {
    std::uint16_t offset, length;
    std::uint32_t packet_length;
    std::uint8_t port;
    std::vector<std::uint8_t> frame;
    bool operator==(const Sent&) const = default;
};
Sent sent_of(const rte_mbuf& mbuf, std::uint8_t port) {
    const auto* frame = rte_pktmbuf_mtod(&mbuf, const std::uint8_t*);
    return {mbuf.data_off, mbuf.data_len, mbuf.pkt_len, port, {frame, frame + mbuf.data_len}};
}

/// IVs of CBC are random: the floor gets the pipeline's, so that all else can be compared octet by octet.
void give_ivs(Floor& floor, const Sent* sent) {
    if (floor.way != FloorWay::cbc) { return; }
    constexpr unsigned kBefore = 14 + 20 + kEspHeader;
    for (unsigned k = 0; k < dataplane::kBurst; ++k) {
        std::memcpy(floor.esp->ivs[k], sent[k].frame.data() + kBefore, sizeof(floor.esp->ivs[k]));
    }
    floor.esp->ivs_used = 0;
}

}  // namespace

void verify(Product& product, Floor& floor, Buffers& buffers, Direction direction, const Images& images) {
    const auto& mbufs = buffers.mbufs();
    auto& worker = *product.worker;
    const std::uint8_t port = direction == Direction::to_cloud ? 0 : 1;
    const auto one = direction == Direction::to_cloud ? floor_to_cloud : floor_to_customer;
    Nanoseconds now = 1'000'000;
    std::uint64_t packets = 0;
    std::vector<Sent> sent(mbufs.size());
    for (std::size_t first = 0; first < images.image.size(); first += mbufs.size()) {
        const auto start = now;
        buffers.fill_payloads();
        buffers.restore(first, Side::pipeline);
        for (std::size_t n = 0; n < mbufs.size(); n += dataplane::kBurst, now += kBurstTime) {
            std::memcpy(worker.burst.mbuf, mbufs.data() + n, sizeof(worker.burst.mbuf));
            dataplane::run(worker, port, now, dataplane::kBurst);
            for (std::size_t k = 0; k < dataplane::kBurst; ++k) {
                if (worker.burst.fate[k] != dataplane::Fate::sent) {
                    throw std::runtime_error(fmt::format("the pipeline did not send packet {}: fate {}", first + n + k,
                                                         static_cast<unsigned>(worker.burst.fate[k])));
                }
                sent[n + k] = sent_of(*mbufs[n + k], worker.burst.out_port[k]);
            }
            dataplane::finish_all(worker);
        }
        buffers.fill_payloads();
        buffers.restore(first, Side::floor);
        now = start;
        for (std::size_t n = 0; n < mbufs.size(); n += dataplane::kBurst, now += kBurstTime) {
            std::uint8_t ports[dataplane::kBurst];
            if (direction == Direction::to_cloud) { give_ivs(floor, &sent[n]); }
            one(floor, mbufs.data() + n, dataplane::kBurst, now, ports);
            for (std::size_t k = 0; k < dataplane::kBurst; ++k) {
                if (sent[n + k] == sent_of(*mbufs[n + k], ports[k])) { continue; }
                throw std::runtime_error(fmt::format("pipeline and floor differ in packet {}", first + n + k));
            }
        }
        packets += mbufs.size();
    }
    compare_counters(product, floor, direction, packets);
    compare_sas(product, floor, direction);
    if (floor.esp != nullptr) { floor.esp->ivs_used = BareIpsec::kBurst; }
}

}  // namespace peerlane::perf
