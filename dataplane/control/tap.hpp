// A tap interface of the system's: local delivery's other end, where routing daemons listen.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "dataplane/io/told.hpp"
#include "lib/base/address.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

struct TapSetup {
    std::string name;
    Mac mac;
    unsigned mtu = 0;   // of its frames, octets, Ethernet header excluded
    std::string where;  // "port core0", for messages
};

/// Lives as long as this does, whatever ends the process; made again when somebody takes it away. Control thread.
class Tap {
  public:
    static constexpr Nanoseconds kRetry = 1'000'000'000;  // between two attempts to make it again

    /// Makes the interface and takes it up. Throws Failure.
    explicit Tap(TapSetup setup);
    ~Tap() { close(); }
    Tap(Tap&& other) noexcept
        : setup_(std::move(other.setup_)),
          file_(std::exchange(other.file_, -1)),
          tried_(other.tried_),
          told_(other.told_) {}
    Tap(const Tap&) = delete;
    Tap& operator=(const Tap&) = delete;
    Tap& operator=(Tap&&) = delete;

    /// To poll; negative while there is no interface.
    [[nodiscard]] int file() const noexcept { return file_; }
    /// False: the system does not take it (the interface is down or gone, or its queue full).
    bool deliver(std::span<const std::uint8_t> frame) noexcept;
    /// The next frame that the system sent, into `room`; 0: none is there.
    unsigned next(std::span<std::uint8_t> room);
    /// Makes it again if it is gone. Logs what comes of it.
    void mend(Nanoseconds now);

  private:
    void make();
    void close() noexcept;

    TapSetup setup_;
    int file_ = -1;
    Nanoseconds tried_ = 0;
    Told told_{1};         // there, or gone
    std::string refusal_;  // as logged last
};

}  // namespace peerlane::dataplane
