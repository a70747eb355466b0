// The preflight against made-up machines.
#include "dataplane/control/preflight.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/load.hpp"
#include "dataplane/control/port_setup.hpp"
#include "dataplane/control/system_addresses.hpp"
#include "dataplane/io/port.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

class Preflight : public testing::Test {
  protected:
    void SetUp() override {
        model_.edge.socket = (root_ / "run/edge.sock").string();
        fs::create_directories(root_ / "run");
        model_.edge.state_dir = (root_ / "state").string();
        write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
        write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n");
        write("proc/self/limits", "Max locked memory         8388608              8388608              bytes\n");
        model_.edge.cores = {0};
        write("sys/devices/system/cpu/isolated", "0,2-3\n");
        write("sys/devices/system/cpu/nohz_full", "0,2-3\n");
    }

    void write(const std::string& file, const std::string& text) {
        fs::create_directories((root_ / file).parent_path());
        std::ofstream(root_ / file) << text;
    }
    void bind(const std::string& address, const std::string& driver) {
        const auto device = root_ / "sys/bus/pci/devices" / address;
        fs::create_directories(device);
        fs::create_directories(root_ / "drivers" / driver);
        fs::create_symlink(root_ / "drivers" / driver, device / "driver");
        if (driver != "vfio-pci") { return; }
        fs::create_symlink("../../../kernel/iommu_groups/7", device / "iommu_group");
        write("dev/vfio/7", "");
    }
    void add_port(const std::string& device) {
        auto& port = model_.ports.emplace_back();
        port.name = "port" + std::to_string(model_.ports.size() - 1);
        port.device = device;
    }
    /// Remedies of what is not met, in order.
    std::vector<std::string> remedies() {
        std::vector<std::string> found;
        for (const auto& need : preflight(model_, allowed_, root_.string())) {
            EXPECT_EQ(need.state == Need::State::met, need.remedy.empty()) << need.what;
            if (need.state != Need::State::met) { found.push_back(need.remedy); }
        }
        return found;
    }

    const peerlane::test::OwnDirectory own_{"preflight"};
    const fs::path root_ = own_.path();
    config::Model model_;
    std::vector<unsigned> allowed_{0, 1};
};

TEST_F(Preflight, AMachineWithEverythingNeedsNothing) {
    bind("0000:3b:00.0", "vfio-pci");
    write("sys/class/net/eth0/mtu", "1500");
    add_port("3b:00.0");
    add_port("net_af_packet0,iface=eth0");
    add_port("net_null0");
    EXPECT_EQ(remedies(), std::vector<std::string>{});
}

TEST_F(Preflight, NamesEachRemedy) {
    bind("0000:3b:00.1", "ixgbe");
    write("proc/self/status", "CapEff:\t0000000000000000\n");
    write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    add_port("0000:3b:00.0");
    add_port("0000:3b:00.1");
    add_port("net_af_packet0,iface=eth7");
    add_port("");
    model_.edge.cores = {100'000};
    const auto found = remedies();
    ASSERT_EQ(found.size(), 8U);
    EXPECT_TRUE(found[0].starts_with("sysctl vm.nr_hugepages=")) << found[0];
    EXPECT_EQ(found[1], "lspci -D lists those there are");
    EXPECT_EQ(found[2], "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.1");
    EXPECT_NE(found[3].find("CAP_NET_RAW"), std::string::npos);
    EXPECT_NE(found[4].find("CAP_NET_ADMIN"), std::string::npos);
    EXPECT_NE(found[5].find("iface="), std::string::npos);
    EXPECT_EQ(found[6], "add `device`: a PCI address or a DPDK device string");
    EXPECT_EQ(found[7], "lscpu lists the cores");
    for (const auto& need : preflight(model_, allowed_, root_.string())) {
        EXPECT_EQ(need.what.find("isolated"), std::string::npos) << "a core that is not there is not isolated";
    }
}

TEST_F(Preflight, LooksAtTapsAndPinnedCores) {
    add_port("net_null0");
    model_.ports[0].tap = "pl0";
    model_.edge.workers = 1;
    for (const auto* file : {"isolated", "nohz_full"}) {
        write(std::string("sys/devices/system/cpu/") + file, "2-3\n");
    }
    write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    auto found = remedies();
    ASSERT_EQ(found.size(), 4U);
    EXPECT_NE(found[0].find("modprobe tun"), std::string::npos) << found[0];
    EXPECT_EQ(found[1], "isolcpus=0 on the kernel's command line");
    EXPECT_EQ(found[2], "nohz_full=0 on the kernel's command line");
    EXPECT_EQ(found[3], "cpupower -c 0 frequency-set -g performance");
    write("dev/net/tun", "");
    for (const auto* file : {"isolated", "nohz_full"}) {
        write(std::string("sys/devices/system/cpu/") + file, "0,2-3\n");
    }
    write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
    EXPECT_EQ(remedies(), std::vector<std::string>{});
    write("proc/self/status", "CapEff:\t0000000000000000\n");
    found = remedies();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].find("CAP_NET_ADMIN"), std::string::npos) << found[0];
}

TEST_F(Preflight, ACoreThatIsNotThisProcesss) {
    add_port("net_null0");
    allowed_ = {1};
    EXPECT_EQ(remedies(), std::vector<std::string>{"choose among 1, or AllowedCPUs= in the unit file"});
}

TEST_F(Preflight, APlaceThatCannotBeLookedAt) {
    add_port("net_null0");
    model_.edge.socket = (root_ / std::string(300, 'x') / "edge.sock").string();
    EXPECT_EQ(remedies(), std::vector<std::string>{"set edge.socket to a shorter path"});
    const auto missing = root_ / "missing";
    model_.edge.socket = (missing / "edge.sock").string();
    EXPECT_EQ(remedies(),
              std::vector<std::string>{"mkdir -p " + missing.string() + ", or set edge.socket to another path"});
    model_.edge.socket = (root_ / "run").string();
    EXPECT_EQ(remedies(), std::vector<std::string>{"remove it, or set edge.socket to another path"});
}

TEST_F(Preflight, TwoThreadsOfOneCore) {
    add_port("net_null0");
    model_.edge.workers = 2;
    model_.edge.cores = {0, 1};
    write("sys/devices/system/cpu/isolated", "0-1\n");
    write("sys/devices/system/cpu/nohz_full", "0-1\n");
    for (const auto* core : {"0", "1"}) {
        write("sys/devices/system/cpu/cpu" + std::string(core) + "/topology/thread_siblings_list", "0-1\n");
    }
    EXPECT_EQ(remedies(), std::vector<std::string>{"lscpu -e shows which belong together; name one of each core"});
}

TEST_F(Preflight, WorkersWithoutCores) {
    add_port("net_null0");
    model_.edge.cores = {};
    EXPECT_EQ(remedies(), std::vector<std::string>{"edge.cores: [N], one for each worker; or edge.idle: sleep"});
    model_.edge.idle = config::Idle::sleep;
    EXPECT_EQ(remedies(), std::vector<std::string>{});
}

TEST_F(Preflight, AGroupThatIsNotTheUsers) {
    bind("0000:3b:00.0", "vfio-pci");
    add_port("3b:00.0");
    fs::remove(root_ / "dev/vfio/7");
    auto found = remedies();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].find("/dev/vfio/7 (a udev rule"), std::string::npos) << found[0];
    fs::remove(root_ / "sys/bus/pci/devices/0000:3b:00.0/iommu_group");
    found = remedies();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].find("intel_iommu=on"), std::string::npos) << found[0];
}

TEST_F(Preflight, UioIsForRoot) {
    bind("0000:3b:00.0", "uio_pci_generic");
    add_port("3b:00.0");
    EXPECT_EQ(remedies(), std::vector<std::string>{});
    write("proc/self/status", "CapEff:\t0000000000004000\n");  // CAP_IPC_LOCK
    EXPECT_EQ(remedies(), std::vector<std::string>{"bind the device to vfio-pci, which does not"});
}

TEST_F(Preflight, LockedMemoryByCapabilityOrLimit) {
    bind("0000:3b:00.0", "vfio-pci");
    add_port("3b:00.0");
    write("proc/self/status", "CapEff:\t0000000000000000\n");
    EXPECT_EQ(remedies(), std::vector<std::string>{"run as root, or LimitMEMLOCK=infinity in the unit file"});
    write("proc/self/limits", "Max locked memory         unlimited            unlimited            bytes\n");
    EXPECT_EQ(remedies(), std::vector<std::string>{});
}

/// As many as `run` will ask for, and one page less.
TEST_F(Preflight, HugepagesAsTheEdgeCountsThem) {
    add_port("net_null0");
    add_port("net_null1");
    model_.edge.workers = 1;
    model_.ports[0].mtu = 9000;
    const auto line = [&](std::size_t pages) {
        write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", std::to_string(pages) + "\n");
        return preflight(model_, allowed_, root_.string()).front();
    };
    const std::vector<PortSetup> setups{port_setup(model_.ports[0]), port_setup(model_.ports[1])};
    const auto needed = (Ports::megabytes(setups, 1) + 1) / 2;
    EXPECT_EQ(line(needed).state, Need::State::met) << line(needed).what;
    EXPECT_EQ(line(needed - 1).state, Need::State::degraded) << line(needed - 1).what;
}

TEST_F(Preflight, SaysHowEachLineStands) {
    add_port("net_null0");
    add_port("net_af_packet0,iface=eth7");
    write("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
    const auto text = to_text(preflight(model_, allowed_, root_.string()));
    for (const auto* line : {"because 0 MB of hugepages are free", "ok    port port0: net_null0",
                             "fail  port port1: there is no interface `eth7`"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << '\n' << text;
    }
}

/// Each of these, `run` refuses in the same words.
TEST_F(Preflight, WhatADeviceStringNames) {
    write("sys/class/net/eth0/mtu", "1500");
    write("dev/net/tun", "");
    write("in.pcap", "");
    const auto what = [&](const std::string& device) {
        model_.ports.clear();
        add_port(device);
        for (const auto& need : preflight(model_, allowed_, root_.string())) {
            if (need.state == Need::State::missing) { return need.what; }
        }
        return std::string("nothing");
    };
    const auto place = root_.string();
    for (const auto& [device, wanted] : std::vector<std::pair<std::string, std::string>>{
             {"net_af_pakcet0,iface=eth0", "there is no driver for `net_af_pakcet0`"},
             {"net_af_packet0", "`net_af_packet0` names no interface"},
             {"net_af_packet0,iface=nosuch", "there is no interface `nosuch`"},
             {"net_af_packet0,iface=eth0", "nothing"},
             {"net_tap0,iface=a-name-of-sixteen", "`a-name-of-sixteen` is too long for the name of an interface"},
             {"net_vhost0", "`net_vhost0` names no socket"},
             {"net_vhost0,iface=" + place + "/none/s", "there is no directory `" + place + "/none`"},
             {"net_vhost0,iface=" + place + "/s", "nothing"},
             {"net_vhost0,iface=" + place + "/in.pcap", "`" + place + "/in.pcap` is not a socket"},
             {"net_memif0,role=server,socket-abstract=no,socket=/" + std::string(107, 's'),
              "the socket's path is 108 characters long, and 107 are the most"},
             {"net_memif0,role=client,socket-abstract=no,socket=" + place + "/s",
              "nobody listens at `" + place + "/s`"},
             {"net_pcap0,rx_pcap=" + place + "/missing", "`" + place + "/missing` cannot be read"},
             {"net_pcap0,rx_pcap=" + place + "/in.pcap,tx_pcap=" + place + "/none/out.pcap",
              "there is no directory `" + place + "/none`"},
             {"net_pcap0,rx_pcap=" + place + "/in.pcap,tx_pcap=" + place + "/out.pcap", "nothing"},
         }) {
        EXPECT_EQ(what(device), wanted == "nothing" ? wanted : "port port0: " + wanted) << device;
    }
}

TEST_F(Preflight, AddressesThatTheSystemHasToo) {
    const auto loaded = config::load_text(R"(
ports:
  a0: { role: access, device: "net_af_packet0,iface=eth1", tap: pl0 }
  c0: { role: core, device: "net_af_packet1,iface=eth2", address: 192.0.2.1/24, gateway: 192.0.2.254 }
customers:
  - name: contoso
    circuits:
      - name: sea
        port: a0
        service_vlan: 100
        bandwidth: 1 Gbps
        peerings:
          - type: private
            vlan: 10
            subnet: 172.16.0.0/30
            customer_prefixes: [10.0.0.0/16]
            virtual_networks:
              - { name: prod, prefixes: [10.100.0.0/16], tunnel: { local: 192.0.2.9, remote: 198.51.100.7, key: 1 } }
)",
                                          "f.yaml");
    ASSERT_TRUE(loaded.ok());
    const auto said = [&](const std::string& interface, std::uint32_t address) {
        const auto carriers = [](const std::string& name) {
            return name == "eth1.100" ? std::vector<std::string>{name, "eth1"}
                   : name == "inner"  ? std::vector<std::string>{name, "outer", "pl0"}
                                      : std::vector<std::string>{name};
        };
        const auto found = shared_with_system(loaded.model, {{interface, {0, 0xffff'0000'0000U | address}}}, carriers);
        return found.empty() ? std::string() : found.front().problem;
    };
    constexpr std::uint32_t kPort = 0xc0000201, kTunnel = 0xc0000209, kLink = 0xac100002;
    EXPECT_EQ(said("lo", kTunnel),
              "interface lo: the system has the edge's own address 192.0.2.9 there, and answers for "
              "it too");
    EXPECT_NE(said("eth2", kPort), "");
    EXPECT_NE(said("eth1.100", kLink), "") << "a VLAN of the port's interface";
    EXPECT_EQ(said("eth0", kLink), "") << "another network, which may have it";
    EXPECT_EQ(said("inner", kLink), "") << "on the port's tap it belongs to the system";
    EXPECT_EQ(said("inner", kPort), "");
    EXPECT_EQ(said("eth2", 0xc0000202), "");
}

}  // namespace
}  // namespace peerlane::dataplane
