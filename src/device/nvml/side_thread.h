// A thread beside the ticks, for calls into NVML that may never come back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "base/mutex.h"

namespace gpuscope::device::nvml {

// Thread-safe.
class SideThread {
 public:
  // What its work looks at between two calls. Thread-safe.
  class Life {
   public:
    bool stopping();
    // For `length`, or until wake() or stop().
    void pause(std::chrono::milliseconds length);
    // Until wake(), or at once where there was one since the last pause. False once it is to stop.
    bool wait_for_wake();

   private:
    friend class SideThread;
    void wake();
    void end();
    bool stop();

    base::Mutex mutex_;
    base::CondVar changed_;
    bool woken_ GUARDED_BY(mutex_) = false;
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool ended_ GUARDED_BY(mutex_) = false;
  };

  SideThread() = default;
  ~SideThread() { stop(); }
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  // Calls work(Life&), which owns all that it touches. `name` is that of base::start_thread();
  // `purpose` is what cannot be done without a thread, for the log. From the second call on, and
  // after stop(), it does nothing, and allocates nothing.
  template <typename Work>
  void start(const char* name, const char* purpose, Work work) {
    const base::MutexLock lock(mutex_);
    if (!std::exchange(started_, true)) launch(name, purpose, std::move(work));
  }

  // Ends the work's pause, this one or the next.
  void wake() { life_->wake(); }

  // Joins the thread; leaves it behind, with all that it touches, where a call does not come back
  // within a second. Idempotent.
  void stop();

 private:
  void launch(const char* name, const char* purpose, std::function<void(Life&)> work)
      REQUIRES(mutex_);

  const std::shared_ptr<Life> life_ = std::make_shared<Life>();
  base::Mutex mutex_;
  bool started_ GUARDED_BY(mutex_) = false;
  std::thread thread_ GUARDED_BY(mutex_);
};

}  // namespace gpuscope::device::nvml
