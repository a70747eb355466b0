#include "tests/pipeline/edge.hpp"

#include <rte_mbuf.h>
#include <sys/prctl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>

#include "config/derive.hpp"
#include "config/load.hpp"
#include "dataplane/control/counters.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/pipeline/run.hpp"
#include "dataplane/tables/compile.hpp"
#include "dataplane/tables/compile_sas.hpp"
#include "lib/ipsec/locked_memory.hpp"
#include "tests/pipeline/tags_beside.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace peerlane::test {
namespace {

using namespace dataplane;
static_assert(test::kBurst == dataplane::kBurst);

constexpr unsigned kBuffers = 511;
constexpr std::uint8_t kBefore = 0xa5;
constexpr std::uint8_t kAfter = 0x5a;
constexpr std::uint16_t kLargestMtu = 9600;
/// Octets before a frame that the pipeline may write: a tunnel header of 64, less the shortest link header it replaces.
constexpr unsigned kWritable = 64 - 18;
/// The same where packets are sealed, and octets behind a frame: padding, trailer and ICV.
constexpr unsigned kSealWritable = 136 - 18;
constexpr unsigned kSealTail = 15 + 2 + 16;

rte_mempool* pool() {
    static rte_mempool* const made = [] {
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // an edge a test: of each only a few pages are touched
        ipsec::allow_unlocked();
        start_eal(private_memory(128));
        return make_pool("tests", kBuffers, kLargestMtu, 0);
    }();
    return made;
}

std::uint8_t* buffer(const rte_mbuf* mbuf) {
    return static_cast<std::uint8_t*>(mbuf->buf_addr);
}

void expect_pattern(const rte_mbuf* mbuf, unsigned from, unsigned to, std::uint8_t pattern, const char* where) {
    const auto* octets = buffer(mbuf);
    for (unsigned at = from; at < to; ++at) {
        if (octets[at] == pattern) { continue; }
        ADD_FAILURE() << "octet " << at << " of a buffer was written, " << where << " the packet";
        return;
    }
}

struct Guarded {
    rte_mbuf* mbuf;
    unsigned start, end;  // of the frame in its buffer
    bool whole;           // one segment
};

config::Model load(std::string_view yaml) {
    auto loaded = config::load_text(yaml, "test.yaml");
    if (!loaded.ok()) {
        std::string text;
        for (const auto& finding : loaded.findings) {
            if (finding.severity != config::Finding::Severity::error) { continue; }
            text += finding.where + ": " + finding.what + '\n';
        }
        throw std::invalid_argument(text);
    }
    return std::move(loaded.model);
}

}  // namespace

std::string_view name_of(Fate fate) {
    switch (fate) {
        case Fate::live:
            return "live";
        case Fate::sent:
            return "sent";
        case Fate::punted:
            return "punted";
        case Fate::held:
            return "held";
        case Fate::handed:
            return "handed";
        default:
            return kDropReason[reason_index(fate)].name;
    }
}
void PrintTo(const Passed& passed, std::ostream* out) {
    *out << passed.packets << " packets, " << passed.bytes << " bytes";
}
void PrintTo(Fate fate, std::ostream* out) {
    *out << name_of(fate);
}

struct Edge::Inside {
    Inside(Edge& outside, std::string_view yaml, const SaMemory& before, bool limited)
        : edge(outside), model(load(yaml)), state(1), reserved(limited) {
        state.sa_memory = before;
        worker = std::make_unique<Worker>(state, *state.workers[0], pool(), table::best_kernels(), kFixedIvSeed);
        publish();
        ports.resize(snapshot->ports.size());
    }

    void publish() {
        CompileOptions options;
        options.now = edge.now;
        snapshots.push_back(compile(model, state, snapshot, options));
        set_limits(*snapshots.back(), state, edge.now, reserved);
        if (snapshot != nullptr) { keep_departed_sas(*snapshot, *snapshots.back(), state, edge.now); }
        snapshot = worker->snapshot = snapshots.back().get();
        state.commit();
        for (const auto& retune : snapshot->retunes) {
            auto& buckets = retune.of == Snapshot::Retune::Of::circuit ? state.circuit_buckets : state.peering_buckets;
            meter::retune(buckets[retune.bucket].bucket, retune.from, retune.to, edge.now);
        }
        names.clear();
        for (const auto& port : snapshot->ports) { names.push_back(port.name); }
    }

    [[nodiscard]] std::uint8_t port_index(std::string_view name) const {
        const auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end()) { throw std::invalid_argument(std::string(name)); }
        return static_cast<std::uint8_t>(found - names.begin());
    }

    Guarded put(const Packet& packet, const Octets& octets);
    [[nodiscard]] unsigned before() const { return snapshot->sas.empty() ? kWritable : kSealWritable; }
    [[nodiscard]] unsigned behind() const { return snapshot->sas.empty() ? 0 : kSealTail; }
    void collect(Burst& burst, std::uint32_t slot, std::size_t from, bool reply, Sent& sent);
    void run_burst(std::uint8_t port, const std::vector<Packet>& packets, std::size_t from, std::uint32_t count,
                   Sent& sent);
    void verify_counters() const;

    Edge& edge;
    config::Model model;
    State state;
    bool reserved;
    std::vector<std::unique_ptr<Snapshot>> snapshots;
    const Snapshot* snapshot = nullptr;
    std::unique_ptr<Worker> worker;
    std::vector<std::string> names;

    // What the counters must come to, counted here.
    std::vector<Port> ports;
    std::array<std::uint64_t, kDropReasons> drops{};
    std::vector<rte_mbuf*> to_free;
};

Edge::Edge(std::string_view yaml, const SaMemory& before, bool reserved)
    : inside_(std::make_unique<Inside>(*this, yaml, before, reserved)) {}
Edge::~Edge() = default;

void Edge::reload(std::string_view yaml) {
    inside_->model = load(yaml);
    inside_->publish();
}

void Edge::set_alive(std::string_view label, std::string_view type, Link link, std::uint8_t families) {
    for (const auto& peering : inside_->snapshot->names.peerings) {
        if (peering.customer + '/' + peering.circuit != label || peering.type != type) { continue; }
        inside_->state.links_alive[peering.slot * kLinks + raw(link)] = families;
        return;
    }
    throw std::invalid_argument(std::string(label));
}

void Edge::set_next_hops(std::uint64_t word) {
    for (const auto& plan : inside_->snapshot->neighbours) {
        if (!plan.mac) { inside_->state.neighbours[plan.word] = word; }
    }
}

Guarded Edge::Inside::put(const Packet& packet, const Octets& octets) {
    const unsigned segments = std::max(1U, std::min(packet.segment_count(), static_cast<unsigned>(octets.size())));
    rte_mbuf* head = nullptr;
    std::size_t done = 0;
    for (unsigned i = 0; i < segments; ++i) {
        rte_mbuf* mbuf = rte_pktmbuf_alloc(pool());
        if (mbuf == nullptr) { throw std::runtime_error("packet buffers were lost"); }
        mbuf->data_off = static_cast<std::uint16_t>(packet.room());
        const std::size_t size = i + 1 == segments ? octets.size() - done : octets.size() / segments;
        if (mbuf->data_off + size > mbuf->buf_len) { throw std::invalid_argument("longer than a buffer"); }
        std::fill_n(buffer(mbuf), mbuf->data_off, kBefore);
        std::copy_n(octets.begin() + static_cast<std::ptrdiff_t>(done), size, buffer(mbuf) + mbuf->data_off);
        std::fill(buffer(mbuf) + mbuf->data_off + size, buffer(mbuf) + mbuf->buf_len, kAfter);
        mbuf->data_len = static_cast<std::uint16_t>(size);
        mbuf->pkt_len = static_cast<std::uint32_t>(size);
        done += size;
        if (head == nullptr) {
            head = mbuf;
        } else {
            rte_pktmbuf_chain(head, mbuf);
        }
    }
    const Guarded guarded{head, head->data_off, static_cast<unsigned>(head->data_off + head->data_len), segments == 1};
    if (guarded.whole) {
        const unsigned end = std::min<unsigned>(guarded.end + behind(), head->buf_len);
        ASAN_POISON_MEMORY_REGION(buffer(head) + end, head->buf_len - end);
        if (guarded.start > before()) { ASAN_POISON_MEMORY_REGION(buffer(head), guarded.start - before()); }
    }
    take_off_tag(*head);
    return guarded;
}

void Edge::Inside::collect(Burst& burst, std::uint32_t slot, std::size_t from, bool reply, Sent& sent) {
    if (slot >= burst.count || burst.mbuf[slot] == nullptr) { return; }
    Port& port = ports[burst.port];
    const bool received = burst.kind == Burst::Kind::received;
    ++(received ? port.received : port.originated);
    ASSERT_NE(burst.fate[slot], Fate::live) << "a packet without a fate";
    if (burst.fate[slot] == Fate::sent) {
        auto* mbuf = burst.mbuf[slot];
        ASSERT_EQ(mbuf->nb_segs, 1);
        ASSERT_EQ(mbuf->data_len, mbuf->pkt_len);
        ASSERT_LT(burst.out_port[slot], snapshot->ports.size());
        const auto* start = rte_pktmbuf_mtod(mbuf, const std::uint8_t*);
        Output output{snapshot->ports[burst.out_port[slot]].name, Octets(start, start + mbuf->data_len),
                      static_cast<std::uint32_t>(from + slot), reply};
        if (edge.refuse && edge.refuse(output)) {
            burst.fate[slot] = Fate::tx_full;
        } else {
            ++port.sent;
            ++ports[burst.out_port[slot]].transmitted;
            bump(worker->counters.ports[burst.out_port[slot]].transmitted);
            sent.out.push_back(std::move(output));
            to_free.push_back(mbuf);
        }
    }
    if (received) { sent.fates.push_back(burst.fate[slot]); }
    if (burst.fate[slot] == Fate::punted) { ++port.punted; }
    if (is_drop(burst.fate[slot])) {
        ++port.dropped;
        ++drops[reason_index(burst.fate[slot])];
    }
}

void Edge::Inside::run_burst(std::uint8_t port, const std::vector<Packet>& packets, std::size_t from,
                             std::uint32_t count, Sent& sent) {
    std::vector<Guarded> guarded;
    std::vector<Octets> originals;
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        const Packet& packet = packets[from + slot];
        originals.push_back(packet.octets());
        guarded.push_back(put(packet, originals.back()));
        worker->burst.mbuf[slot] = guarded.back().mbuf;
    }
    std::vector<rte_mbuf*> held;
    while (edge.starve) {
        auto* mbuf = rte_pktmbuf_alloc(pool());
        if (mbuf == nullptr) { break; }
        held.push_back(mbuf);
    }
    worker->burst.strips = tags_are_beside();
    run(*worker, port, edge.now, count);
    for (auto* mbuf : held) { rte_pktmbuf_free(mbuf); }
    for (const auto& [mbuf, start, end, whole] : guarded) {
        ASAN_UNPOISON_MEMORY_REGION(mbuf->buf_addr, mbuf->buf_len);
        expect_pattern(mbuf, 0, start - std::min(start, before()), kBefore, "before");
        if (whole) {
            expect_pattern(mbuf, std::min<unsigned>(end + behind(), mbuf->buf_len), mbuf->buf_len, kAfter, "after");
        }
    }
    for (std::uint32_t slot = 0; slot < count; ++slot) {
        collect(worker->burst, slot, from, false, sent);
        for (auto& pieces : worker->pieces) { collect(pieces, slot, from, false, sent); }
        collect(worker->replies, slot, from, true, sent);
    }
    finish_all(*worker);
    for (auto* mbuf : to_free) { rte_pktmbuf_free(mbuf); }
    to_free.clear();
    EXPECT_EQ(rte_mempool_avail_count(pool()), kBuffers) << "buffers were lost or freed twice";
    verify_counters();
}

void Edge::Inside::verify_counters() const {
    const WorkerState& counters = worker->counters;
    std::uint64_t dropped = 0;
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const PortCounters& port = counters.ports[i];
        SCOPED_TRACE(snapshot->ports[i].name);
        EXPECT_EQ(port.received, ports[i].received);
        EXPECT_EQ(port.originated, ports[i].originated);
        EXPECT_EQ(port.sent, ports[i].sent);
        EXPECT_EQ(port.dropped, ports[i].dropped);
        EXPECT_EQ(port.punted, ports[i].punted);
        EXPECT_EQ(port.transmitted, ports[i].transmitted);
        EXPECT_EQ(port.received + port.originated, port.sent + port.dropped + port.punted + port.held)
            << "not conserved";
        dropped += port.dropped;
    }
    std::uint64_t reasons = 0;
    for (std::size_t i = 0; i < kDropReasons; ++i) {
        EXPECT_EQ(counters.drops[i], drops[i]) << kDropReason[i].name;
        reasons += counters.drops[i];
        std::uint64_t charged = 0;
        for (const auto& circuit : snapshot->names.circuits) {
            for (const auto link : circuit.links) {
                for (const auto way : {Direction::to_cloud, Direction::to_customer}) {
                    charged += circuit_counters(*snapshot, state, circuit, link, way).drops[i];
                }
            }
        }
        EXPECT_LE(charged, counters.drops[i]) << kDropReason[i].name;
        if (kDropReason[i].charge == Charge::port) { EXPECT_EQ(charged, 0U) << kDropReason[i].name; }
    }
    EXPECT_EQ(reasons, dropped);
}

Sent Edge::send(std::string_view port, const std::vector<Packet>& packets, unsigned burst) {
    Sent sent;
    const auto index = inside_->port_index(port);
    for (std::size_t from = 0; from < packets.size(); from += burst) {
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(burst, packets.size() - from));
        inside_->run_burst(index, packets, from, count, sent);
    }
    return sent;
}
Sent Edge::send_frames(std::string_view port, const std::vector<Octets>& frames, unsigned burst) {
    std::vector<Packet> packets;
    for (const auto& frame : frames) { packets.push_back(Packet().raw(frame)); }
    return send(port, packets, burst);
}

Port Edge::port(std::string_view name) const {
    const auto& port = inside_->worker->counters.ports[inside_->port_index(name)];
    return {port.received, port.originated, port.sent, port.dropped, port.punted, port.transmitted};
}
std::uint64_t Edge::drops(Fate reason) const {
    return inside_->worker->counters.drops[reason_index(reason)];
}
Circuit Edge::circuit(std::string_view label, Link link, Direction direction) const {
    for (const auto& circuit : inside_->snapshot->names.circuits) {
        if (circuit.customer + '/' + circuit.circuit != label) { continue; }
        const auto counters = circuit_counters(*inside_->snapshot, inside_->state, circuit, link, direction);
        return {{counters.passed.packets, counters.passed.bytes},
                {counters.policed_packets, counters.policed_bytes},
                counters.drops};
    }
    throw std::invalid_argument(std::string(label));
}
namespace {
test::Passed find_passed(const nlohmann::ordered_json& list, const char* field, std::string_view name, Link link,
                         Direction direction) {
    for (const auto& one : list) {
        if (one[field] == name && one["link"] == config::to_text(link) && one["direction"] == to_text(direction)) {
            return {one["packets"], one["bytes"]};
        }
    }
    throw std::invalid_argument(std::string(name));
}
}  // namespace
Passed Edge::tunnel(std::string_view network, Link link, Direction direction) const {
    const auto json = counters_json(*inside_->snapshot, inside_->state, now);
    return find_passed(json["tunnels"], "virtual_network", network, link, direction);
}
Passed Edge::peering(std::string_view type, Link link, Direction direction) const {
    const auto json = counters_json(*inside_->snapshot, inside_->state, now);
    return find_passed(json["peerings"], "peering", type, link, direction);
}
Sa Edge::sa(std::uint32_t spi) const {
    const auto json = counters_json(*inside_->snapshot, inside_->state, now);
    for (const auto& one : json["sas"]) {
        if (one["spi"] != spi) { continue; }
        return {one["state"],    one["sequence"], one["packets"], one["bytes"],   one["expired"],
                one["replayed"], one["late"],     one["lost"],    one["bad_icv"], one["refused"]};
    }
    throw std::invalid_argument(std::to_string(spi));
}
std::string Edge::json() const {
    return counters_json(*inside_->snapshot, inside_->state, now).dump(1);
}
unsigned Edge::buffer_size() const {
    return rte_pktmbuf_data_room_size(inside_->worker->pool);
}
const std::vector<std::string>& Edge::port_names() const {
    return inside_->names;
}

void expect_out(const Sent& sent, const std::vector<Output>& expected) {
    ASSERT_EQ(sent.out.size(), expected.size()) << "of packets sent; the first fate: " << name_of(sent.fates.at(0));
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(sent.out[i].port, expected[i].port) << "output " << i;
        const auto& [got, want] = std::pair(sent.out[i].frame, expected[i].frame);
        if (got == want) { continue; }
        const auto differs = std::mismatch(got.begin(), got.end(), want.begin(), want.end()).first - got.begin();
        ADD_FAILURE() << "output " << i << " differs from octet " << differs << " on\n got " << hex(got) << "\nwant "
                      << hex(want);
    }
}

}  // namespace peerlane::test
