// A mutex whose guarded members clang checks (-Wthread-safety). g++ ignores the annotations.
#pragma once

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
  std::mutex mutex_;
};

// Holds a Mutex for a scope. BasicLockable, so that std::condition_variable_any can wait on it.
class GPUSCOPE_ANNOTATE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) GPUSCOPE_ANNOTATE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() GPUSCOPE_ANNOTATE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  // For condition variables alone: a wait gives the mutex up and takes it again.
  void lock() GPUSCOPE_ANNOTATE(no_thread_safety_analysis) { mutex_.lock(); }
  void unlock() GPUSCOPE_ANNOTATE(no_thread_safety_analysis) { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

using CondVar = std::condition_variable_any;

}  // namespace gpuscope::base
