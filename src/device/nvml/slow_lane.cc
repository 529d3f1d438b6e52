#include "device/nvml/slow_lane.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/mutex.h"
#include "device/nvml/errors.h"
#include "device/nvml/percent.h"

namespace gpuscope::device::nvml {
namespace {

using model::Absence;
using model::Reading;

// NVML counts PCIe throughput in KB/s.
constexpr std::int64_t kKilobyte = 1000;
constexpr std::size_t kFirstSamples = 256;

Reading average_power(const Functions& nvml, nvmlDevice_t device) {
  if (nvml.nvmlDeviceGetFieldValues == nullptr) return Reading::none(Absence::kUnsupported);
  nvmlFieldValue_t field{};
  field.fieldId = NVML_FI_DEV_POWER_AVERAGE;
  const nvmlReturn_t code = nvml.nvmlDeviceGetFieldValues(device, 1, &field);
  if (code != NVML_SUCCESS) return Reading::none(absence_of(code));
  if (field.nvmlReturn == NVML_ERROR_INVALID_ARGUMENT) {
    return Reading::none(Absence::kUnsupported);  // a driver that does not know the field
  }
  if (field.nvmlReturn != NVML_SUCCESS) return Reading::none(absence_of(field.nvmlReturn));
  return Reading::of(field.value.uiVal);
}

Reading throughput(const Functions& nvml, nvmlDevice_t device, nvmlPcieUtilCounter_t counter) {
  if (nvml.nvmlDeviceGetPcieThroughput == nullptr) return Reading::none(Absence::kUnsupported);
  unsigned int kilobytes = 0;
  const nvmlReturn_t code = nvml.nvmlDeviceGetPcieThroughput(device, counter, &kilobytes);
  if (code != NVML_SUCCESS) return Reading::none(absence_of(code));
  return Reading::of(kilobytes * kKilobyte);
}

// The driver keeps samples of each process that did something; some drivers leave rows empty.
bool counts(const nvmlProcessUtilizationSample_t& sample, unsigned long long since) {
  constexpr unsigned int kWhole = 100;
  return sample.timeStamp > since && sample.smUtil <= kWhole && sample.memUtil <= kWhole &&
         sample.encUtil <= kWhole && sample.decUtil <= kWhole;
}

// The mean of each process's samples; `samples` is sorted on the way.
void average(std::vector<nvmlProcessUtilizationSample_t>& samples, std::size_t count,
             std::vector<ProcessShare>& shares) {
  shares.clear();
  const auto begin = samples.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  unsigned long long newest = 0;
  for (auto at = begin; at != end; ++at) newest = std::max(newest, at->timeStamp);
  const auto period = static_cast<unsigned long long>(SlowLane::kPeriod.count());
  const unsigned long long since = newest > period ? newest - period : 0;
  std::sort(begin, end, [](const auto& one, const auto& other) { return one.pid < other.pid; });
  std::int64_t of_one = 0;
  const auto finish = [&] {
    if (of_one < 2) return;
    ProcessShare& share = shares.back();
    for (std::int64_t* sum : {&share.sm, &share.memory, &share.encoder, &share.decoder}) {
      *sum /= of_one;
    }
  };
  for (auto at = begin; at != end; ++at) {
    if (!counts(*at, since)) continue;
    if (shares.empty() || shares.back().pid != at->pid) {
      finish();
      shares.push_back({.pid = at->pid});
      of_one = 0;
    }
    ++of_one;
    shares.back().sm += at->smUtil * kPercent;
    shares.back().memory += at->memUtil * kPercent;
    shares.back().encoder += at->encUtil * kPercent;
    shares.back().decoder += at->decUtil * kPercent;
  }
  finish();
}

}  // namespace

// Held by the lane and by its thread.
class SlowLane::Shared {
 public:
  Shared(std::shared_ptr<const Session> session, nvmlDevice_t device)
      : session_(std::move(session)), device_(device) {}

  // One round, by one thread at a time.
  void run(base::WallTime since, bool with_pcie) {
    const Functions& nvml = session_->nvml();
    round_.power_average = average_power(nvml, device_);
    round_.pcie_sent = round_.pcie_received = Reading{};
    if (with_pcie) {
      round_.pcie_sent = throughput(nvml, device_, NVML_PCIE_UTIL_TX_BYTES);
      round_.pcie_received = throughput(nvml, device_, NVML_PCIE_UTIL_RX_BYTES);
    }
    round_.shares_absence = absence_of(read_shares(since));

    const base::MutexLock lock(mutex_);
    std::swap(done_, round_);
    fresh_ = true;
  }

  void request(base::WallTime since, bool with_pcie) {
    const base::MutexLock lock(mutex_);
    since_ = since;
    with_pcie_ = with_pcie;
  }

  bool take(SlowReadings& out) {
    const base::MutexLock lock(mutex_);
    if (!std::exchange(fresh_, false)) return false;
    out = done_;
    return true;
  }

  // Rounds as they are wanted.
  void serve(SideThread::Life& life) {
    while (life.wait_for_wake()) {
      base::WallTime since;
      bool with_pcie = false;
      {
        const base::MutexLock lock(mutex_);
        since = since_;
        with_pcie = with_pcie_;
      }
      run(since, with_pcie);
    }
  }

 private:
  nvmlReturn_t read_shares(base::WallTime since) {
    round_.shares.clear();
    const auto function = session_->nvml().nvmlDeviceGetProcessUtilization;
    if (function == nullptr) return NVML_ERROR_FUNCTION_NOT_FOUND;
    if (samples_.empty()) samples_.resize(kFirstSamples);
    const auto last_seen = static_cast<unsigned long long>(
        std::max<std::int64_t>(since.time_since_epoch().count(), 0));
    auto count = static_cast<unsigned int>(samples_.size());
    nvmlReturn_t code = function(device_, samples_.data(), &count, last_seen);
    if (code == NVML_ERROR_INSUFFICIENT_SIZE && count > samples_.size()) {
      samples_.resize(count + kFirstSamples);
      count = static_cast<unsigned int>(samples_.size());
      code = function(device_, samples_.data(), &count, last_seen);
    }
    if (code == NVML_ERROR_NOT_FOUND) return NVML_SUCCESS;  // nobody did anything
    if (code != NVML_SUCCESS) return code;
    average(samples_, std::min<std::size_t>(count, samples_.size()), round_.shares);
    return code;
  }

  const std::shared_ptr<const Session> session_;
  const nvmlDevice_t device_;
  SlowReadings round_;  // being filled
  std::vector<nvmlProcessUtilizationSample_t> samples_;

  base::Mutex mutex_;
  SlowReadings done_ GUARDED_BY(mutex_);
  bool fresh_ GUARDED_BY(mutex_) = false;
  base::WallTime since_ GUARDED_BY(mutex_);
  bool with_pcie_ GUARDED_BY(mutex_) = false;
};

SlowLane::SlowLane(std::shared_ptr<const Session> session, nvmlDevice_t device)
    : shared_(std::make_shared<Shared>(std::move(session), device)) {}

void SlowLane::run(bool with_pcie) { shared_->run(base::WallTime{}, with_pcie); }

void SlowLane::request(base::WallTime tick, bool with_pcie) {
  shared_->request(tick - kPeriod, with_pcie);
  thread_.start("nvml-slow", "read what takes a GPU long",
                [shared = shared_](SideThread::Life& life) { shared->serve(life); });
  thread_.wake();
}

bool SlowLane::take(SlowReadings& out) { return shared_->take(out); }

}  // namespace gpuscope::device::nvml
