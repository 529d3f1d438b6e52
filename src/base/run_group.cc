#include "base/run_group.h"

#include <fmt/format.h>

#include <thread>
#include <utility>

#include "base/mutex.h"

namespace gpuscope::base {
namespace {

// What the stopping thread and its waiter share; the thread may outlive the waiter.
struct Stopping {
  Mutex mutex;
  CondVar changed;
  std::string current GUARDED_BY(mutex);
  bool done GUARDED_BY(mutex) = false;
};

void stop_all(const std::shared_ptr<Stopping>& state, std::vector<RunGroup::Part>& parts) {
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    {
      MutexLock lock(state->mutex);
      state->current = part->name;
    }
    part->stop();
  }
  MutexLock lock(state->mutex);
  state->done = true;
  state->changed.notify_all();
}

}  // namespace

void RunGroup::add(Part part) { parts_.push_back(std::move(part)); }

Result<void> RunGroup::start(Clock& clock, std::chrono::milliseconds stop_limit) {
  while (started_ < parts_.size()) {
    if (auto result = parts_[started_].start(); !result) {
      if (auto stopped = stop(clock, stop_limit); !stopped) {
        result.error().message += "; then " + stopped.error().message;
      }
      return result;
    }
    ++started_;
  }
  return {};
}

Result<void> RunGroup::stop(Clock& clock, std::chrono::milliseconds limit) {
  if (started_ == 0) return {};
  const SteadyTime deadline = clock.steady_now() + limit;
  std::vector<Part> parts(parts_.begin(), parts_.begin() + static_cast<std::ptrdiff_t>(started_));
  started_ = 0;
  auto state = std::make_shared<Stopping>();
  std::thread stopper([state, parts = std::move(parts)]() mutable { stop_all(state, parts); });
  std::string late;
  {
    MutexLock lock(state->mutex);
    while (!state->done && clock.steady_now() < deadline) {
      clock.wait_until(state->changed, lock, deadline);
    }
    if (!state->done) late = state->current;
  }
  if (late.empty()) {
    stopper.join();
    return {};
  }
  stopper.detach();
  return fail(ErrorKind::kDeadlineExceeded,
              fmt::format("cannot stop {} within {} ms", late, limit.count()));
}

}  // namespace gpuscope::base
