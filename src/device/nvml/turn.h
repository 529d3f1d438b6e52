// When something is read next. Slow things go by the tick's time, not by counting ticks, so that
// the interval does not matter.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace gpuscope::device::nvml {

using Period = std::chrono::microseconds;
inline constexpr Period kEveryTick{0};

struct Turn {
  // Ticks come a little early or late.
  static constexpr Period kJitter = std::chrono::milliseconds{50};

  base::WallTime next{};

  // A clock that was set back must not silence anything.
  bool due(base::WallTime tick, Period period) const {
    return tick + kJitter >= next || next - tick > period;
  }
  // How long it has been due.
  Period overdue(base::WallTime tick) const { return tick - next; }
  // Keeps to the grid of its period unless it has fallen off it.
  void done(base::WallTime tick, Period period) {
    next += period;
    if (next <= tick || next - tick > period) next = tick + period;
  }
};

}  // namespace gpuscope::device::nvml
