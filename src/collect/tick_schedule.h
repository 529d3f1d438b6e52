// When ticks are due: at start + n × interval, whatever a tick cost. Nothing drifts and nothing is
// caught up: ticks that could not happen in time are counted and left out.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace gpuscope::collect {

class TickSchedule {
 public:
  // `interval` is more than zero. The first tick is due at `start`.
  TickSchedule(base::SteadyTime start, base::SteadyTime::duration interval)
      : start_(start), interval_(interval) {}

  base::SteadyTime next() const { return start_ + interval_ * index_; }

  // The tick that is due at `now` (not before next()) begins. Returns the ticks that were slept
  // through.
  std::uint64_t begin(base::SteadyTime now) { return skip_to((now - start_) / interval_, 1); }

  // It ended at `now`. Returns the ticks that came due meanwhile; the next one is again on the
  // grid.
  std::uint64_t end(base::SteadyTime now) {
    return skip_to((now - start_ + interval_ - base::SteadyTime::duration{1}) / interval_, 0);
  }

 private:
  std::uint64_t skip_to(std::int64_t index, std::int64_t then) {
    const std::int64_t missed = index > index_ ? index - index_ : 0;
    index_ += missed + then;
    return static_cast<std::uint64_t>(missed);
  }

  base::SteadyTime start_;
  base::SteadyTime::duration interval_;
  std::int64_t index_ = 0;  // of the next tick
};

}  // namespace gpuscope::collect
