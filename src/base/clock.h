// Time comes in as an argument: no library calls now() by itself, so that every test owns its time.
#pragma once

#include <chrono>
#include <string>

#include "base/mutex.h"

namespace gpuscope::base {

// Wall-clock time, UTC, in microseconds: what stamps a sample.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
// Monotonic time: what deadlines and intervals are measured in.
using SteadyTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual SteadyTime steady_now() const = 0;
  // Waits on `condition` (with `lock` held) until it is notified or `deadline` has come; spurious
  // wake-ups happen, so callers loop on their predicate.
  virtual void wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) = 0;
};

// The machine's own clocks. One object for the whole process is enough.
class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  SteadyTime steady_now() const override;
  void wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) override;
};

// Time that passes `speed` times as fast as that of another clock, from when it is made on: for
// simulated GPUs. `clock` outlives it.
class FastClock final : public Clock {
 public:
  FastClock(Clock& clock, double speed);
  WallTime wall_now() const override;
  SteadyTime steady_now() const override;
  void wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) override;

 private:
  Clock& clock_;
  const double speed_;
  const WallTime wall_start_;
  const SteadyTime steady_start_;
};

// 2026-11-22T09:24:42.736284+00:00: the form of every time in every answer.
std::string format_utc(WallTime time);
// The same, appended, without allocating when `out` has room for 32 more bytes.
void append_utc(std::string& out, WallTime time);

}  // namespace gpuscope::base
