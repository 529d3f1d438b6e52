// A small NVML for tests, built as a library of its own: every answer can be replaced, every call
// is counted. The simulated driver (drivers/simulated) is the large one; this one can also be
// wrong.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "device/nvml/abi.h"

namespace gpuscope::device::nvml {

struct FakeNvml {
  // Says what `function` answers for a device (-1: the system); success lets the fake answer.
  // Called without a lock held, on the caller's thread. Set while nothing runs.
  std::function<nvmlReturn_t(std::string_view function, int device)> result;
  // The same for what registers and waits for events, which a thread of its own calls until the
  // source is gone.
  std::function<nvmlReturn_t(std::string_view function, int device)> event_result;
  // The same for fields; `value` may be changed.
  std::function<nvmlReturn_t(int device, nvmlFieldValue_t& value)> field;

  unsigned int devices = 1;
  unsigned int fans = 2;
  unsigned int links = 2;
  std::vector<nvmlProcessInfo_t> compute;
  std::vector<nvmlProcessInfo_t> graphics;
  std::vector<nvmlProcessUtilizationSample_t> samples;
  std::atomic<unsigned int> percent{50};  // utilisation
  // What the driver buffered, by kind; a kind that is not here is not supported.
  std::map<nvmlSamplingType_t, std::vector<nvmlSample_t>> driver_samples;
  std::atomic<unsigned long long> reasons{1};                       // that hold the clocks
  std::atomic<nvmlGpuP2PStatus_t> nvlink_peer{NVML_P2P_STATUS_OK};  // between all
  bool gpm = false;
  // What GPM says of a metric; success and its number by default.
  std::function<nvmlReturn_t(nvmlGpmMetric_t& metric)> gpm_metric;
  // MIG instances, by index; the GPU is split while there are any.
  std::atomic<unsigned int> instances{0};
  nvmlGpuVirtualizationMode_t virtualization = NVML_GPU_VIRTUALIZATION_MODE_NONE;
  unsigned int vgpus = 0;
  bool licensed = false;
  std::chrono::nanoseconds cost{0};  // of each call, spent busily
  bool counted = true;               // what follows: calls are counted

  std::mutex mutex;                    // guards what follows
  std::condition_variable woken;       // there is an event
  std::deque<nvmlEventData_t> events;  // to be waited for
  int sets = 0;                        // of events, that are there now
  unsigned long long registered = 0;   // types of events, of the last device
  int gpm_samples = 0;                 // that are allocated now
  std::map<std::string_view, int> calls;
  std::map<int, int> device_calls;
  std::map<std::thread::id, int> thread_calls;

  int count(std::string_view function) {
    const std::lock_guard lock(mutex);
    const auto found = calls.find(function);
    return found == calls.end() ? 0 : found->second;
  }
  int count(int device) {
    const std::lock_guard lock(mutex);
    return device_calls[device];
  }
  // Calls of the thread that asks.
  int count_mine() {
    const std::lock_guard lock(mutex);
    return thread_calls[std::this_thread::get_id()];
  }
  // All calls but the waits for events and the looks at peers, which go by time and not by ticks.
  int count_all() {
    const std::lock_guard lock(mutex);
    int sum = 0;
    for (const auto& [device, count] : device_calls) sum += count;
    return sum - calls["nvmlEventSetWait_v2"] - calls["nvmlDeviceGetP2PStatus"];
  }
  // Functions and how often each was called, for messages.
  std::string report() {
    const std::lock_guard lock(mutex);
    std::string text;
    for (const auto& [name, count] : calls) {
      text += std::string(name) + ' ' + std::to_string(count) + '\n';
    }
    return text;
  }
  void send_xid(int device, unsigned long long xid) {
    send_event(device, nvmlEventTypeXidCriticalError, xid);
  }
  void send_event(int device, unsigned long long type, unsigned long long data) {
    const std::lock_guard lock(mutex);
    events.push_back({.device = reinterpret_cast<nvmlDevice_t>(std::uintptr_t(device) + 1),
                      .eventType = type,
                      .eventData = data,
                      .gpuInstanceId = kNvmlNoInstance,
                      .computeInstanceId = kNvmlNoInstance});
    woken.notify_all();
  }
};

// The library exports it by this name; a fresh one after each call with `renew`.
using FakeNvmlFunction = FakeNvml* (*)(bool renew);
inline constexpr const char* kFakeNvmlFunction = "gpuscope_fake_nvml";

}  // namespace gpuscope::device::nvml
