#include "base/signal.h"

#include <pthread.h>

namespace gpuscope::base {

StopSignals::StopSignals() {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
  sigemptyset(&taken_);
  sigaddset(&taken_, SIGINT);
  sigaddset(&taken_, SIGTERM);
  sigaddset(&taken_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &taken_, &before_);
}

StopSignals::~StopSignals() { release(); }

std::optional<int> StopSignals::wait(std::chrono::milliseconds timeout) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout);
  timespec limit{};
  limit.tv_sec = static_cast<time_t>(seconds.count());
  limit.tv_nsec = static_cast<long>(std::chrono::nanoseconds(timeout - seconds).count());
  const int number = sigtimedwait(&taken_, nullptr, &limit);
  if (number <= 0) return std::nullopt;  // timed out, or interrupted by another signal
  if (number != SIGHUP) release();
  return number;
}

void StopSignals::release() {
  if (released_) return;
  released_ = true;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace gpuscope::base
