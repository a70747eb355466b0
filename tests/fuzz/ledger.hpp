// What must add up: packets, buckets, numbers of keys.
#pragma once

#include <map>
#include <string>

#include "tests/fuzz/life.hpp"
#include "tests/fuzz/traffic.hpp"

namespace peerlane::fuzz {

/// Sequence numbers of counter-mode keys, by cipher key and lane: ranges that never overlap.
class Nonces {
  public:
    /// Breaks where one of `first` .. `last` was used before.
    void use(unsigned key, std::uint64_t first, std::uint64_t last);

  private:
    std::map<unsigned, std::map<std::uint64_t, std::uint64_t>> used_;  // by first, IVs with their lanes
};

/// The token buckets beside what left: between two looks a level changes by what time brought and what passed took, and
/// by nothing else.
class Buckets {
  public:
    /// An IP packet of `length` bytes passed, or one that the edge made.
    void pass(unsigned customer, Link link, Direction direction, unsigned length);
    void pass_own(unsigned customer, Link link, Direction direction, unsigned length);
    /// `reloaded`: rates and depths may be others than before.
    void check(const Life& life, Variant variant, Nanoseconds now, bool reloaded);
    /// A new life: every bucket is full.
    void begin() { known_.clear(); }

  private:
    struct Level {
        __int128_t units = 0;
        Nanoseconds at = 0;
        std::uint64_t rate = 0;
    };
    struct Passed {
        std::uint64_t bytes = 0, own = 0;
    };
    using Cell = unsigned;  // customer, link, direction
    static Cell cell(unsigned customer, Link link, Direction direction) {
        return customer * 4U + raw(link) * 2U + raw(direction);
    }
    struct Reading {
        __int128_t units = 0;
        BucketSize size;
    };
    void compare(const std::string& what, std::map<Cell, Level>& known, Cell cell, const Reading& reading,
                 Nanoseconds now, bool reloaded);

    std::map<unsigned, std::map<Cell, Level>> known_;  // 0 the circuits', 1 the peerings'
    std::map<Cell, Passed> passed_;
};

}  // namespace peerlane::fuzz
