// Workers over DPDK's ring ports: the test holds the other ends of the rings.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <cstring>
#include <thread>

#include "config/load.hpp"
#include "dataplane/io/eal.hpp"
#include "dataplane/io/worker_loop.hpp"
#include "dataplane/pipeline/device_marks.hpp"
#include "dataplane/tables/compile.hpp"

namespace peerlane::dataplane {
namespace {

constexpr unsigned kBuffers = 4095;
constexpr unsigned kAccess = 0, kCore = 1;

std::string text_of(const std::string& bandwidth, const std::string& burst) {
    return fmt::format(R"(
ports:
  a0: {{ role: access, mac: "02:00:00:00:00:a0" }}
  c0: {{ role: core, mtu: 1600, mac: "02:00:00:00:00:c0", address: 192.0.2.1/24, gateway: 192.0.2.254,
        gateway_mac: "02:00:00:00:00:fe" }}
customers:
  - name: contoso
    circuits:
      - name: sea
        port: a0
        service_vlan: 100
        bandwidth: {}
        burst: {}
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            customer_mac: "02:00:00:00:01:01"
            customer_prefixes: [10.0.0.0/16]
            virtual_networks:
              - name: prod
                prefixes: [10.100.0.0/16]
                tunnel: {{ local: 192.0.2.1, remote: 198.51.100.7, key: 1 }}
)",
                       bandwidth, burst);
}

/// QinQ, IPv4, 10.0.0.5 to 10.100.0.9, no payload; the checksum is right for this header.
constexpr std::uint8_t kFrame[] = {0x02, 0, 0,  0, 0,  0xa0, 0x02, 0, 0,  0, 1, 1, 0x88, 0xa8, 0,  100, 0x81,
                                   0,    0, 10, 8, 0,  0x45, 0,    0, 28, 0, 0, 0, 0,    64,   17, 0,   0,
                                   10,   0, 0,  5, 10, 100,  0,    9, 4,  0, 0, 9, 0,    8,    0,  0};
constexpr unsigned kIp = 22;
constexpr std::uint16_t kServiceVlan = 100;

std::vector<std::uint8_t> frame() {
    std::vector<std::uint8_t> octets(std::begin(kFrame), std::end(kFrame));
    std::uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2) { sum += static_cast<unsigned>(octets[kIp + i] << 8U | octets[kIp + i + 1]); }
    while (sum > 0xffff) { sum = (sum & 0xffffU) + (sum >> 16U); }
    octets[kIp + 10] = static_cast<std::uint8_t>(~sum >> 8U);
    octets[kIp + 11] = static_cast<std::uint8_t>(~sum);
    return octets;
}

/// As a device hands it over that has taken off so many tags.
std::vector<std::uint8_t> frame_without(unsigned tags) {
    auto octets = frame();
    octets.erase(octets.begin() + 12, octets.begin() + 12 + 4 * tags);
    return octets;
}
constexpr auto kStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

/// A port whose wire is two rings.
struct RingPort {
    rte_ring* in;
    rte_ring* out;
    std::uint16_t device;
    std::unique_ptr<DeviceNumber> number;
};

class Workers : public testing::Test {
  protected:
    static void SetUpTestSuite() { start_eal(private_memory(256)); }

    void start(unsigned count, unsigned out_size = 1024) {
        static unsigned made = 0;  // names are for ever
        pool = make_pool(fmt::format("pool{}", ++made), kBuffers, 1600, 0);
        for (unsigned port = 0; port < 2; ++port) {
            const auto name = fmt::format("r{}_{}", made, port);
            auto* in = rte_ring_create((name + "i").c_str(), 1024, SOCKET_ID_ANY, 0);
            auto* out = rte_ring_create((name + "o").c_str(), out_size, SOCKET_ID_ANY, 0);
            // Both queues, where there are two workers, are the same rings.
            rte_ring* ins[] = {in, in};
            rte_ring* outs[] = {out, out};
            const int device = rte_eth_from_rings(name.c_str(), ins, count, outs, count, 0);
            ASSERT_GE(device, 0);
            ports.push_back({in, out, static_cast<std::uint16_t>(device),
                             std::make_unique<DeviceNumber>(static_cast<std::uint16_t>(device))});
            const rte_eth_conf conf{};
            const auto queues = static_cast<std::uint16_t>(count);
            ASSERT_EQ(rte_eth_dev_configure(ports[port].device, queues, queues, &conf), 0);
            for (std::uint16_t queue = 0; queue < queues; ++queue) {
                ASSERT_EQ(rte_eth_rx_queue_setup(ports[port].device, queue, 64, 0, nullptr, pool), 0);
                ASSERT_EQ(rte_eth_tx_queue_setup(ports[port].device, queue, 64, 0, nullptr), 0);
            }
            ASSERT_EQ(rte_eth_dev_start(ports[port].device), 0);
        }
        state.emplace(count);
        publication.emplace(count);
        for (unsigned i = 0; i < count; ++i) {
            auto& one = *workers.emplace_back(
                std::make_unique<Worker>(*state, *state->workers[i], pool, table::best_kernels(), kFixedIvSeed));
            one.alone = count == 1;
            WorkerSetup setup{i, false, {}, {}};
            for (std::uint8_t port = 0; port < 2; ++port) {
                setup.inlets.push_back({ports[port].number.get(), static_cast<std::uint16_t>(i), port});
                setup.outlets.push_back({ports[port].number.get(), 0, count > 1 ? &lock : nullptr});
            }
            setups.push_back(setup);
        }
        publish("400 Gbps", "100 MB");
    }
    void TearDown() override {
        take_all();
        for (const auto& port : ports) {
            rte_eth_dev_stop(port.device);
            rte_eth_dev_close(port.device);
        }
        EXPECT_EQ(rte_mempool_avail_count(pool), kBuffers) << "buffers are lost";
        for (const auto& port : ports) {
            rte_ring_free(port.in);
            rte_ring_free(port.out);
        }
        rte_mempool_free(pool);
    }

    void publish(const std::string& bandwidth, const std::string& burst) {
        const auto loaded = config::load_text(text_of(bandwidth, burst), "f.yaml");
        ASSERT_TRUE(loaded.ok());
        auto next = compile(loaded.model, *state, snapshot.get(), {std::vector<Mac>(2), clock.now()});
        publication->publish(*next);
        snapshot = std::move(next);
        state->commit();
    }
    /// Puts packets on the access port's wire as far as they fit; how many.
    unsigned feed(unsigned count) { return feed(frame(), count); }
    unsigned feed(const std::vector<std::uint8_t>& octets, unsigned count, std::uint64_t flags = 0,
                  std::uint32_t type = 0) {
        unsigned fed = 0;
        for (; fed < count; ++fed) {
            auto* packet = rte_pktmbuf_alloc(pool);
            if (packet == nullptr) { break; }
            std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(octets.size())), octets.data(),
                        octets.size());
            packet->ol_flags |= flags;
            packet->packet_type = type;
            packet->vlan_tci = kServiceVlan;
            if (rte_ring_enqueue(ports[kAccess].in, packet) == 0) { continue; }
            rte_pktmbuf_free(packet);
            break;
        }
        return fed;
    }
    /// Takes what left by the core port; how many.
    unsigned take_all() {
        unsigned taken = 0;
        void* packet = nullptr;
        while (rte_ring_dequeue(ports[kCore].out, &packet) == 0) {
            auto* mbuf = static_cast<rte_mbuf*>(packet);
            EXPECT_EQ(mbuf->pkt_len, 14U + 20 + 8 + 28);  // Ethernet, IPv4, keyed GRE around the packet
            rte_pktmbuf_free(mbuf);
            ++taken;
        }
        return taken;
    }
    [[nodiscard]] std::uint64_t sum(unsigned port, std::uint64_t PortCounters::* what) const {
        std::uint64_t all = 0;
        for (const auto& worker : state->workers) { all += read(worker->ports[port].*what); }
        return all;
    }
    [[nodiscard]] std::uint64_t dropped(Fate why) const { return read(state->workers[0]->drops[reason_index(why)]); }
    void expect_conservation() const {
        EXPECT_EQ(sum(kAccess, &PortCounters::received), sum(kAccess, &PortCounters::sent) +
                                                             sum(kAccess, &PortCounters::dropped) +
                                                             sum(kAccess, &PortCounters::punted));
        EXPECT_EQ(sum(kAccess, &PortCounters::sent), sum(kCore, &PortCounters::transmitted));
    }
    /// Of what was fed, so many are sent and so many dropped for this reason.
    void expect_outcome(unsigned sent, Fate why, unsigned drops) {
        const auto before = dropped(why);
        poll(0);
        EXPECT_EQ(take_all(), sent);
        EXPECT_EQ(dropped(why) - before, drops) << kDropReason[reason_index(why)].name;
        expect_conservation();
    }
    void poll(unsigned index) {
        workers[index]->snapshot = snapshot.get();
        while (poll_inlets(*workers[index], setups[index], clock) != 0) {}
    }
    [[nodiscard]] std::thread run(unsigned index) {
        return std::thread([this, index] { worker_loop(*workers[index], setups[index], *publication, clock, stop); });
    }

    TscClock clock{rte_rdtsc(), std::uint64_t{1} << 31U};
    rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
    rte_mempool* pool = nullptr;
    std::vector<RingPort> ports;
    std::optional<State> state;
    std::optional<Publication> publication;
    std::unique_ptr<const Snapshot> snapshot;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<WorkerSetup> setups;
    std::atomic<bool> stop{false};
};

TEST_F(Workers, EveryPacketIsCountedOnceAndSentOnce) {
    start(1);
    ASSERT_EQ(feed(100), 100U);
    poll(0);
    EXPECT_EQ(take_all(), 100U);
    EXPECT_EQ(sum(kAccess, &PortCounters::received), 100U);
    EXPECT_EQ(sum(kCore, &PortCounters::transmitted), 100U);
    expect_conservation();
    const auto& own = *state->workers[0];
    EXPECT_EQ(read(own.packets), 100U);
    EXPECT_EQ(read(own.bursts), 4U);  // 32, 32, 32, 4
    EXPECT_GT(read(own.busy_cycles), 0U);
}

TEST_F(Workers, WhatAPortRefusesIsDroppedByName) {
    start(1, 16);  // room for 15
    ASSERT_EQ(feed(32), 32U);
    poll(0);
    EXPECT_EQ(take_all(), 15U);
    EXPECT_EQ(sum(kCore, &PortCounters::transmitted), 15U);
    EXPECT_EQ(read(state->workers[0]->drops[reason_index(Fate::tx_full)]), 17U);
    expect_conservation();
}

TEST_F(Workers, ADevicesWordIsTakenForAChecksumOnlyWhereItVerifiesThem) {
    start(1);
    auto wrong = frame();
    wrong[kIp + 10] ^= 1U;
    const auto fates = [&](bool vouches, const std::vector<std::uint8_t>& octets, std::uint64_t flags,
                           std::uint32_t type = 0) {
        setups[0].inlets[kAccess].vouches = vouches;
        const auto before = dropped(Fate::bad_checksum);
        EXPECT_EQ(feed(octets, 3, flags, type), 3U);
        poll(0);
        const auto taken = take_all();
        EXPECT_EQ(taken + dropped(Fate::bad_checksum) - before, 3U);
        return taken;
    };
    constexpr auto kGood = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
    EXPECT_EQ(fates(true, wrong, kGood), 3U) << "the device was not believed";
    EXPECT_EQ(fates(true, wrong, 0), 0U);
    EXPECT_EQ(fates(true, wrong, RTE_MBUF_F_RX_IP_CKSUM_BAD), 0U);
    EXPECT_EQ(fates(true, wrong, RTE_MBUF_F_RX_IP_CKSUM_NONE), 0U);
    EXPECT_EQ(fates(true, frame(), RTE_MBUF_F_RX_IP_CKSUM_BAD), 3U) << "software knows better";
    // What it says is about the header inside, or about one of two.
    EXPECT_EQ(fates(true, wrong, kGood | RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD), 0U);
    EXPECT_EQ(fates(true, wrong, kGood, RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_GRE), 0U);
    EXPECT_EQ(fates(false, wrong, kGood), 0U) << "nobody asked the device";
}

TEST_F(Workers, ATagThatTheDeviceTookOffIsReadBesideTheFrame) {
    start(1);
    const auto stripped = frame_without(1);
    setups[0].inlets[kAccess].strips = true;
    ASSERT_EQ(feed(stripped, 5, kStripped) + feed(7) + feed(stripped, 2), 14U);
    // What comes without its tag and without a word of it is one VLAN short.
    expect_outcome(12, Fate::unknown_vlan, 2);
    // Of a device that does not strip the flag is somebody else's, from before.
    setups[0].inlets[kAccess].strips = false;
    ASSERT_EQ(feed(frame(), 3, kStripped) + feed(stripped, 4, kStripped), 7U);
    expect_outcome(3, Fate::unknown_vlan, 4);
}

TEST_F(Workers, AFrameThatHasLostBothTagsIsNobodys) {
    start(1);
    setups[0].inlets[kAccess].strips = true;
    constexpr auto kLost = RTE_MBUF_F_RX_QINQ_STRIPPED;
    ASSERT_EQ(feed(frame_without(1), 2, kLost) + feed(frame_without(2), 3, kStripped | kLost), 5U);
    expect_outcome(0, Fate::bad_tag, 5);
}

/// In two segments, the first without room for the tag that was taken off.
TEST_F(Workers, ATaggedFrameOnTheCoreIsNoTunnelsIfItsTagIsGone) {
    start(1);
    setups[0].inlets[kCore].strips = true;
    auto* first = rte_pktmbuf_alloc(pool);
    auto* second = rte_pktmbuf_alloc(pool);
    ASSERT_TRUE(first != nullptr && second != nullptr);
    const auto octets = frame();
    first->data_off = 0;
    std::memcpy(rte_pktmbuf_append(first, 14), octets.data(), 14);
    std::memcpy(rte_pktmbuf_append(second, 40), octets.data() + 14, 30);
    ASSERT_EQ(rte_pktmbuf_chain(first, second), 0);
    first->ol_flags |= kStripped;
    ASSERT_EQ(rte_ring_enqueue(ports[kCore].in, first), 0);
    poll(0);
    EXPECT_EQ(dropped(Fate::runt), 1U);
    EXPECT_EQ(sum(kCore, &PortCounters::dropped), 1U);
}

TEST_F(Workers, ATagIsPutBackAsItWas) {
    start(1);
    auto* packet = rte_pktmbuf_alloc(pool);
    ASSERT_NE(packet, nullptr);
    PortInfo port;
    port.inner_tpids = ether::tpid_bit(0x8100) | ether::tpid_bit(0x88a8);
    const auto put_back = [&](std::vector<std::uint8_t> octets, std::uint16_t service, std::uint16_t single) {
        port.service_tpid = service;
        port.single_tpid = single;
        rte_pktmbuf_reset(packet);
        packet->vlan_tci = static_cast<std::uint16_t>(octets[14] << 8U | octets[15]);
        octets.erase(octets.begin() + 12, octets.begin() + 16);
        std::memcpy(rte_pktmbuf_append(packet, static_cast<std::uint16_t>(octets.size())), octets.data(),
                    octets.size());
        packet->ol_flags = kStripped;
        EXPECT_TRUE(put_back_tag(*packet, port));
        EXPECT_EQ(packet->ol_flags, 0U);
        EXPECT_EQ(packet->data_len, packet->pkt_len);
        const auto* start = rte_pktmbuf_mtod(packet, const std::uint8_t*);
        return std::vector<std::uint8_t>(start, start + packet->data_len);
    };
    auto two = frame();
    two[14] = 0xe0;  // its priority
    EXPECT_EQ(put_back(two, 0x88a8, 0x9100), two);
    two[12] = 0x91, two[13] = 0;
    EXPECT_EQ(put_back(two, 0x9100, 0x8100), two);
    two[16] = 0x88, two[17] = 0xa8;
    EXPECT_EQ(put_back(two, 0x9100, 0x8100), two) << "another inner TPID that is accepted";
    auto one = frame();
    one.erase(one.begin() + 12, one.begin() + 16);
    EXPECT_EQ(put_back(one, 0x88a8, 0x8100), one) << "a single tag";
    ASSERT_NE(rte_pktmbuf_prepend(packet, rte_pktmbuf_headroom(packet)), nullptr);
    EXPECT_FALSE(put_back_tag(*packet, port)) << "no room";
    packet->data_len = 13;
    EXPECT_FALSE(put_back_tag(*packet, port)) << "no frame";
    rte_pktmbuf_free(packet);
}

TEST_F(Workers, APortWithoutADeviceIsLeftAlone) {
    start(1);
    ASSERT_EQ(feed(40), 40U);
    ports[kAccess].number->store(kNoDevice);
    poll(0);
    EXPECT_EQ(sum(kAccess, &PortCounters::received), 0U);
    ports[kAccess].number->store(ports[kAccess].device);
    ports[kCore].number->store(kNoDevice);
    poll(0);
    EXPECT_EQ(take_all(), 0U);
    EXPECT_EQ(dropped(Fate::link_down), 40U);
    ports[kCore].number->store(ports[kCore].device);
    ASSERT_EQ(feed(40), 40U);
    poll(0);
    EXPECT_EQ(take_all(), 40U);
    expect_conservation();
}

TEST_F(Workers, WhatAnInterfaceTakesNoMoreIsDroppedByName) {
    start(1);
    LimitedDevice limited{std::uint32_t{ports[kCore].device} << 16U | (14 + 20 + 8 + 28 - 1)};  // as in take_all()
    setups[0].outlets[kCore].limited = &limited;
    ports[kCore].number->store(kNoDevice);
    ASSERT_EQ(feed(4), 4U);
    expect_outcome(0, Fate::tx_failed, 4);
    ++limited;
    expect_outcome(feed(5), Fate::tx_failed, 0);
}

TEST_F(Workers, WaitingForQuietOutlastsEveryUseOfADevice) {
    start(2);
    setups[1].sleeps = true;
    std::thread threads[] = {run(0), run(1)};
    for (int turn = 0; turn < 200; ++turn) {
        feed(8);
        ports[kCore].number->store(kNoDevice);
        publication->wait_for_quiet();
        take_all();
        EXPECT_EQ(take_all(), 0U) << "somebody still sends";
        ports[kCore].number->store(ports[kCore].device);
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    expect_conservation();
}

TEST_F(Workers, WhatIsReceivedBeforeTheEndIsSent) {
    start(1);
    ASSERT_EQ(feed(500), 500U);
    stop = true;
    run(0).join();
    EXPECT_EQ(take_all(), 500U);
    expect_conservation();
}

TEST_F(Workers, TwoWorkersShareAQueueOfAPort) {
    start(2);
    std::thread threads[] = {run(0), run(1)};
    unsigned fed = 0;
    unsigned taken = 0;
    while (taken < 20'000) {
        if (fed < 20'000 && fed - taken < 512) { fed += feed(std::min(64U, 20'000 - fed)); }
        taken += take_all();
    }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    EXPECT_EQ(taken + take_all(), 20'000U);
    EXPECT_EQ(sum(kAccess, &PortCounters::sent), 20'000U);
    expect_conservation();
}

TEST_F(Workers, NothingIsLostWhileSnapshotsComeAndGo) {
    start(2);
    setups[1].sleeps = true;
    std::thread threads[] = {run(0), run(1)};
    unsigned fed = 0;
    unsigned taken = 0;
    for (int step = 0; step < 50; ++step) {
        for (int i = 0; i < 8 && fed - taken < 512; ++i) { fed += feed(32); }
        publish(step % 2 == 0 ? "300 Gbps" : "400 Gbps", "100 MB");
        taken += take_all();
    }
    while (taken < fed) { taken += take_all(); }
    stop = true;
    for (auto& thread : threads) { thread.join(); }
    EXPECT_EQ(sum(kAccess, &PortCounters::received), fed);
    EXPECT_EQ(sum(kAccess, &PortCounters::sent), fed);
    expect_conservation();
}

TEST_F(Workers, ASleeperStillSettlesTheBucketsOfEachSnapshot) {
    start(1);
    setups[0].sleeps = true;
    const auto bucket = [&] {
        return meter::load(state->circuit_buckets[circuit_cell(0, Link::primary, Direction::to_cloud)]);
    };
    const auto full = bucket().level;
    std::thread thread = run(0);
    publication->wait_for_workers();
    // Each is settled when publish() returns, else the next would settle from a rate that was never in force.
    publish("400 Gbps", "50 MB");
    EXPECT_EQ(bucket().level, full / 2);
    publish("400 Gbps", "25 MB");
    EXPECT_EQ(bucket().level, full / 4);
    stop = true;
    thread.join();
}

}  // namespace
}  // namespace peerlane::dataplane
