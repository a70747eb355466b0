// A tap interface of the system's: local delivery's other end, where routing daemons listen.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lib/base/address.hpp"

namespace peerlane::dataplane {

/// Lives as long as this does, whatever ends the process. Control thread.
class Tap {
  public:
    /// Makes the interface, with the port's MAC, and takes it up. `mtu`: of its frames, Ethernet header excluded.
    /// Throws Failure, `where` naming the port.
    Tap(const std::string& name, const Mac& mac, unsigned mtu, const std::string& where);
    ~Tap();
    Tap(Tap&& other) noexcept : file_(other.file_) { other.file_ = -1; }
    Tap(const Tap&) = delete;
    Tap& operator=(const Tap&) = delete;
    Tap& operator=(Tap&&) = delete;

    [[nodiscard]] int file() const noexcept { return file_; }
    /// False: the system does not take it (the interface is down, or its queue full).
    bool deliver(std::span<const std::uint8_t> frame) noexcept;
    /// The next frame that the system sent, into `room`; 0: none is there.
    unsigned next(std::span<std::uint8_t> room) noexcept;

  private:
    int file_;
};

}  // namespace peerlane::dataplane
