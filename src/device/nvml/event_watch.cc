#include "device/nvml/event_watch.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "device/nvml/errors.h"

namespace gpuscope::device::nvml {
namespace {

using std::chrono::milliseconds;

constexpr unsigned int kWaitMs = 500;
constexpr milliseconds kPause{500};  // after an error
// After so many events in a row: still faster than any driver sends them.
constexpr int kBurst = 64;
constexpr milliseconds kBreath{20};
constexpr milliseconds kLookAtClocks{100};  // at most so often, for each GPU
// NVML's bits of the reasons stand in the order of the catalogue's flags.
constexpr std::uint64_t kReasons = (std::uint64_t{1} << model::kClockEventCount) - 1;

}  // namespace

// Held by the watch and by its thread.
class EventWatch::Shared {
 public:
  Shared(std::shared_ptr<const Session> session, std::vector<Watched> devices)
      : session_(std::move(session)),
        devices_(std::move(devices)),
        looked_(devices_.size()),
        xids_(devices_.size()),
        clocks_(devices_.size()) {
    for (auto& codes : xids_) codes.reserve(kMostWaiting);
  }

  void serve(SideThread::Life& life) {
    const Functions& nvml = session_->nvml();
    nvmlEventSet_t set{};
    if (nvml.nvmlEventSetCreate != nullptr && nvml.nvmlEventSetFree != nullptr &&
        nvml.nvmlEventSetCreate(&set) == NVML_SUCCESS) {
      if (watch_all(set, life)) wait_for_events(set, life);
      nvml.nvmlEventSetFree(set);
    }
  }

  void take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out) {
    const base::MutexLock lock(mutex_);
    for (const std::uint64_t code : xids_[device]) {
      out.push_back({model::EventKind::kXid, code, tick});
    }
    for (const std::uint64_t code : clocks_[device]) {
      out.push_back({model::EventKind::kClockEvents, code, tick});
    }
    xids_[device].clear();
    clocks_[device].clear();
  }

 private:
  // False when no GPU tells of anything.
  bool watch_all(nvmlEventSet_t set, SideThread::Life& life) {
    const Functions& nvml = session_->nvml();
    if (nvml.nvmlDeviceRegisterEvents == nullptr) return false;
    bool any = false;
    for (const Watched& one : devices_) {
      if (one.device == nullptr || life.stopping()) continue;
      const unsigned long long types = types_of(one);
      any |= nvml.nvmlDeviceRegisterEvents(one.device, types, set) == NVML_SUCCESS;
    }
    return any;
  }

  unsigned long long types_of(const Watched& one) const {
    const Functions& nvml = session_->nvml();
    unsigned long long supported = 0;
    const bool clocks =
        one.clocks && nvml.nvmlDeviceGetSupportedEventTypes != nullptr &&
        nvml.nvmlDeviceGetSupportedEventTypes(one.device, &supported) == NVML_SUCCESS &&
        (supported & nvmlEventTypeClock) != 0;
    return nvmlEventTypeXidCriticalError | (clocks ? nvmlEventTypeClock : 0);
  }

  void wait_for_events(nvmlEventSet_t set, SideThread::Life& life) {
    const Functions& nvml = session_->nvml();
    const auto wait =
        nvml.nvmlEventSetWait_v2 != nullptr ? nvml.nvmlEventSetWait_v2 : nvml.nvmlEventSetWait;
    int in_a_row = 0;
    while (wait != nullptr && !life.stopping()) {
      nvmlEventData_t event{};
      const nvmlReturn_t code = wait(set, &event, kWaitMs);
      if (code == NVML_SUCCESS) note(event);
      in_a_row = code == NVML_SUCCESS ? in_a_row + 1 : 0;
      if (driver_gone(code)) return;
      // A GPU that is lost makes the wait itself fail, for all; others may still have something.
      if (code != NVML_SUCCESS && code != NVML_ERROR_TIMEOUT) {
        life.pause(kPause);
      } else if (in_a_row >= kBurst) {
        in_a_row = 0;
        life.pause(kBreath);
      }
    }
  }

  void note(const nvmlEventData_t& event) {
    const auto found = std::ranges::find(devices_, event.device, &Watched::device);
    if (found == devices_.end()) return;
    const auto index = static_cast<std::size_t>(found - devices_.begin());
    if ((event.eventType & nvmlEventTypeXidCriticalError) != 0)
      keep(&Shared::xids_, index, event.eventData);
    if ((event.eventType & nvmlEventTypeClock) != 0) look_at_clocks(index);
  }

  void look_at_clocks(std::size_t index) {
    const base::SteadyTime now = clock_.steady_now();
    std::optional<base::SteadyTime>& looked = looked_[index];
    if (looked && now - *looked < kLookAtClocks) return;
    looked = now;
    const Functions& nvml = session_->nvml();
    const auto function = nvml.nvmlDeviceGetCurrentClocksEventReasons != nullptr
                              ? nvml.nvmlDeviceGetCurrentClocksEventReasons
                              : nvml.nvmlDeviceGetCurrentClocksThrottleReasons;
    unsigned long long reasons = 0;
    if (function == nullptr || function(devices_[index].device, &reasons) != NVML_SUCCESS) return;
    keep(&Shared::clocks_, index, reasons & kReasons);
  }

  using Codes = std::vector<std::vector<std::uint64_t>>;  // by device
  void keep(Codes Shared::* of, std::size_t index, std::uint64_t code) {
    const base::MutexLock lock(mutex_);
    auto& codes = (this->*of)[index];
    if (codes.size() == kMostWaiting) codes.erase(codes.begin());
    codes.push_back(code);
  }

  const std::shared_ptr<const Session> session_;
  const std::vector<Watched> devices_;
  const base::SystemClock clock_;
  // The thread's own: when the clocks of each device were last looked at.
  std::vector<std::optional<base::SteadyTime>> looked_;
  base::Mutex mutex_;
  Codes xids_ GUARDED_BY(mutex_);
  Codes clocks_ GUARDED_BY(mutex_);
};

EventWatch::EventWatch(std::shared_ptr<const Session> session, std::vector<Watched> devices)
    : shared_(std::make_shared<Shared>(std::move(session), std::move(devices))) {}

void EventWatch::start() {
  thread_.start("nvml-events", "wait for XIDs",
                [shared = shared_](SideThread::Life& life) { shared->serve(life); });
}

void EventWatch::take(std::size_t device, base::WallTime tick, std::vector<model::Event>& out) {
  shared_->take(device, tick, out);
}

}  // namespace gpuscope::device::nvml
