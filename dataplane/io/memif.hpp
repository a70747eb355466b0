// memif (a port whose other end is another process): what DPDK's driver leaves to whoever uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "dataplane/io/device.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Before a device is probed: takes away the socket that a killed edge has left behind as a memif server, on which the
/// driver could not listen. Does nothing for other devices, and where somebody listens.
void clear_dead_socket(const Device& device);

[[nodiscard]] bool is_memif(const Device& device);
[[nodiscard]] bool is_memif_client(const Device& device);

/// Stops and closes DPDK's port of a memif device on the driver's own thread, so that it never does so in the middle of
/// what the driver does there when a peer speaks or goes. Control thread; waits.
void close_memif(std::uint16_t port) noexcept;

/// DPDK 22.11 connects a memif client once, when it starts. This says when to open one again whose server went.
/// Control thread.
class Reconnection {
  public:
    /// Between two attempts with one and the same server: a DPDK process dies of a client that hangs up before it was
    /// greeted, so that one that is slow to greet is left time.
    static constexpr Nanoseconds kPatience = 5'000'000'000;

    /// Called at every look at a link. Returns true if an attempt is due, which then counts as made: at once where a
    /// server has come, and after kPatience where it is the one that was tried last.
    bool due(const Device& device, bool up, Nanoseconds now);
    /// A server was there at the last look.
    [[nodiscard]] bool served() const noexcept { return listener_.has_value(); }

  private:
    using Listener =
        std::pair<std::uint64_t, std::int64_t>;  // a socket's inode, and its age in ns; zeros if it has no file
    static std::optional<Listener> find(const Device& device);

    std::optional<Listener> listener_;
    std::optional<Listener> tried_;
    Nanoseconds tried_at_ = 0;
    bool first_ = true;
    bool was_up_ = false;
};

}  // namespace peerlane::dataplane
