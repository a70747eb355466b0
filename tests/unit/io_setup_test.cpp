// What is decided before DPDK starts: devices, memory, threads; and the clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "dataplane/io/clock.hpp"
#include "dataplane/io/failure.hpp"
#include "dataplane/io/live_eal.hpp"
#include "tests/unit/own_directory.hpp"

namespace peerlane::dataplane {
namespace {

namespace fs = std::filesystem;

TEST(Device, PciAddressesGetTheirDomain) {
    for (const auto* text : {"0000:3b:00.1", "3b:00.1"}) {
        const auto device = parse_device(text, "port x");
        EXPECT_FALSE(device.is_virtual);
        EXPECT_EQ(device.name, "0000:3b:00.1");
        EXPECT_EQ(device.arguments, "0000:3b:00.1");
    }
    const auto device = parse_device("AF:00.0,representor=[0-3]", "port x");
    EXPECT_EQ(device.name, "0000:AF:00.0");
    EXPECT_EQ(device.arguments, "0000:AF:00.0,representor=[0-3]");
}

TEST(Device, DriversMakeVirtualOnes) {
    const auto device = parse_device("net_af_packet0,iface=eth1,qpairs=2", "port x");
    EXPECT_TRUE(device.is_virtual);
    EXPECT_EQ(device.name, "net_af_packet0");
    EXPECT_EQ(device.arguments, "net_af_packet0,iface=eth1,qpairs=2");
    EXPECT_FALSE(parse_device("635a7ae3-091e-4410-ad59-667c4f8c04c3", "port x").is_virtual);  // VMBus
}

TEST(Device, AnInterfacesNameIsExplained) {
    try {
        parse_device("lo", "port core0");
        ADD_FAILURE();
    } catch (const Failure& failure) {
        const std::string said = failure.what();
        EXPECT_NE(said.find("port core0"), std::string::npos);
        EXPECT_NE(said.find("net_af_packet0,iface=lo"), std::string::npos);
    }
    EXPECT_THROW(parse_device("", "port core0"), Failure);
    EXPECT_THROW(parse_device(",iface=x", "port core0"), Failure);
}

/// A root directory with these hugepages.
class Memory : public testing::Test {
  protected:
    void pages(const std::string& size, int free) const {
        const auto directory = root / "sys/kernel/mm/hugepages" / ("hugepages-" + size);
        fs::create_directories(directory);
        std::ofstream(directory / "free_hugepages") << free << '\n';
    }
    const peerlane::test::OwnDirectory own{"memory"};
    const fs::path root = own.path();
};

TEST_F(Memory, HugepagesWhereThereAreEnough) {
    EXPECT_FALSE(plan_memory(100, root).hugepages);
    pages("2048kB", 49);
    EXPECT_FALSE(plan_memory(100, root).hugepages);
    EXPECT_NE(plan_memory(100, root).note.find("98 MB of hugepages are free"), std::string::npos);
    pages("2048kB", 50);
    EXPECT_TRUE(plan_memory(100, root).hugepages);
    pages("2048kB", 0);
    pages("1048576kB", 1);
    EXPECT_TRUE(plan_memory(1024, root).hugepages);
    EXPECT_FALSE(plan_memory(1025, root).hugepages);
}

TEST_F(Memory, MeminfoWhereThereIsNothingBetter) {
    fs::create_directories(root / "proc");
    std::ofstream(root / "proc/meminfo") << "MemTotal: 1 kB\nHugePages_Free:      50\nHugepagesize:       2048 kB\n";
    EXPECT_TRUE(plan_memory(100, root).hugepages);
    EXPECT_FALSE(plan_memory(101, root).hugepages);
}

bool has(const std::vector<std::string>& arguments, const std::string& wanted) {
    return std::ranges::find(arguments, wanted) != arguments.end();
}

TEST(Arguments, OrdinaryMemoryOrHugepages) {
    LiveSetup setup;
    setup.workers = 2;
    setup.memory.megabytes = 200;
    setup.devices.push_back(parse_device("net_null0", ""));
    auto arguments = live_arguments(setup, {0, 1});
    EXPECT_TRUE(has(arguments, "--no-huge") && has(arguments, "--no-shconf") && !has(arguments, "--in-memory"));
    EXPECT_TRUE(has(arguments, "--no-pci") && !has(arguments, "-a"));
    EXPECT_TRUE(has(arguments, "0@(0,1),1@(0,1),2@(0,1)"));
    setup.memory.hugepages = true;
    setup.devices.push_back(parse_device("3b:00.1", ""));
    arguments = live_arguments(setup, {0, 1});
    EXPECT_TRUE(!has(arguments, "--no-huge") && has(arguments, "--in-memory"));
    EXPECT_TRUE(!has(arguments, "--no-pci") && has(arguments, "-a") && has(arguments, "0000:3b:00.1"));
    EXPECT_FALSE(has(arguments, "net_null0")) << "EAL would make it before there is anyone to say what fails";
}

TEST(Arguments, PinnedWorkersHaveTheirCoresToThemselves) {
    LiveSetup setup;
    setup.workers = 2;
    setup.cores = {2, 3};
    EXPECT_TRUE(has(live_arguments(setup, {0, 1, 2, 3}), "0@(0,1),1@(2),2@(3)"));
    EXPECT_TRUE(has(live_arguments(setup, {2, 3}), "0@(2,3),1@(2),2@(3)"));
    EXPECT_THROW(live_arguments(setup, {0, 1, 2}), Failure);
}

TEST(Clock, ScalesWithoutOverflowOrRounding) {
    const TscClock clock{1000, (std::uint64_t{1} << 32U) * 10 / 25};  // 2.5 GHz
    EXPECT_EQ(clock.at(1000), 0U);
    EXPECT_NEAR(static_cast<double>(clock.at(1000 + 2'500'000'000)), 1e9, 1);
    const std::uint64_t year = std::uint64_t{365} * 86'400 * 2'500'000'000;
    EXPECT_NEAR(static_cast<double>(clock.at(1000 + 50 * year)), 50.0 * 365 * 86'400 * 1e9, 1e10);
    Nanoseconds before = 0;
    for (std::uint64_t tsc = 1000; tsc < 3000; ++tsc) {
        EXPECT_GE(clock.at(tsc), before);
        before = clock.at(tsc);
    }
}

TEST(Clock, CalibratesToTheSystems) {
    const auto clock = calibrated_clock();
    timespec begin{};
    timespec end{};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const auto first = clock.now();
    const timespec pause{0, 50'000'000};
    nanosleep(&pause, nullptr);
    const auto second = clock.now();
    clock_gettime(CLOCK_MONOTONIC, &end);
    // What lies between two readings of the system's clock is at most as long; 1 % covers any calibration.
    const auto outside = static_cast<double>((end.tv_sec - begin.tv_sec) * 1'000'000'000 + end.tv_nsec - begin.tv_nsec);
    EXPECT_LE(static_cast<double>(second - first), outside * 1.01);
    EXPECT_GE(static_cast<double>(second - first), 50e6 * 0.99);
}

}  // namespace
}  // namespace peerlane::dataplane
