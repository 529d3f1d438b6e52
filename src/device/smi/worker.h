// A thread that works and pauses until it is told to stop.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/subprocess.h"
#include "base/thread.h"

namespace gpuscope::device::smi {

// start() once; stop() from the same thread. What work() calls is called on the worker's thread.
class Worker {
 public:
  Worker(const base::Clock& clock, base::Interrupt& interrupt)
      : clock_(clock), interrupt_(interrupt) {}
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // `name` shows in top and gdb: 15 characters.
  base::Result<void> start(const char* name, std::function<void()> work) {
    return base::start_thread(thread_, name, std::move(work));
  }

  // Ends the pause and, through the interrupt, the child that is being waited for.
  void stop() {
    interrupt_.raise();
    {
      const base::MutexLock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  // Ends the pause, this one or the next. Thread-safe.
  void wake() {
    const base::MutexLock lock(mutex_);
    woken_ = true;
    changed_.notify_all();
  }

  // The worker's own: false once it is to stop. Ends early on wake().
  bool pause(base::SteadyTime::duration length) {
    // The clock's owner may move it by hand: it is looked at now and then.
    constexpr std::chrono::milliseconds kLook{250};
    const base::SteadyTime end = clock_.steady_now() + length;
    base::MutexLock lock(mutex_);
    while (!stopping_ && !woken_) {
      const auto left = end - clock_.steady_now();
      if (left <= base::SteadyTime::duration::zero()) break;
      changed_.wait_for(lock, left < kLook ? left : base::SteadyTime::duration(kLook));
    }
    woken_ = false;
    return !stopping_;
  }

  // The worker's own: waits for wake(). False once it is to stop.
  bool wait_for_wake() {
    base::MutexLock lock(mutex_);
    while (!stopping_ && !woken_) changed_.wait(lock);
    woken_ = false;
    return !stopping_;
  }

 private:
  const base::Clock& clock_;
  base::Interrupt& interrupt_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace gpuscope::device::smi
