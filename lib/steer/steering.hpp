// Which frames of an interface are the edge's: the XDP program that DPDK's driver has loaded there, made to end with
// this process, and its maps.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/steer/file.hpp"
#include "lib/steer/interface.hpp"
#include "lib/steer/steer.h"

namespace peerlane::steer {

inline constexpr const char* kProgram = "peerlane_steer";
/// The remedy where nothing else helps.
inline constexpr const char* kElse = "set `steering: false` for the port, or use net_af_packet";

/// What steering cannot do, and the remedy. Thrown.
struct SteeringError : std::runtime_error {
    SteeringError(const std::string& what, std::string help) : std::runtime_error(what), remedy(std::move(help)) {}
    std::string remedy;
};

using Verdicts = std::array<std::uint64_t, STEER_VERDICTS>;  // frames, by steer_verdict
/// The name of a verdict in answers of the edge (docs/counters.md).
std::string_view to_text(steer_verdict verdict) noexcept;

/// A set of keys in a map of the program.
template <class Key>
class KeySet {
  public:
    KeySet() = default;
    KeySet(File map, const char* what) : map_(std::move(map)), what_(what) {}

    /// Adds what is not in it yet. Throws SteeringError when the map takes no more.
    void add(std::span<const Key> keys);
    /// Takes out what is not among `keys`.
    void keep(std::span<const Key> keys);

  private:
    File map_;
    const char* what_ = "";
    std::vector<Key> keys_;  // that are in it, in order
};

/// One interface. The program and its maps live as long as this does; when the process dies, however it dies, the
/// kernel takes the program off the interface. Control thread.
class Steering {
  public:
    /// Takes over the program that this process has attached by netlink, with `sockets` that DPDK's driver has opened
    /// for it. Until settle() everything passes to the kernel. Throws SteeringError.
    Steering(const std::string& interface, std::span<const int> sockets);

    /// From now on frames are judged as those of an access port with these TPIDs, or of a core port.
    void settle(const steer_settings& settings);
    /// Receives every group's frames, and with `promiscuous` every unicast address's, for as long as this lives.
    void receive(bool promiscuous);

    KeySet<steer_vlan>& vlans() noexcept { return vlans_; }
    KeySet<steer_address>& addresses() noexcept { return addresses_; }

    [[nodiscard]] Mode mode() const noexcept { return mode_; }
    /// Whether the driver hands its own buffers to the sockets; nullopt where no socket says so.
    [[nodiscard]] std::optional<bool> zero_copy() const noexcept { return zero_copy_; }
    [[nodiscard]] Verdicts verdicts() const;

  private:
    void find_program(std::uint32_t id);
    void attach_by_link();

    std::string interface_;
    unsigned index_;
    Mode mode_ = Mode::none;
    std::optional<bool> zero_copy_;
    File program_, settings_, verdicts_;
    KeySet<steer_vlan> vlans_;
    KeySet<steer_address> addresses_;
    File members_;  // a socket that holds the interface's receive modes
    File link_;     // last: the first to go
};

steer_address key_of(const Ip6& address) noexcept;

}  // namespace peerlane::steer
