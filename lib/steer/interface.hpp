// What the system says of a network interface: its number, the XDP program on it, whether it keeps VLAN tags in frames.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/address.hpp"

namespace peerlane::steer {

/// How a program runs: in the driver, in the network stack for any driver, or in the device.
enum class Mode { none, native, generic, offloaded };
const char* to_text(Mode mode) noexcept;

struct Attached {
    std::uint32_t program = 0;  // the kernel's number; 0: none
    Mode mode = Mode::none;
    std::string name{};  // of the program; "" where CAP_SYS_ADMIN is missing to ask for it
};

/// The XDP program on an interface. nullopt: there is no such interface, or the kernel does not know XDP.
std::optional<Attached> attached(unsigned interface);

/// Takes off a program that is called `name` and was attached without a bpf_link. A bpf_link ends with its process, so
/// one without belongs to a process that was killed between the two ways. False if there is none, or it cannot be
/// known.
bool take_off_orphan(unsigned interface, const Attached& program, const std::string& name);

struct TagOffload {
    bool customer = false;  // TPID 0x8100 is taken out of received frames
    bool service = false;   // 0x88a8
};
/// What receive offload takes out of frames before a program sees them; neither where the interface cannot say.
TagOffload tag_offload(const std::string& interface);

/// What is on of the offloads that make long frames of several packets, as ethtool calls it: "gro", "lro",
/// "rx-gro-hw", "rx-gro-list" for received ones, "tso", "gso" for sent ones.
std::vector<std::string> merging(const std::string& interface);
std::vector<std::string> segmentation(const std::string& interface);

/// The other end of a veth pair.
struct Peer {
    bool is_veth = false;
    std::string name{};  // "" where it is in another network namespace
};
Peer veth_peer(const std::string& interface);

bool is_ethernet(const std::string& interface);

/// The system's own addresses on the interface, IPv4 mapped.
std::vector<Ip6> addresses_of(const std::string& interface);

}  // namespace peerlane::steer
