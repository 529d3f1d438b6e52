// NVML's events: a set of GPUs that one thread waits for. XIDs come from what the scenario makes
// happen, and from a fault that takes a GPU off the bus; clock events from what holds the clocks.
#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "answers.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

constexpr unsigned long long kXidFallenOffTheBus = 79;
constexpr unsigned long long kKnownTypes =
    nvmlEventTypeSingleBitEccError | nvmlEventTypeDoubleBitEccError | nvmlEventTypePState |
    nvmlEventTypeXidCriticalError | nvmlEventTypeClock | nvmlEventTypePowerSourceChange |
    nvmlEventMigConfigChange;
constexpr unsigned long long kSupportedTypes = nvmlEventTypeXidCriticalError | nvmlEventTypeClock;
constexpr Milliseconds kLookEvery{50};
constexpr Milliseconds kLookForEnd{500};  // where nothing but the session's end can come

struct Watched {
  std::size_t gpu;
  unsigned long long types;
  bool lost;               // by a fault, when it was last looked at
  base::WallTime seen_to;  // what came until then is known
};

class EventSet {
 public:
  void watch(std::size_t gpu, unsigned long long types, bool lost) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    const auto known = std::ranges::find(watched_, gpu, &Watched::gpu);
    if (known != watched_.end()) {
      known->types |= types;
    } else {
      watched_.push_back({gpu, types, lost, base::SystemClock().wall_now()});
    }
  }

  // True when something came since the last time; one at a time.
  bool look(const Session& session, nvmlEventData_t& event) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    if (waiting_.empty()) {
      for (Watched& one : watched_) {
        if (one.gpu < session.gpus.size()) look_at(session, one);
      }
    }
    if (waiting_.empty()) return false;
    event = waiting_.front();
    waiting_.pop_front();
    return true;
  }

  // True while something may yet come: then it has to be looked for.
  bool may_ring(const Session& session) EXCLUDES(mutex_) {
    if (session.faults->any()) return true;
    const base::MutexLock lock(mutex_);
    return std::ranges::any_of(watched_, [&](const Watched& one) {
      return (one.types & nvmlEventTypeClock) != 0 ||
             (one.gpu < session.gpus.size() && session.machine.has_faults(one.gpu));
    });
  }

  // By a fault that makes all its calls say so.
  static bool gone(const Session& session, std::size_t gpu) {
    const Outcome fault =
        session.faults->at({.function = "nvmlDeviceGetIndex", .gpu = gpu, .init = false});
    return fault.error == NVML_ERROR_GPU_IS_LOST;
  }

 private:
  void look_at(const Session& session, Watched& one) REQUIRES(mutex_) {
    const bool was_lost = std::exchange(one.lost, gone(session, one.gpu));
    if (one.lost && !was_lost) add(one, nvmlEventTypeXidCriticalError, kXidFallenOffTheBus);
    const base::WallTime now = base::SystemClock().wall_now();
    found_.clear();
    session.machine.events(one.gpu, one.seen_to, now, found_);
    one.seen_to = now;
    for (const model::Event& event : found_) {
      if (event.kind == model::EventKind::kXid) {
        add(one, nvmlEventTypeXidCriticalError, event.code);
      } else {
        add(one, nvmlEventTypeClock, 0);
      }
    }
  }

  void add(const Watched& one, unsigned long long type, unsigned long long data) REQUIRES(mutex_) {
    if ((one.types & type) == 0) return;
    waiting_.push_back({.device = make_handle({.gpu = one.gpu, .mig = std::nullopt}),
                        .eventType = type,
                        .eventData = data,
                        .gpuInstanceId = kNvmlNoInstance,
                        .computeInstanceId = kNvmlNoInstance});
  }

  base::Mutex mutex_;
  std::vector<Watched> watched_ GUARDED_BY(mutex_);
  std::deque<nvmlEventData_t> waiting_ GUARDED_BY(mutex_);
  std::vector<model::Event> found_ GUARDED_BY(mutex_);
};

// All sets there are; a handle is the address of one.
class EventSets {
 public:
  static EventSets& instance() {
    static auto* const sets = new EventSets;
    return *sets;
  }
  nvmlEventSet_t add() EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    sets_.push_back(std::make_shared<EventSet>());
    return handle(sets_.back());
  }
  std::shared_ptr<EventSet> find(nvmlEventSet_t set) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    const auto found = std::ranges::find(sets_, set, handle);
    return found == sets_.end() ? nullptr : *found;
  }
  bool remove(nvmlEventSet_t set) EXCLUDES(mutex_) {
    const base::MutexLock lock(mutex_);
    return std::erase_if(sets_, [set](const auto& one) { return handle(one) == set; }) > 0;
  }

 private:
  static nvmlEventSet_t handle(const std::shared_ptr<EventSet>& set) {
    return reinterpret_cast<nvmlEventSet_t>(set.get());
  }

  base::Mutex mutex_;
  std::vector<std::shared_ptr<EventSet>> sets_ GUARDED_BY(mutex_);
};

nvmlReturn_t wait(const Entry& entry, nvmlEventSet_t handle, nvmlEventData_t* data,
                  unsigned int timeout_ms) {
  return entry.system([&](Session& session) {
    const std::shared_ptr<EventSet> set = EventSets::instance().find(handle);
    if (set == nullptr || data == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    const base::SystemClock clock;
    const base::SteadyTime end = clock.steady_now() + Milliseconds(timeout_ms);
    while (!session.closed.load(std::memory_order_relaxed)) {
      if (set->look(session, *data)) return NVML_SUCCESS;
      const auto left = end - clock.steady_now();
      if (left <= left.zero()) return NVML_ERROR_TIMEOUT;
      const Milliseconds pause = set->may_ring(session) ? kLookEvery : kLookForEnd;
      std::this_thread::sleep_for(std::min<base::SteadyTime::duration>(left, pause));
    }
    return NVML_ERROR_UNINITIALIZED;
  });
}

}  // namespace

extern "C" {

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t* set) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) {
    if (set == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *set = EventSets::instance().add();
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
  static const Entry entry{__func__};
  return entry.system([&](Session&) {
    return EventSets::instance().remove(set) ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
  });
}
nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long* types) {
  static const Entry entry{__func__};
  return entry.device(device, [&](Gpu&) { return give(kSupportedTypes, types); });
}
nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types,
                                      nvmlEventSet_t set) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](Session& session, Gpu& gpu, const auto& mig) {
    const std::shared_ptr<EventSet> found = EventSets::instance().find(set);
    if (found == nullptr || mig || (types & ~kKnownTypes) != 0) return NVML_ERROR_INVALID_ARGUMENT;
    if ((types & ~kSupportedTypes) != 0) return NVML_ERROR_NOT_SUPPORTED;
    if (types != 0) found->watch(gpu.index(), types, EventSet::gone(session, gpu.index()));
    return NVML_SUCCESS;
  });
}
nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t* data, unsigned int timeout_ms) {
  static const Entry entry{__func__};
  return wait(entry, set, data, timeout_ms);
}
nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t* data,
                                 unsigned int timeout_ms) {
  static const Entry entry{__func__};
  return wait(entry, set, data, timeout_ms);
}

}  // extern "C"

}  // namespace gpuscope::simulated
