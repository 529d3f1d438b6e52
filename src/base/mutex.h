// A mutex whose guarded members clang checks (-Wthread-safety). g++ ignores the annotations.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define GPUSCOPE_ANNOTATE(x) __attribute__((x))
#else
#define GPUSCOPE_ANNOTATE(x)
#endif

#define GUARDED_BY(m) GPUSCOPE_ANNOTATE(guarded_by(m))
#define REQUIRES(...) GPUSCOPE_ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) GPUSCOPE_ANNOTATE(locks_excluded(__VA_ARGS__))

namespace gpuscope::base {

class GPUSCOPE_ANNOTATE(capability("mutex")) Mutex {
 public:
  void lock() GPUSCOPE_ANNOTATE(acquire_capability()) { mutex_.lock(); }
  void unlock() GPUSCOPE_ANNOTATE(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Holds a Mutex for a scope.
class GPUSCOPE_ANNOTATE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) GPUSCOPE_ANNOTATE(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~MutexLock() GPUSCOPE_ANNOTATE(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  friend class CondVar;
  std::unique_lock<std::mutex> lock_;
};

// Spurious wake-ups happen: callers loop on their predicate.
class CondVar {
 public:
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

  void wait(MutexLock& lock) { condition_.wait(lock.lock_); }
  std::cv_status wait_for(MutexLock& lock, std::chrono::nanoseconds time) {
    return condition_.wait_for(lock.lock_, time);
  }
  std::cv_status wait_until(MutexLock& lock, std::chrono::steady_clock::time_point deadline) {
    return condition_.wait_until(lock.lock_, deadline);
  }

 private:
  std::condition_variable condition_;
};

}  // namespace gpuscope::base
