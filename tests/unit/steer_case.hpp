// The XDP program under test: loaded, its maps filled, run by the kernel over one frame (BPF_PROG_TEST_RUN).
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "lib/net/headers.hpp"
#include "lib/steer/file.hpp"
#include "lib/steer/object.hpp"
#include "lib/steer/steering.hpp"

namespace peerlane::steer {

using Frame = std::vector<std::uint8_t>;

/// What the program did with a frame.
struct Result {
    bool redirected = false;
    int verdict = -1;  // steer_verdict; -1: not exactly one was counted
};

class Program {
  public:
    Program() : object_(bpf_object__open_mem(object().data(), object().size(), nullptr), &bpf_object__close) {
        if (!object_ || bpf_object__load(object_.get()) != 0) {
            throw std::runtime_error(std::string("the program does not load: ") + std::strerror(errno));
        }
        program_ = bpf_program__fd(bpf_object__find_program_by_name(object_.get(), kProgram));
        socket_ = File(::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
        serve(true);
    }

    /// The AF_XDP socket of queue 0, by which every frame here comes, is there or not.
    void serve(bool there) {
        const __u32 queue = 0;
        const __u32 number = static_cast<__u32>(socket_.number());
        const int map = this->map("xsks_map");
        if (there ? bpf_map_update_elem(map, &queue, &number, 0) != 0 : bpf_map_delete_elem(map, &queue) != 0) {
            throw std::runtime_error(std::string("xsks_map: ") + std::strerror(errno));
        }
    }

    void settle(steer_role role, std::uint16_t outer = ether::kUsualTpids, std::uint16_t inner = STEER_TPID_8100) {
        put("settings", __u32{0}, steer_settings{role, outer, inner});
    }
    void vlan(std::uint16_t outer, std::uint16_t inner) { put("vlans", steer_vlan{outer, inner}, __u32{1}); }
    void address(const Ip6& address) { put("addresses", key_of(address), __u32{1}); }

    Result run(const Frame& frame) {
        const auto before = verdicts();
        Frame after(frame.size() + 64);
        bpf_test_run_opts options{};
        options.sz = sizeof(options);
        options.data_in = frame.data();
        options.data_size_in = static_cast<__u32>(frame.size());
        options.data_out = after.data();
        options.data_size_out = static_cast<__u32>(after.size());
        EXPECT_EQ(bpf_prog_test_run_opts(program_, &options), 0) << std::strerror(errno);
        after.resize(options.data_size_out);
        EXPECT_EQ(after, frame) << "the program changes nothing";
        constexpr __u32 kPass = 2, kRedirect = 4;  // XDP_PASS, XDP_REDIRECT
        EXPECT_TRUE(options.retval == kPass || options.retval == kRedirect) << options.retval;
        Result result{options.retval == kRedirect};
        const auto now = verdicts();
        int counted = 0;
        for (int i = 0; i < STEER_VERDICTS; ++i) {
            if (now[static_cast<std::size_t>(i)] == before[static_cast<std::size_t>(i)]) { continue; }
            result.verdict = i;
            counted += static_cast<int>(now[static_cast<std::size_t>(i)] - before[static_cast<std::size_t>(i)]);
        }
        if (counted != 1) { result.verdict = -1; }
        return result;
    }

    [[nodiscard]] int number() const noexcept { return program_; }

  private:
    [[nodiscard]] int map(const char* name) const { return bpf_object__find_map_fd_by_name(object_.get(), name); }

    template <class Key, class Value>
    void put(const char* name, const Key& key, const Value& value) {
        if (bpf_map_update_elem(map(name), &key, &value, BPF_ANY) != 0) { throw std::runtime_error(name); }
    }

    [[nodiscard]] Verdicts verdicts() const {
        Verdicts sums{};
        std::vector<std::uint64_t> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
        for (__u32 i = 0; i < STEER_VERDICTS; ++i) {
            EXPECT_EQ(bpf_map_lookup_elem(map("verdicts"), &i, each.data()), 0);
            for (const auto count : each) { sums[i] += count; }
        }
        return sums;
    }

    std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object_;
    int program_ = -1;
    File socket_;
};

}  // namespace peerlane::steer
