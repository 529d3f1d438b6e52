// A thread that works through what it is given, in order. Whoever gives never waits: what there is
// no room for is dropped, and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/thread.h"

namespace gpuscope::base {

// Thread-safe, but for start() and stop(), which belong to who owns it, and next(), to the thread.
template <typename Item>
class QueueThread {
 public:
  // So many may wait. `clock` outlives it.
  QueueThread(Clock& clock, std::size_t room) : clock_(clock), queue_(room) {}
  ~QueueThread() { stop(); }
  QueueThread(const QueueThread&) = delete;
  QueueThread& operator=(const QueueThread&) = delete;

  // Runs `work` on a thread of that name (at most 15 letters). It must come to its end when next()
  // says so.
  Result<void> start(std::string name, std::function<void()> work) {
    return start_thread(thread_, std::move(name), std::move(work));
  }
  // Lets the thread come to its end, and joins it. Idempotent. What is put later is dropped.
  void stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  void put(Item item) {
    MutexLock lock(mutex_);
    if (size_ == queue_.size() || stopping_) {
      ++dropped_;
      return;
    }
    queue_[(first_ + size_++) % queue_.size()] = std::move(item);
    wake_.notify_all();
  }

  struct Next {
    std::optional<Item> item;
    bool stopping = false;  // no item and stopping: there will never be one again
  };
  // Waits for the next item; without one it comes back at `deadline`, or when it is to end.
  Next next(std::optional<SteadyTime> deadline) {
    MutexLock lock(mutex_);
    while (size_ == 0 && !stopping_ && !(deadline && clock_.steady_now() >= *deadline)) {
      if (deadline) {
        clock_.wait_until(wake_, lock, *deadline);
      } else {
        wake_.wait(lock);
      }
    }
    Next next{.item = std::nullopt, .stopping = stopping_};
    if (size_ == 0) return next;
    next.item = std::exchange(queue_[first_], Item{});
    first_ = (first_ + 1) % queue_.size();
    --size_;
    return next;
  }

  // Counts what the thread itself could not keep.
  void drop(std::uint64_t items) {
    MutexLock lock(mutex_);
    dropped_ += items;
  }
  // Items that wait.
  std::size_t size() const {
    MutexLock lock(mutex_);
    return size_;
  }
  std::uint64_t dropped() const {
    MutexLock lock(mutex_);
    return dropped_;
  }

 private:
  Clock& clock_;
  std::thread thread_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<Item> queue_ GUARDED_BY(mutex_);  // a ring
  std::size_t first_ GUARDED_BY(mutex_) = 0;
  std::size_t size_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::uint64_t dropped_ GUARDED_BY(mutex_) = 0;
};

// What the log is told of work that may fail again and again: each failure once, its end, and what
// was dropped without one. One thread uses it.
class TroubleLog {
 public:
  // `again`: what is said when it works again, as "writes to FILE again".
  explicit TroubleLog(std::string again) : again_(std::move(again)) {}

  // After each attempt: why it failed, or "".
  void note(const std::string& failure) {
    if (!failure.empty()) {
      if (told_ != failure) log(LogLevel::kError, failure + "; tried again");
    } else if (!told_.empty()) {
      log(LogLevel::kInfo, again_);
    }
    told_ = failure;
  }
  // `dropped`: all so far. Those that come with a failure are told of by its error; of others
  // `tell` makes the warning, from their number.
  template <typename Tell>
  void note_drops(std::uint64_t dropped, Tell tell) {
    const std::uint64_t fresh = dropped - told_drops_;
    told_drops_ = dropped;
    if (fresh > 0 && told_.empty()) log(LogLevel::kWarning, tell(fresh));
  }

 private:
  std::string again_;
  std::string told_;
  std::uint64_t told_drops_ = 0;
};

}  // namespace gpuscope::base
