// Ports whose other end is another process behind a socket (memif, vhost-user): what DPDK's drivers leave to whoever
// uses them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/io/device.hpp"
#include "dataplane/io/unix_socket.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Which end of a socket a device is.
struct SocketEnd {
    bool server = false;
    SocketName socket;
    std::string key{};  // of the option that names the socket: "socket="
};
/// nullopt: the device has no socket.
[[nodiscard]] std::optional<SocketEnd> socket_end(const Device& device);

/// Before a device is probed: takes away the socket that a killed edge has left behind as a server, on which the driver
/// could not listen. Does nothing for other devices, and where somebody listens.
void clear_dead_socket(const Device& device);

[[nodiscard]] bool is_memif(const Device& device);
/// DPDK 22.11 connects it once, when it starts: a memif client, or virtio-user before a vhost-user server.
[[nodiscard]] bool connects_once(const Device& device);
/// The socket where a device that connects_once() finds no server; nothing if one listens there.
[[nodiscard]] std::optional<std::string> deserted_socket(const Device& device);
/// Who is to start it, or what to write instead.
[[nodiscard]] std::string remedy_for_deserted(const Device& device);

/// After a device was configured: a guest behind net_vhost is told to leave no checksum and no segmentation to it,
/// which the edge would forward as they are. Does nothing for other devices.
void refuse_offloads(const Device& device);

/// Stops and closes DPDK's port of such a device on the driver's own thread, so that it never does so in the middle of
/// what the driver does there when a peer speaks or goes, or before what it has put off. Control thread; waits.
void close_on_its_thread(std::uint16_t port) noexcept;

/// Which connection a driver makes for a device that connects_once(). Control thread, for one device at a time.
class NewConnection {
  public:
    explicit NewConnection(const Device& device);
    /// Made since; 0: none.
    [[nodiscard]] std::uint64_t find() const;

  private:
    bool expected_;
    std::vector<std::uint64_t> before_;
};

/// When to open a device again that connects_once() and whose server went. Control thread.
class Reconnection {
  public:
    /// Between two attempts with one and the same server, which has hung up on the first.
    static constexpr Nanoseconds kPatience = 5'000'000'000;

    /// Called at every look at a link; `connection`: the port's, or 0. Returns true if an attempt is due, which then
    /// counts as made: at once where a server has come; where it is the one that was tried last, kPatience after that,
    /// and not while it has our connection: a DPDK process writes to memory it has freed when a client hangs up before
    /// it was greeted.
    bool due(const Device& device, std::uint64_t connection, bool up, Nanoseconds now);
    /// Why the link is down, as due() last saw it, for a person: "no server listens"; "" if there is one that refuses.
    [[nodiscard]] const char* reason() const noexcept;

  private:
    std::optional<Listener> listener_;
    std::optional<Listener> tried_;
    Nanoseconds tried_at_ = 0;
    bool first_ = true;
    bool was_up_ = false;
    bool waits_ = false;  // the server has our connection and has not answered
};

}  // namespace peerlane::dataplane
