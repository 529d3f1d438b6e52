#include "device/nvml/side_thread.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/thread.h"

namespace gpuscope::device::nvml {

bool SideThread::Life::stopping() {
  const base::MutexLock lock(mutex_);
  return stopping_;
}

void SideThread::Life::pause(std::chrono::milliseconds length) {
  base::MutexLock lock(mutex_);
  if (!stopping_ && !woken_) changed_.wait_for(lock, length);
  woken_ = false;
}

bool SideThread::Life::wait_for_wake() {
  base::MutexLock lock(mutex_);
  while (!stopping_ && !woken_) changed_.wait(lock);
  woken_ = false;
  return !stopping_;
}

void SideThread::Life::wake() {
  const base::MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

void SideThread::Life::end() {
  const base::MutexLock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

// Waits for the work's end, but not for a call that never ends: then false.
bool SideThread::Life::stop() {
  constexpr std::chrono::seconds kPatience{1};
  base::MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  while (!ended_ && changed_.wait_for(lock, kPatience) == std::cv_status::no_timeout) {
  }
  return ended_;
}

void SideThread::stop() {
  const base::MutexLock lock(mutex_);
  started_ = true;
  if (!thread_.joinable()) return;
  if (life_->stop()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void SideThread::launch(const char* name, const char* purpose, std::function<void(Life&)> work) {
  auto thread = base::start_thread(name, [life = life_, work = std::move(work)] {
    work(*life);
    life->end();
  });
  if (thread) {
    thread_ = std::move(*thread);
  } else {
    base::log(base::LogLevel::kWarning,
              fmt::format("cannot {}: {}", purpose, thread.error().message));
  }
}

}  // namespace gpuscope::device::nvml
