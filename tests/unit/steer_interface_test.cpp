// Interfaces of the test's own: what stands in the way of steering there, and the program taken over and given up.
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "lib/steer/interface.hpp"
#include "lib/steer/needs.hpp"
#include "tests/unit/steer_case.hpp"
#include "tests/unit/steer_frames.hpp"

namespace peerlane::steer {
namespace {

constexpr Ip6 kOwn{0, 0xffff'c000'0201};  // 192.0.2.1
constexpr Ip6 kOwn6{0x2001'0db8'0000'0000, 1};

void command(const std::string& text) {
    ASSERT_EQ(std::system(text.c_str()), 0) << text;
}

bool says(const std::vector<Problem>& problems, const std::string& text, bool fatal = true) {
    return std::ranges::any_of(problems, [&](const Problem& problem) {
        return problem.fatal == fatal && problem.what.find(text) != std::string::npos && !problem.remedy.empty();
    });
}

/// A tap `t0` and a veth pair `v0`, `v1`, in the network namespace that as_root.sh gives.
struct Interfaces : testing::Test {
    void SetUp() override {
        command("ip tuntap add dev t0 mode tap");
        command("ip link add v0 type veth peer name v1");
    }
    void TearDown() override {
        command("ip link del dev t0");
        command("ip link del dev v0");
    }
};

TEST_F(Interfaces, NothingInTheWay) {
    EXPECT_TRUE(steering_needs("t0", true).empty());
    EXPECT_TRUE(steering_needs("t0", false, std::array{kOwn, kOwn6}).empty());
}

TEST_F(Interfaces, NoInterfaceForIt) {
    EXPECT_TRUE(says(steering_needs("none0", true), "no interface `none0`"));
    EXPECT_TRUE(says(steering_needs("lo", true), "lo is not Ethernet"));
}

TEST_F(Interfaces, TagsTakenOut) {
    EXPECT_TRUE(says(steering_needs("v0", true), "v0 takes VLAN tags out", false));
    EXPECT_TRUE(says(steering_needs("v0", false), "other VLANs would count as untagged", false));
    auto offload = tag_offload("v0");
    EXPECT_TRUE(offload.customer && offload.service);
    const File socket(::socket(AF_INET, SOCK_DGRAM, 0));
    ethtool_value flags{ETHTOOL_GFLAGS, 0};
    ifreq request{};
    std::strcpy(request.ifr_name, "v0");
    request.ifr_data = reinterpret_cast<char*>(&flags);
    ASSERT_EQ(ioctl(socket.number(), SIOCETHTOOL, &request), 0);
    flags = {ETHTOOL_SFLAGS, flags.data & ~__u32{ETH_FLAG_RXVLAN}};
    ASSERT_EQ(ioctl(socket.number(), SIOCETHTOOL, &request), 0);
    offload = tag_offload("v0");
    EXPECT_TRUE(!offload.customer && offload.service);
}

TEST_F(Interfaces, AddressesOfTheSystem) {
    command("ip address add 192.0.2.1/24 dev t0 && ip -6 address add 2001:db8::1/64 dev t0 nodad");
    command("ip address add 192.0.2.9/24 dev v0");
    const auto needs = steering_needs("t0", false, std::array{kOwn, kOwn6});
    EXPECT_TRUE(says(needs, "own address 192.0.2.1 "));
    EXPECT_TRUE(says(needs, "own address 2001:db8::1 "));
    EXPECT_TRUE(steering_needs("t0", false, std::array{Ip6{0, 0xffff'c000'0209}}).empty()) << "on another interface";
}

TEST_F(Interfaces, Capabilities) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> all{};
    ASSERT_EQ(syscall(SYS_capget, &header, all.data()), 0);
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_cur, 65'536);
    ASSERT_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    const std::pair<unsigned, const char*> needed[] = {{CAP_NET_ADMIN, "XDP needs CAP_NET_ADMIN"},
                                                       {CAP_NET_RAW, "XDP needs CAP_NET_RAW"},
                                                       {CAP_BPF, "XDP needs CAP_BPF"},
                                                       {CAP_IPC_LOCK, "XDP needs CAP_IPC_LOCK"}};
    auto own = all;
    own[CAP_SYS_ADMIN / 32].effective &= ~(1U << CAP_SYS_ADMIN % 32);  // CAP_BPF is a part of it
    for (const auto& [bit, text] : needed) {
        auto fewer = own;
        fewer[bit / 32].effective &= ~(1U << bit % 32);
        ASSERT_EQ(syscall(SYS_capset, &header, fewer.data()), 0);
        const auto needs = steering_needs("t0", true);
        ASSERT_EQ(syscall(SYS_capset, &header, all.data()), 0);
        EXPECT_TRUE(says(needs, text)) << text;
        EXPECT_EQ(needs.size(), 1U) << text;
    }
}

TEST_F(Interfaces, AnotherProgramIsThere) {
    const Program program;
    const int index = static_cast<int>(if_nametoindex("t0"));
    ASSERT_EQ(bpf_xdp_attach(index, program.number(), 0, nullptr), 0);
    EXPECT_TRUE(says(steering_needs("t0", true), "`peerlane_steer`"));
    auto there = attached(index);
    ASSERT_TRUE(there && there->program != 0 && there->mode == Mode::native);
    EXPECT_FALSE(take_off_orphan(index, *there, "another_name"));
    EXPECT_TRUE(take_off_orphan(index, *there, kProgram)) << "what hangs on no link has no process";
    EXPECT_EQ(attached(index)->program, 0U);
    {
        const File link(bpf_link_create(program.number(), index, BPF_XDP, nullptr));
        ASSERT_TRUE(link) << std::strerror(errno);
        there = attached(index);
        EXPECT_FALSE(take_off_orphan(index, *there, kProgram)) << "what hangs on a link is in use";
        EXPECT_EQ(attached(index)->program, there->program);
    }
    EXPECT_EQ(attached(index)->program, 0U);
}

TEST_F(Interfaces, TakenOverAndGivenUp) {
    Program program;
    const unsigned index = if_nametoindex("t0");
    EXPECT_THROW(Steering("t0", {}), SteeringError) << "nothing is attached";
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(index), program.number(), 0, nullptr), 0);
    const auto frame = ethernet({{0x88a8, 100}, {0x8100, 10}}, 0x0800);
    {
        Steering steering("t0", {});
        EXPECT_EQ(steering.mode(), Mode::native);
        EXPECT_EQ(steering.zero_copy(), std::nullopt) << "nobody has a socket there";
        EXPECT_EQ(program.run(frame).verdict, STEER_NOT_READY);
        const std::array both{steer_vlan{100, 10}, steer_vlan{100, 11}};
        steering.vlans().add(both);
        steering.settle({STEER_ROLE_ACCESS, STEER_TPID_8100 | STEER_TPID_88A8, STEER_TPID_8100});
        EXPECT_EQ(program.run(frame).verdict, STEER_TO_PEERING);
        steering.vlans().keep(std::span(both).first(1));
        EXPECT_EQ(program.run(frame).verdict, STEER_TO_PEERING);
        EXPECT_EQ(program.run(ethernet({{0x88a8, 100}, {0x8100, 11}}, 0x0800)).verdict, STEER_UNKNOWN_VLAN);
        steering.vlans().add(std::span(both).last(1));
        steering.vlans().keep(std::span(both).last(1));
        EXPECT_EQ(program.run(frame).verdict, STEER_UNKNOWN_VLAN);
        EXPECT_EQ(program.run(ethernet({{0x88a8, 100}, {0x8100, 11}}, 0x0800)).verdict, STEER_TO_PEERING);
        const auto verdicts = steering.verdicts();
        EXPECT_EQ(verdicts[STEER_NOT_READY], 1U);
        EXPECT_EQ(verdicts[STEER_TO_PEERING], 3U);
        EXPECT_EQ(verdicts[STEER_UNKNOWN_VLAN], 2U);
        EXPECT_NE(bpf_xdp_detach(static_cast<int>(index), 0, nullptr), 0) << "it hangs on a link";
    }
    EXPECT_EQ(attached(index)->program, 0U);
}

}  // namespace
}  // namespace peerlane::steer
