// A small NVML for tests, built as a library of its own: every answer can be replaced, every call
// is counted. The simulated driver (drivers/simulated) is the large one; this one can also be
// wrong.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

#include "device/nvml/abi.h"

namespace gpuscope::device::nvml {

struct FakeNvml {
  // Says what `function` answers for a device (-1: the system); success lets the fake answer.
  // Called without a lock held, on the caller's thread. Set while nothing runs.
  std::function<nvmlReturn_t(std::string_view function, int device)> result;
  // The same for fields; `value` may be changed.
  std::function<nvmlReturn_t(int device, nvmlFieldValue_t& value)> field;

  unsigned int devices = 1;
  unsigned int fans = 2;
  unsigned int links = 2;
  std::vector<nvmlProcessInfo_t> compute;
  std::vector<nvmlProcessInfo_t> graphics;
  std::vector<nvmlProcessUtilizationSample_t> samples;
  std::atomic<unsigned int> percent{50};  // utilisation

  std::mutex mutex;  // guards what follows
  std::map<std::string_view, int> calls;
  std::map<int, int> device_calls;

  int count(std::string_view function) {
    const std::lock_guard lock(mutex);
    const auto found = calls.find(function);
    return found == calls.end() ? 0 : found->second;
  }
  int count(int device) {
    const std::lock_guard lock(mutex);
    return device_calls[device];
  }
};

// The library exports it by this name; a fresh one after each call with `renew`.
using FakeNvmlFunction = FakeNvml& (*)(bool renew);
inline constexpr const char* kFakeNvmlFunction = "gpuscope_fake_nvml";

}  // namespace gpuscope::device::nvml
