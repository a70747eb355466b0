// What the XDP program costs for each frame, by the kernel's own measure (BPF_PROG_TEST_RUN), in nanoseconds. Root.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "lib/steer/file.hpp"
#include "lib/steer/object.hpp"
#include "lib/steer/steering.hpp"

namespace {

using namespace peerlane;

constexpr unsigned kRuns = 15;
constexpr int kFrames = 1'000'000;
constexpr std::uint16_t kCircuits = 1000;

void must(bool done, const char* what) {
    if (done) { return; }
    std::perror(what);
    std::exit(1);
}

struct Program {
    explicit Program(steer_role role)
        : object(bpf_object__open_mem(steer::object().data(), steer::object().size(), nullptr), &bpf_object__close) {
        must(object && bpf_object__load(object.get()) == 0, "the program does not load");
        number = bpf_program__fd(bpf_object__find_program_by_name(object.get(), steer::kProgram));
        socket = steer::File(::socket(AF_XDP, SOCK_RAW, 0));
        put("xsks_map", __u32{0}, socket.number());
        put("settings", __u32{0},
            steer_settings{role, STEER_TPID_8100 | STEER_TPID_88A8 | STEER_TPID_9100, STEER_TPID_8100});
        for (std::uint16_t outer = 1; outer <= kCircuits; ++outer) { put("vlans", steer_vlan{outer, 10}, __u32{1}); }
        put("addresses", steer::key_of({0, 0xffff'c000'0201}), __u32{1});
    }

    template <class Key, class Value>
    void put(const char* name, const Key& key, const Value& value) const {
        const int map = bpf_object__find_map_fd_by_name(object.get(), name);
        must(bpf_map_update_elem(map, &key, &value, BPF_ANY) == 0, name);
    }

    void measure(const char* what, const std::vector<std::uint8_t>& frame) const {
        std::vector<unsigned> times;
        for (unsigned run = 0; run < kRuns; ++run) {
            bpf_test_run_opts options{};
            options.sz = sizeof(options);
            options.data_in = frame.data();
            options.data_size_in = static_cast<__u32>(frame.size());
            options.repeat = kFrames;
            must(bpf_prog_test_run_opts(number, &options) == 0, what);
            times.push_back(options.duration);
        }
        std::ranges::sort(times);
        std::printf("%-48s %8u %8u\n", what, times[kRuns / 2], times.front());
    }

    std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object;
    int number = -1;
    steer::File socket;
};

std::vector<std::uint8_t> frame(std::initializer_list<std::uint8_t> behind_macs) {
    std::vector<std::uint8_t> octets(64);
    std::ranges::copy(behind_macs, octets.begin() + 12);
    return octets;
}

}  // namespace

int main() {
    std::printf("%-48s %8s %8s\n", "nanoseconds", "median", "minimum");
    const Program access(STEER_ROLE_ACCESS);
    access.measure("access: a configured pair of tags, of 1000", frame({0x88, 0xa8, 0, 100, 0x81, 0, 0, 10, 8, 0}));
    access.measure("access: another pair", frame({0x88, 0xa8, 0, 100, 0x81, 0, 0, 11, 8, 0}));
    access.measure("access: no tag", frame({8, 0}));
    const Program core(STEER_ROLE_CORE);
    auto packet = frame({8, 0});
    std::ranges::copy(std::to_array<std::uint8_t>({192, 0, 2, 1}), packet.begin() + 30);
    core.measure("core: IPv4 to the edge", packet);
    packet[33] = 2;
    core.measure("core: IPv4 to the system", packet);
    const Program none(STEER_ROLE_NONE);
    none.measure("nothing but the settings and a count", frame({8, 0}));
}
