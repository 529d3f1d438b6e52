#include "device/nvml/event_watch.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using std::chrono::milliseconds;

constexpr unsigned int kWaitMs = 500;
// After an error, and after so many events in a row.
constexpr milliseconds kPause{500};
constexpr int kBurst = 16;

}  // namespace

// Held by the watch and by its thread.
class EventWatch::Shared {
 public:
  Shared(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices)
      : session_(std::move(session)), devices_(std::move(devices)), waiting_(devices_.size()) {
    for (auto& codes : waiting_) codes.reserve(kMostWaiting);
  }

  // The thread's life.
  void serve() {
    const Functions& nvml = session_->nvml();
    nvmlEventSet_t set{};
    if (nvml.nvmlEventSetCreate != nullptr && nvml.nvmlEventSetFree != nullptr &&
        nvml.nvmlEventSetCreate(&set) == NVML_SUCCESS) {
      if (watch_all(set)) wait_for_events(set);
      nvml.nvmlEventSetFree(set);
    }
    const base::MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  void take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out) {
    const base::MutexLock lock(mutex_);
    for (const std::uint64_t code : waiting_[device]) {
      out.push_back({model::EventKind::kXid, code, tick});
    }
    waiting_[device].clear();
  }

  // Waits for the thread's end, but not for a call that never ends: then false.
  bool stop() {
    constexpr milliseconds kPatience{1000};
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    while (!ended_ && changed_.wait_for(lock, kPatience) == std::cv_status::no_timeout) {
    }
    return ended_;
  }

 private:
  // False when no GPU tells of XIDs.
  bool watch_all(nvmlEventSet_t set) {
    const Functions& nvml = session_->nvml();
    if (nvml.nvmlDeviceRegisterEvents == nullptr) return false;
    bool any = false;
    for (nvmlDevice_t device : devices_) {
      if (device == nullptr || stopping()) continue;
      any |=
          nvml.nvmlDeviceRegisterEvents(device, nvmlEventTypeXidCriticalError, set) == NVML_SUCCESS;
    }
    return any;
  }

  void wait_for_events(nvmlEventSet_t set) {
    const Functions& nvml = session_->nvml();
    const auto wait =
        nvml.nvmlEventSetWait_v2 != nullptr ? nvml.nvmlEventSetWait_v2 : nvml.nvmlEventSetWait;
    int in_a_row = 0;
    while (wait != nullptr && !stopping()) {
      nvmlEventData_t event{};
      const nvmlReturn_t code = wait(set, &event, kWaitMs);
      if (code == NVML_SUCCESS) note(event);
      in_a_row = code == NVML_SUCCESS ? in_a_row + 1 : 0;
      if (driver_gone(code)) return;
      // A GPU that is lost makes the wait itself fail, for all; others may still have something.
      if ((code != NVML_SUCCESS && code != NVML_ERROR_TIMEOUT) || in_a_row >= kBurst) {
        in_a_row = 0;
        pause();
      }
    }
  }

  void note(const nvmlEventData_t& event) {
    if ((event.eventType & nvmlEventTypeXidCriticalError) == 0) return;
    const auto found = std::ranges::find(devices_, event.device);
    if (found == devices_.end()) return;
    const base::MutexLock lock(mutex_);
    auto& codes = waiting_[static_cast<std::size_t>(found - devices_.begin())];
    if (codes.size() == kMostWaiting) codes.erase(codes.begin());
    codes.push_back(event.eventData);
  }

  void pause() {
    base::MutexLock lock(mutex_);
    if (!stopping_) changed_.wait_for(lock, kPause);
  }

  bool stopping() {
    const base::MutexLock lock(mutex_);
    return stopping_;
  }

  const std::shared_ptr<const Session> session_;
  const std::vector<nvmlDevice_t> devices_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<std::vector<std::uint64_t>> waiting_ GUARDED_BY(mutex_);  // XIDs, by device
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
};

EventWatch::EventWatch(std::shared_ptr<const Session> session, std::vector<nvmlDevice_t> devices)
    : shared_(std::make_shared<Shared>(std::move(session), std::move(devices))) {}

EventWatch::~EventWatch() { stop(); }

void EventWatch::stop() {
  const base::MutexLock lock(mutex_);
  started_ = true;
  if (!thread_.joinable()) return;
  if (shared_->stop()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void EventWatch::start() {
  const base::MutexLock lock(mutex_);
  if (std::exchange(started_, true)) return;
  try {
    thread_ = std::thread([shared = shared_] { shared->serve(); });
  } catch (const std::system_error& error) {
    base::log(base::LogLevel::kWarning,
              std::string("cannot wait for XIDs: no thread for it: ") + error.what());
  }
}

void EventWatch::take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out) {
  shared_->take(device, tick, out);
}

}  // namespace gpuscope::device::nvml
