// Workers over DPDK's ring ports: the test holds the other ends of the rings.
#pragma once

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

inline constexpr unsigned kBuffers = 4095;
inline constexpr unsigned kAccess = 0, kCore = 1;

inline std::string text_of(const std::string& bandwidth, const std::string& burst) {
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
inline constexpr std::uint8_t kFrame[] = {0x02, 0, 0,  0, 0,  0xa0, 0x02, 0, 0,  0, 1, 1, 0x88, 0xa8, 0,  100, 0x81,
                                          0,    0, 10, 8, 0,  0x45, 0,    0, 28, 0, 0, 0, 0,    64,   17, 0,   0,
                                          10,   0, 0,  5, 10, 100,  0,    9, 4,  0, 0, 9, 0,    8,    0,  0};
inline constexpr unsigned kIp = 22;
inline constexpr std::uint16_t kServiceVlan = 100;

inline std::vector<std::uint8_t> frame() {
    std::vector<std::uint8_t> octets(std::begin(kFrame), std::end(kFrame));
    std::uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2) { sum += static_cast<unsigned>(octets[kIp + i] << 8U | octets[kIp + i + 1]); }
    while (sum > 0xffff) { sum = (sum & 0xffffU) + (sum >> 16U); }
    octets[kIp + 10] = static_cast<std::uint8_t>(~sum >> 8U);
    octets[kIp + 11] = static_cast<std::uint8_t>(~sum);
    return octets;
}

/// As a device hands it over that has taken off so many tags.
inline std::vector<std::uint8_t> frame_without(unsigned tags) {
    auto octets = frame();
    octets.erase(octets.begin() + 12, octets.begin() + 12 + 4 * tags);
    return octets;
}
inline constexpr auto kStripped = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

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

}  // namespace peerlane::dataplane
