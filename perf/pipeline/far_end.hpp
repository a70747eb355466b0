// The other end of the tunnels: seals what comes from the cloud, outside of everything that is timed.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "perf/ipsec_mb.hpp"
#include "perf/pipeline/floor_tables.hpp"
#include "perf/pipeline/scenario.hpp"

namespace peerlane::perf {

/// Who receives: each side sees every sequence number once, in order.
enum class Side : std::uint8_t { pipeline, floor };

/// Its keys are its own, so that sealing warms neither side's.
class FarEnd {
  public:
    /// `spec` has a suite.
    explicit FarEnd(const FloorSpec& spec);
    /// Puts image number `at` into the buffer, sealed with its SA's next number. Call flush() behind the last.
    void put(rte_mbuf& mbuf, const Images& images, std::size_t at, Side side) noexcept;
    void flush() noexcept;

  private:
    struct Sa {
        std::uint32_t spi, salt, sequence[2];  // spi and salt as in the packet
    };
    EspSuite suite_;
    BareIpsec bare_;
    std::vector<Sa> sas_;  // by circuit
    BareJob jobs_[BareIpsec::kBurst];
    unsigned waiting_ = 0;
};

}  // namespace peerlane::perf
