// What devices say that they could not send although they had taken it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/io/open_port.hpp"
#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Whether `oerrors` of this driver's statistics are packets that it took and then lost. With others they are those it
/// refused, which are tx_full already.
bool loses_what_it_took(std::string_view driver) noexcept;

/// By port; counts go on when a device is opened again. Control thread.
class DeviceFailures {
  public:
    static constexpr Nanoseconds kPeriod = 1'000'000'000;    // between two looks at a device's statistics
    static constexpr Nanoseconds kSilence = 10'000'000'000;  // between two lines about one port

    explicit DeviceFailures(std::size_t ports) : known_(ports) {}

    /// Reads the device's statistics, at most once per kPeriod, and logs a growth.
    void look(const Port& port, std::size_t index, Nanoseconds now);
    /// With a count that was read by somebody, which begins at 0 whenever a device is opened. Returns how many failures
    /// are to be said now; 0: none.
    std::uint64_t follow(std::uint64_t count, std::size_t index, Nanoseconds now);

    /// Packets that were counted as transmitted and that the device lost, since the start.
    [[nodiscard]] std::uint64_t count(std::size_t index) const { return known_[index].sum; }

  private:
    struct Known {
        std::uint64_t read = 0, sum = 0, said = 0;
        Nanoseconds looked = 0, silent_until = 0;
    };
    std::vector<Known> known_;
};

}  // namespace peerlane::dataplane
