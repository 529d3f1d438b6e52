// The samples that the driver keeps of what moves fast.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "answers.h"
#include "driver.h"

namespace gpuscope::simulated {
namespace {

using model::Metric;
using model::Reading;

// By nvmlSamplingType_t: what is sampled, and every how many steps.
struct Series {
  Metric metric;
  int steps;
};
constexpr std::array kSeries{
    Series{Metric::kPower, 1},
    Series{Metric::kGpuUtilization, 2},
    Series{Metric::kMemoryUtilization, 2},
    Series{Metric::kEncoderUtilization, 2},
    Series{Metric::kDecoderUtilization, 2},
    Series{Metric::kSmClock, 2},
    Series{Metric::kMemoryClock, 2},
};
constexpr std::int64_t kKept = 100;

// The times of the samples that are kept: `newest`, and back from there.
struct Kept {
  base::WallTime newest{};
  base::WallTime::duration apart{};
  std::int64_t count = 0;
};

Kept kept_since(base::WallTime now, int steps, unsigned long long last_seen) {
  const base::WallTime::duration apart = steps * device::sim::kStep;
  const base::WallTime newest = now - now.time_since_epoch() % apart;
  const auto age = static_cast<std::int64_t>(
      static_cast<unsigned long long>(newest.time_since_epoch().count()) - last_seen);
  const bool all = last_seen == 0 || age / apart.count() >= kKept;
  // Samples newer than that: one at each multiple of `apart`.
  const std::int64_t fresh = age <= 0 ? 0 : (age + apart.count() - 1) / apart.count();
  return {newest, apart, all ? kKept : fresh};
}

nvmlReturn_t give_samples(const Session& session, Gpu& gpu, const Series& series,
                          unsigned long long last_seen, unsigned int* count,
                          nvmlSample_t* samples) {
  const Reading now = gpu.reading(series.metric);
  if (!now.present()) return error_of(now.absence);
  const base::WallTime time = gpu.sample([](const auto&, base::WallTime step) { return step; });
  const Kept kept = kept_since(time, series.steps, last_seen);
  if (kept.count == 0) return NVML_ERROR_NOT_FOUND;
  if (samples == nullptr) {
    *count = static_cast<unsigned int>(kept.count);
    return NVML_SUCCESS;
  }
  // The newest that there is room for, oldest first.
  const std::int64_t given = std::min<std::int64_t>(kept.count, *count);
  thread_local model::DeviceSample at;
  for (std::int64_t i = 0; i < given; ++i) {
    const base::WallTime when = kept.newest - (given - 1 - i) * kept.apart;
    session.machine.read(gpu.index(), when, at);
    const Reading& reading = at.at(series.metric);
    samples[i].timeStamp = static_cast<unsigned long long>(when.time_since_epoch().count());
    samples[i].sampleValue = {};
    samples[i].sampleValue.uiVal =
        reading.present() ? static_cast<unsigned int>(nvml_value(series.metric, reading.value)) : 0;
  }
  *count = static_cast<unsigned int>(given);
  return NVML_SUCCESS;
}

}  // namespace

extern "C" nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, nvmlSamplingType_t type,
                                             unsigned long long last_seen,
                                             nvmlValueType_t* value_type, unsigned int* count,
                                             nvmlSample_t* samples) {
  static const Entry entry{__func__};
  return entry.any_device(device, [&](const Session& session, Gpu& gpu, const auto& mig) {
    if (count == nullptr || value_type == nullptr || mig || type >= kSeries.size() ||
        (samples != nullptr && *count == 0)) {
      return NVML_ERROR_INVALID_ARGUMENT;
    }
    *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
    return give_samples(session, gpu, kSeries[type], last_seen, count, samples);
  });
}

}  // namespace gpuscope::simulated
