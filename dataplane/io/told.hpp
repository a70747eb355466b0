// When a state that changes is told of: at once, but a few times in a row at most, so that one that flaps floods no
// log.
#pragma once

#include <algorithm>
#include <utility>

#include "lib/base/types.hpp"

namespace peerlane::dataplane {

/// Of one thing that has states.
class Told {
  public:
    static constexpr unsigned kBurst = 8;                  // changes told of one after the other
    static constexpr Nanoseconds kQuiet = 10'000'000'000;  // then one line in so long, for all changes meanwhile

    /// `state` is not told of: it is what one starts from.
    explicit Told(unsigned state = 0) noexcept : state_(state) {}

    /// To be called with what the state is, again and again. Returns how many changes are to be told of now, in one
    /// line; 0: nothing. `now` in nanoseconds, monotone.
    unsigned look(unsigned state, Nanoseconds now) noexcept {
        if (state != state_) { ++changes_; }
        state_ = state;
        if (changes_ == 0 || full_ > now + (kBurst - 1) * kQuiet) { return 0; }
        full_ = std::max(full_, now) + kQuiet;
        return std::exchange(changes_, 0);
    }

  private:
    unsigned state_;
    unsigned changes_ = 0;
    Nanoseconds full_ = 0;  // when as much may be told as ever
};

}  // namespace peerlane::dataplane
