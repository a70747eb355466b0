// The kernel's statistics of AF_XDP ports, followed: what it loses is said in the log.
#pragma once

#include <string>
#include <vector>

#include "dataplane/io/open_port.hpp"
#include "lib/base/types.hpp"
#include "lib/steer/statistics.hpp"

namespace peerlane::dataplane {

/// Control thread.
class XdpWatch {
  public:
    static constexpr Nanoseconds kSilence = 10'000'000'000;  // after a line about a port, none about it for so long

    explicit XdpWatch(std::size_t ports) : known_(ports) {}

    /// Reads the statistics of a port's sockets, and logs which of the losses have grown. Does nothing for a port
    /// without AF_XDP sockets.
    void look(const Port& port, std::size_t index, Nanoseconds now);

    /// The same with counts that were read by somebody: the text of the line, "" if there is nothing to say.
    std::string follow(const steer::XdpStatistics& counts, std::size_t index, Nanoseconds now);

  private:
    struct Known {
        steer::XdpStatistics said{};
        Nanoseconds silent_until = 0;
    };
    std::vector<Known> known_;
};

}  // namespace peerlane::dataplane
