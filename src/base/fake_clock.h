// A clock that a test moves by hand.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace gpuscope::base {

// Thread-safe. A waiter on wait_until() returns at once when advance() passed its deadline; the
// waiter polls in real time (1 ms), so no test has to sleep for simulated time to pass.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(WallTime start = WallTime{std::chrono::seconds{1'780'000'000}})
      : wall_(start), steady_(SteadyTime{std::chrono::hours{1}}) {}

  WallTime wall_now() const override {
    MutexLock lock(mutex_);
    return wall_;
  }
  SteadyTime steady_now() const override {
    MutexLock lock(mutex_);
    return steady_;
  }
  void wait_until(CondVar& condition, MutexLock& lock, SteadyTime deadline) override {
    if (steady_now() >= deadline) return;
    condition.wait_for(lock, std::chrono::milliseconds{1});
  }
  void advance(std::chrono::microseconds by) {
    MutexLock lock(mutex_);
    wall_ += by;
    steady_ += by;
  }

 private:
  mutable Mutex mutex_;
  WallTime wall_ GUARDED_BY(mutex_);
  SteadyTime steady_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::base
